"""Drawings of experiments; one that has not been run gets an empty frame that says so."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mscm_lib.reports.experiments import Experiment
from mscm_lib.reports.style import PALETTE

NEITHER = "#6b6b6b"
_COLOURS = {"better": PALETTE[2], "worse": PALETTE[3]}
MARKERS = "os^Dv<>P"


def means_figure(experiment: Experiment, title: str, metric: str = "mAP") -> Figure:
    """Every variant's mean with its 95 % interval, and a small tick a seed."""
    rows, seeds = experiment.rows(metric), experiment.seeds(metric)
    figure, axis = _list(rows["label"], title, f"{metric}, %: mean, 95 % interval, seeds")
    if not experiment.measured:
        return _not_run(figure, axis, experiment)
    for place, (variant, row) in enumerate(rows.iterrows()):
        colour = PALETTE[0] if variant == experiment.study.reference else PALETTE[7]
        _interval(axis, -place, row[["mean", "low", "high"]], colour, colour)
        own = seeds[seeds["variant"] == variant]["value"]
        axis.plot(own, [-place - 0.22] * len(own), "|", color="black", ms=6)
    return figure


def differences_figure(experiment: Experiment, rows: pd.DataFrame, title: str) -> Figure:
    """Forest plot of `Experiment.rows` or the like: each variant's difference from the reference,
    hollow where it has no verdict of better or worse."""
    others = rows[rows["difference"].notna()] if experiment.measured else rows
    unit = "difference of mAP, points, with its 95 % interval"
    figure, axis = _list(others["label"], title, unit)
    axis.axvline(0, color="0.3", lw=1)
    if not experiment.measured:
        return _not_run(figure, axis, experiment)
    for place, (_, row) in enumerate(others.iterrows()):
        span = row[["difference", "difference_low", "difference_high"]]
        colour = _COLOURS.get(row["verdict"], NEITHER)
        _interval(axis, -place, span, colour, colour if row["verdict"] in _COLOURS else "white")
    return figure


def curve_figure(
    experiment: Experiment,
    places: Mapping[str, float],
    xlabel: str,
    title: str,
    scale: str = "linear",
) -> Figure:
    """mAP against a number that stands behind each variant, with intervals.

    The scale is "linear", or "symlog" where numbers span decades and zero is among them.
    """
    near_zero = {"linthresh": 0.01} if scale == "symlog" else {}
    figure, axis = _plane(xlabel, title, places.values(), scale, **near_zero)
    if not experiment.measured:
        return _not_run(figure, axis, experiment)
    _line(axis, list(places.values()), experiment.rows().loc[list(places)], 0, "")
    return figure


def curves_figure(
    experiment: Experiment,
    curves: Mapping[str, Mapping[str, float]],
    xlabel: str,
    title: str,
    names: Sequence[str],
) -> Figure:
    """`curve_figure` with a line for each family of variants, over a logarithmic axis."""
    ticks = {x for places in curves.values() for x in places.values()}
    figure, axis = _plane(xlabel, title, ticks, "log", base=2)
    if not experiment.measured:
        return _not_run(figure, axis, experiment)
    rows = experiment.rows()
    for number, (places, name) in enumerate(zip(curves.values(), names, strict=True)):
        shifted = [x * 1.03 ** (number - 1) for x in places.values()]  # intervals side by side
        _line(axis, shifted, rows.loc[list(places)], number, name)
    axis.legend()
    return figure


def knob_figure(
    experiment: Experiment, places: Mapping[str, float], xlabel: str, title: str
) -> Figure:
    """mAP of every variant against a number that stands behind each dataset, with intervals."""
    figure, axis = _plane(xlabel, title, places.values())
    if not experiment.measured:
        return _not_run(figure, axis, experiment)
    if not places:
        return _said(figure, axis, "none of these datasets is in this study")
    tables = [experiment.rows(dataset=name) for name in places]
    for number, variant in enumerate(experiment.study.variants):
        rows = pd.DataFrame([table.loc[variant] for table in tables])
        shifted = [x + 0.004 * (number - 1) for x in places.values()]  # intervals side by side
        _line(axis, shifted, rows, number, experiment.label(variant))
    axis.legend(title="stems")
    return figure


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
            _line(axis, x, rows.loc[[variant]], place, label, line="")
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


def probes_figure(table: pd.DataFrame, title: str) -> Figure:
    """Heat map of what (rows) probes read from which features, 0 at chance and 1 always right."""
    size = 1.8 + 1.25 * max(3, len(table.columns)), 1.2 + 0.36 * max(4, len(table))
    figure, axis = plt.subplots(figsize=size, layout="constrained")
    figure.suptitle(title, fontsize=12)
    axis.grid(visible=False)
    if table.empty:
        axis.set(xticks=[], yticks=[])
        return _said(figure, axis, "not measured here")
    values = table.astype(float).set_axis([str(c).replace(" ", "\n") for c in table], axis=1)
    unit = {"label": "balanced accuracy above chance"}
    sns.heatmap(
        values, vmin=0, vmax=1, cmap="cividis", annot=True, fmt=".2f", cbar_kws=unit, ax=axis
    )
    axis.tick_params(rotation=0)
    return figure


def _line(
    axis: Axes, x: Sequence[float], rows: pd.DataFrame, number: int, label: str, line: str = "-"
) -> None:
    means = rows["mean"].to_numpy(float)
    spread = [means - rows["low"].to_numpy(float), rows["high"].to_numpy(float) - means]
    axis.errorbar(
        x, means, spread, color=PALETTE[number % len(PALETTE)], ls=line, capsize=3, label=label,
        marker=MARKERS[number % len(MARKERS)], mec="0.25",
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


def _plane(
    xlabel: str, title: str, ticks: Collection[float], scale: str = "linear", **how: float
) -> tuple[Figure, Axes]:
    figure, axis = plt.subplots(figsize=(6.4, 4.0), layout="constrained")
    axis.set(title=title, xlabel=xlabel, ylabel="mAP, %")
    axis.set_xscale(scale, **how)
    axis.set_xticks(sorted(ticks), [f"{x:g}" for x in sorted(ticks)])
    axis.minorticks_off()
    return figure, axis


def _not_run(figure: Figure, axis: Axes, experiment: Experiment) -> Figure:
    return _said(figure, axis, f"not measured here:\n{experiment.command}")


def _said(figure: Figure, axis: Axes, text: str) -> Figure:
    axis.text(
        0.5, 0.5, text, ha="center", va="center",
        transform=axis.transAxes, fontsize=10, color="0.3",
        bbox={"facecolor": "white", "edgecolor": "0.7", "boxstyle": "round"},
    )  # fmt: skip
    return figure
