"""Curves of a training's diagnostics over epochs, one panel a quantity, one line a run."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns

from mscm_lib.reports.style import show

COLUMNS = 3  # panels in a row


def show_curves(
    histories: pd.DataFrame,
    columns: list[str],
    title: str,
    unit: str,
    log: bool = False,
    limits: tuple[float, float] | None = None,
) -> None:
    """Draw and show each of ``columns`` over epochs.

    Args:
        histories: a row for each run and epoch, as ``results/<study>/tables/histories.csv``.
        columns: what to draw; columns without a value in any run are passed over.
        title: of the whole figure.
        unit: of the vertical axis.
        log: whether the vertical axis is logarithmic.
        limits: of the vertical axis.

    Shows the figure with its text, or a line where no run has recorded any of ``columns``.
    """
    recorded = [column for column in columns if histories[column].notna().any()]
    if not recorded:
        print(f"{title}: not recorded in this study")
        return
    rows = -(-len(recorded) // COLUMNS)
    width = min(len(recorded), COLUMNS)
    figure, axes = plt.subplots(
        rows,
        width,
        figsize=(4.2 * width, 2.9 * rows),
        squeeze=False,
        sharex=True,
        sharey=True,
        layout="constrained",
    )
    units = histories[["dataset", "trial", "seed"]].astype(str).agg("-".join, axis=1)
    for place, axis in enumerate(axes.flat):
        if place >= len(recorded):
            axis.set_axis_off()
            continue
        column = recorded[place]
        data = histories.assign(run=units).dropna(subset=[column])
        sns.lineplot(
            data=data,
            x="epoch",
            y=column,
            hue="variant",
            style="variant",
            units="run",
            estimator=None,
            ax=axis,
            legend=place == 0,
            hue_order=list(dict.fromkeys(histories["variant"])),
        )
        axis.set(title=column.replace("_", " "), xlabel="epoch", ylabel=unit)
        if log:
            axis.set_yscale("log")
        if limits:
            axis.set_ylim(*limits)
    figure.suptitle(title)
    drawn = ", ".join(column.replace("_", " ") for column in recorded)
    show(figure, f"{title.capitalize()} over epochs, one line a run: {drawn}.")
