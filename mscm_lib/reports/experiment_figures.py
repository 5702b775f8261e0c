"""Drawings of experiments; one that has not been run gets an empty frame that says so.

Titles and labels are a study's own words, in which $ begins no formula.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mscm_lib.reports.experiments import Experiment
from mscm_lib.reports.style import PALETTE, as_written

NEITHER = "#6b6b6b"
_COLOURS = {"better": PALETTE[2], "worse": PALETTE[3]}
MARKERS = "os^Dv<>P"


@as_written
def means_figure(experiment: Experiment, title: str) -> Figure:
    """Every variant's mean with its 95 % interval, and a small tick a run."""
    rows, seeds = experiment.rows(), experiment.seeds()
    figure, axis = _list(rows["label"], title, "mAP, %: mean, 95 % interval, a tick a run")
    if not experiment.measured:
        return _not_run(figure, axis, experiment)
    for place, (variant, row) in enumerate(rows.iterrows()):
        colour = PALETTE[0] if variant == experiment.study.reference else PALETTE[7]
        _interval(axis, -place, row[["mean", "low", "high"]], colour, colour)
        own = seeds[seeds["variant"] == variant]["value"]
        axis.plot(own, [-place - 0.22] * len(own), "|", color="black", ms=6)
    return figure


@as_written
def differences_figure(experiment: Experiment, rows: pd.DataFrame, title: str) -> Figure:
    """Forest plot of `Experiment.rows` or the like: each variant's difference from the reference,
    hollow where it has no verdict of better or worse."""
    others = rows[rows["difference"].notna()] if experiment.measured else rows
    unit = (
        "difference of mAP, points, with its own 95 % interval\n"
        "filled: better or worse, as a verdict of the whole table; hollow: neither"
    )
    figure, axis = _list(others["label"], title, unit)
    axis.axvline(0, color="0.3", lw=1)
    if not experiment.measured:
        return _not_run(figure, axis, experiment)
    for place, (_, row) in enumerate(others.iterrows()):
        span = row[["difference", "difference_low", "difference_high"]]
        colour = _COLOURS.get(row["verdict"], NEITHER)
        _interval(axis, -place, span, colour, colour if row["verdict"] in _COLOURS else "white")
    return figure


@as_written
def curves_figure(
    experiment: Experiment,
    lines: Mapping[str, pd.DataFrame],
    xlabel: str,
    title: str,
    scale: str = "linear",
    **how: float,
) -> Figure:
    """mAP with intervals over a number that is the index of each line's `Experiment.rows`.

    ``scale`` is matplotlib's, ``how`` what it takes. Intervals stand side by side.
    """
    figure, axis = plt.subplots(figsize=(6.4, 4.0), layout="constrained")
    axis.set(title=title, xlabel=xlabel, ylabel="mAP, %")
    axis.set_xscale(scale, **how)
    if ticks := sorted({x for rows in lines.values() for x in rows.index}):
        axis.set_xticks(ticks, [f"{x:g}" for x in ticks])
    axis.minorticks_off()
    if not experiment.measured:
        return _not_run(figure, axis, experiment)
    if not ticks:
        return _said(figure, axis, "nothing of this is in the study")
    for number, (name, rows) in enumerate(lines.items()):
        beside = number - (len(lines) - 1) / 2
        wide = 0.01 * beside * (ticks[-1] - ticks[0])
        x = [place * 1.03**beside if scale == "log" else place + wide for place in rows.index]
        _line(axis, x, rows, number, name)
    if len(lines) > 1:
        axis.legend()
    return figure


@as_written
def cost_figure(experiment: Experiment, costs: pd.DataFrame, title: str) -> Figure:
    """mAP against what each variant costs, a panel a column, with steps along the `unbeaten` ones."""
    down = -(-len(costs.columns) // 2)
    figure, axes = plt.subplots(
        down, 2, figsize=(7.6, 3.1 * down), layout="constrained", squeeze=False, sharey=True
    )
    figure.suptitle(title, fontsize=12)
    rows = experiment.rows()
    for axis, column in zip(axes.flat, costs.columns, strict=False):
        axis.set(xlabel=column, ylabel="mAP, %" if axis in axes[:, 0] else "")
        if not experiment.measured:
            _not_run(figure, axis, experiment)
            continue
        for place, variant in enumerate(rows.index):
            x, label = [float(costs.loc[variant, column])], experiment.label(variant)
            _line(axis, x, rows.loc[[variant]], place, label, ls="")
        best = unbeaten(costs[column], rows["mean"])
        steps = costs.loc[best, column], rows.loc[best, "mean"]
        axis.step(*steps, "--", where="post", color="0.4", lw=1)
    for axis in axes.flat[len(costs.columns) :]:
        axis.set_axis_off()
    if experiment.measured:
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=9)
    return figure


def unbeaten(cost: pd.Series, accuracy: pd.Series) -> list[str]:
    """The Pareto front: variants, cheapest first, each more accurate than all cheaper ones."""
    by_cost = pd.DataFrame({"cost": cost, "accuracy": accuracy})
    by_cost = by_cost.sort_values(["cost", "accuracy"], ascending=[True, False])
    before = by_cost["accuracy"].cummax().shift(fill_value=-np.inf)
    return [str(name) for name in by_cost.index[by_cost["accuracy"] > before]]


def _line(
    axis: Axes, x: Sequence[float], rows: pd.DataFrame, number: int, label: str, **how: Any
) -> None:
    means = rows["mean"].to_numpy(float)
    spread = [means - rows["low"].to_numpy(float), rows["high"].to_numpy(float) - means]
    axis.errorbar(
        x, means, spread, color=PALETTE[number % len(PALETTE)], capsize=3, label=label,
        marker=MARKERS[number % len(MARKERS)], mec="0.25", **how,
    )  # fmt: skip


def _list(labels: Collection[str], title: str, xlabel: str) -> tuple[Figure, Axes]:
    """A figure with a line a label, from the top down at heights 0, -1, …"""
    lines = max(1, len(labels))
    figure, axis = plt.subplots(figsize=(6.8, 1.1 + 0.42 * lines), layout="constrained")
    axis.set_yticks(range(0, -len(labels), -1), list(labels))
    axis.set(title=title, xlabel=xlabel, ylim=(0.6 - lines, 0.6))
    return figure, axis


def _interval(axis: Axes, y: float, span: Iterable[Any], colour: str, face: str) -> None:
    """(mean, low, high) as a dot on a line at height ``y``."""
    mean, low, high = (float(value) for value in span)
    axis.plot([low, high], [y, y], color=colour, lw=2)
    axis.plot(mean, y, "o", color=colour, mfc=face, ms=7)


def _not_run(figure: Figure, axis: Axes, experiment: Experiment) -> Figure:
    return _said(figure, axis, f"not measured here:\n{experiment.command}")


def _said(figure: Figure, axis: Axes, text: str) -> Figure:
    axis.text(
        0.5, 0.5, text, ha="center", va="center",
        transform=axis.transAxes, fontsize=10, color="0.3",
        bbox={"facecolor": "white", "edgecolor": "0.7", "boxstyle": "round"},
    )  # fmt: skip
    return figure
