"""Drawings of experiments; one that has not been run gets an empty frame that says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mscm_lib.reports.experiments import Experiment
from mscm_lib.reports.marks import interval
from mscm_lib.reports.style import PALETTE

BETTER, WORSE, NEITHER = PALETTE[2], PALETTE[3], "#6b6b6b"
_COLOURS = {"better": BETTER, "worse": WORSE}
MARKERS = "os^Dv<>P"


def means_figure(experiment: Experiment, title: str, metric: str = "mAP") -> Figure:
    """Every variant's mean with its 95 % interval, and a small dot a seed."""
    rows, seeds = experiment.rows(metric), experiment.seeds(metric)
    figure, axis = _frame(len(rows), title)
    _heights(axis, list(rows["label"]))
    axis.set_xlabel(f"{metric}, %: mean, 95 % interval, seeds")
    if not experiment.measured:
        return _not_run(figure, axis, experiment)
    for place, (variant, row) in enumerate(zip(rows.index, rows.itertuples(), strict=True)):
        colour = PALETTE[0] if variant == experiment.study.reference else PALETTE[7]
        interval(axis, -place, (row.mean, row.low, row.high), colour, colour)
        own = seeds[seeds["variant"] == variant]["value"]
        axis.plot(own, [-place - 0.22] * len(own), "|", color="black", ms=6)
    return figure


def differences_figure(experiment: Experiment, rows: pd.DataFrame, title: str) -> Figure:
    """Forest plot: each variant's difference from the reference; hollow where it may be zero.

    Args:
        experiment: says whether there is something to draw.
        rows: as `Experiment.rows` or `Experiment.against` gives them.
        title: says of what and from what.
    """
    others = rows[rows["difference"].notna()] if experiment.measured else rows
    figure, axis = _frame(len(others), title)
    _heights(axis, list(others["label"]))
    axis.set_xlabel("difference of mAP, points, with its 95 % interval")
    axis.axvline(0, color="0.3", lw=1)
    if not experiment.measured:
        return _not_run(figure, axis, experiment)
    for place, row in enumerate(others.itertuples()):
        colour = _COLOURS.get(str(row.verdict), NEITHER)
        face = colour if row.verdict in _COLOURS else "white"
        span = row.difference, row.difference_low, row.difference_high
        interval(axis, -place, span, colour, face)
    return figure


def curve_figure(
    experiment: Experiment,
    places: Mapping[str, float],
    xlabel: str,
    title: str,
    scale: str = "linear",
) -> Figure:
    """mAP against a number that stands behind each variant, with intervals.

    Args:
        experiment: that was run, or not.
        places: the number by variant.
        xlabel: of that number, with its unit.
        title: of the figure.
        scale: "linear", or "symlog" where numbers span decades and zero is among them.
    """
    figure, axis = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
    axis.set(title=title, xlabel=xlabel, ylabel="mAP, %")
    if scale == "symlog":
        axis.set_xscale("symlog", linthresh=0.01)
    axis.set_xticks(sorted(places.values()), [f"{x:g}" for x in sorted(places.values())])
    axis.minorticks_off()
    if not experiment.measured:
        return _not_run(figure, axis, experiment)
    rows = experiment.rows().loc[list(places)]
    _line(axis, list(places.values()), rows, 0, "")
    return figure


def curves_figure(
    experiment: Experiment,
    curves: Mapping[str, Mapping[str, float]],
    xlabel: str,
    title: str,
    names: Sequence[str],
) -> Figure:
    """mAP against a number that stands behind each variant, a line for each family of variants.

    Args:
        experiment: that was run, or not.
        curves: the number by variant, by family; the axis is logarithmic.
        xlabel: of that number, with its unit.
        title: of the figure.
        names: of the families, for readers.
    """
    figure, axis = plt.subplots(figsize=(6.4, 4.0), layout="constrained")
    axis.set(title=title, xlabel=xlabel, ylabel="mAP, %")
    axis.set_xscale("log", base=2)
    ticks = sorted({x for places in curves.values() for x in places.values()})
    axis.set_xticks(ticks, [f"{x:g}" for x in ticks])
    axis.minorticks_off()
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
    figure, axis = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
    axis.set(title=title, xlabel=xlabel, ylabel="mAP, %")
    axis.set_xticks(sorted(places.values()))
    if not experiment.measured:
        return _not_run(figure, axis, experiment)
    if not places:
        return _said(figure, axis, "none of these datasets is in this study")
    tables = {name: experiment.rows(dataset=name) for name in places}
    for number, variant in enumerate(experiment.study.variants):
        rows = pd.DataFrame([table.loc[variant] for table in tables.values()])
        shift = 0.004 * (number - 1)  # so that intervals stand side by side
        _line(axis, [x + shift for x in places.values()], rows, number, experiment.label(variant))
    axis.legend(title="stems")
    return figure


def cost_figure(experiment: Experiment, costs: pd.DataFrame, title: str) -> Figure:
    """mAP against what each variant costs, a panel a cost, with steps along the `unbeaten` ones.

    Args:
        experiment: that was run, or not.
        costs: a row a variant, a column a cost, its header with the unit.
        title: of the figure.
    """
    across = 2
    down = -(-len(costs.columns) // across)
    figure, axes = plt.subplots(
        down, across, figsize=(7.6, 3.1 * down), layout="constrained", squeeze=False, sharey=True
    )
    figure.suptitle(title, fontsize=12)
    rows = experiment.rows()
    for axis, column in zip(axes.flat, costs.columns, strict=False):
        axis.set(xlabel=column, ylabel="mAP, %" if axis in axes[:, 0] else "")
        if not experiment.measured:
            _not_run(figure, axis, experiment)
            continue
        for place, variant in enumerate(rows.index):
            row = rows.loc[[variant]]
            x = [float(costs[column].loc[variant])]
            _line(axis, x, row, place, experiment.label(variant), line="")
        best = unbeaten(costs[column], rows["mean"])
        axis.step(
            costs[column].loc[best], rows["mean"].loc[best], "--", where="post", color="0.4", lw=1
        )
    for axis in axes.flat[len(costs.columns) :]:
        axis.set_axis_off()
    if experiment.measured:
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=9)
    return figure


def unbeaten(cost: pd.Series, accuracy: pd.Series) -> list[str]:
    """The Pareto front: variants, cheapest first, of which each is more accurate than all cheaper ones.

    Args:
        cost: by variant; less is better.
        accuracy: by variant; more is better.
    """
    by_cost = pd.DataFrame({"cost": cost, "accuracy": accuracy})
    by_cost = by_cost.sort_values(["cost", "accuracy"], ascending=[True, False])
    before = by_cost["accuracy"].cummax().shift(fill_value=-np.inf)
    return [str(name) for name in by_cost.index[by_cost["accuracy"] > before]]


def probes_figure(table: pd.DataFrame, title: str) -> Figure:
    """Heat map of what probes read, 0 at chance and 1 where they always tell.

    Args:
        table: rows of what is read, columns of features; may be empty.
        title: of the figure.
    """
    figure, axis = plt.subplots(
        figsize=(1.8 + 1.25 * max(3, len(table.columns)), 1.2 + 0.36 * max(4, len(table))),
        layout="constrained",
    )
    figure.suptitle(title, fontsize=12)
    axis.grid(visible=False)
    if table.empty:
        axis.text(0.5, 0.5, "not measured here", ha="center", transform=axis.transAxes)
        axis.set(xticks=[], yticks=[])
        return figure
    values = table.to_numpy(float)
    picture = axis.imshow(values, vmin=0, vmax=1, aspect="auto")
    for (y, x), value in np.ndenumerate(values):
        axis.text(x, y, f"{value:.2f}", ha="center", va="center", fontsize=9,
                  color="white" if value < 0.6 else "black")  # fmt: skip
    axis.set_xticks(range(len(table.columns)), [str(c).replace(" ", "\n") for c in table.columns])
    axis.set_yticks(range(len(table)), [str(name) for name in table.index])
    figure.colorbar(picture, ax=axis, label="balanced accuracy above chance")
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


def _frame(lines: int, title: str) -> tuple[Figure, Axes]:
    figure, axis = plt.subplots(figsize=(6.8, 1.1 + 0.42 * max(1, lines)), layout="constrained")
    axis.set_title(title)
    return figure, axis


def _heights(axis: Axes, labels: list[str]) -> None:
    axis.set_yticks(range(0, -len(labels), -1), labels)
    axis.set_ylim(0.6 - max(1, len(labels)), 0.6)


def _not_run(figure: Figure, axis: Axes, experiment: Experiment) -> Figure:
    return _said(figure, axis, f"not measured here:\n{experiment.command}")


def _said(figure: Figure, axis: Axes, text: str) -> Figure:
    axis.text(
        0.5, 0.5, text, ha="center", va="center",
        transform=axis.transAxes, fontsize=10, color="0.3",
        bbox={"facecolor": "white", "edgecolor": "0.7", "boxstyle": "round"},
    )  # fmt: skip
    return figure
