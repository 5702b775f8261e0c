"""A study's diagnostics: curves over epochs, and what was read off the finished networks."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns

from mscm_lib.paths import resolve
from mscm_lib.reports.style import legend_below, show

COLUMNS = 3  # panels in a row
_RUN = ["dataset", "variant"]


def inspections(study: str) -> pd.DataFrame:
    """``inspections.csv`` of a study; without rows where it has none."""
    return _table(study, "inspections", ["dataset", "variant", "measure", "part", "value"])


def alb_table(found: pd.DataFrame) -> pd.DataFrame:
    """Of every ALB, in percent, means over runs: what explains its output, and its reach.

    Args:
        found: as `inspections` gives it.

    Returns:
        A row a dataset, variant and ALB (by its source); a column a measure, empty where a block
        does not have it.
    """
    names = ["explained by the source", "explained by the deep map", "explained by both", "reach"]
    own = found[found["measure"].isin(names)]
    wide = own.pivot_table("value", [*_RUN, "part"], "measure", sort=False)
    return (100 * wide.reindex(columns=names)).rename_axis(columns=None)


def term_table(found: pd.DataFrame) -> pd.DataFrame:
    """QCT's terms and the distances of centers, means over runs: a row a dataset and variant."""
    own = found[found["measure"].isin(["QCT", "distance of centers"])]
    label = {"QCT": "QCT, ", "distance of centers": "between "}
    own = own.assign(what=own["measure"].map(label) + own["part"])
    return own.pivot_table("value", _RUN, "what", sort=False).rename_axis(columns=None)


def probe_table(study: str) -> pd.DataFrame:
    """How often a linear probe tells modality and camera from the feature, in percent.

    Returns:
        A row a dataset and variant, a column what is told of which images; balanced accuracy, mean
        over runs. The first row, "chance", is what guessing reaches.
    """
    table = _table(study, "probes", [*_RUN, "images", "target", "kind", "classes", "score"])
    own = table[table["kind"].isin(["modality", "camera"])]
    own = own.assign(what=own["target"] + ", " + own["images"] + " images")
    wide = own.pivot_table("score", _RUN, "what", sort=False).rename_axis(columns=None)
    chance = (1 / own.groupby("what", sort=False)["classes"].first()).to_frame(("", "chance")).T
    return 100 * pd.concat([chance.rename_axis(index=_RUN), wide])


def _table(study: str, name: str, columns: list[str]) -> pd.DataFrame:
    path = resolve(f"results/{study}/tables/{name}.csv")
    return pd.read_csv(path) if path.is_file() else pd.DataFrame(columns=columns)


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
    order = list(dict.fromkeys(histories["variant"]))
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
            hue_order=order,
            style_order=order,
        )
        axis.xaxis.set_tick_params(labelbottom=True)  # also above an empty place
        axis.set(title=column.replace("_", " "), xlabel="epoch", ylabel=unit)
        if log:
            axis.set_yscale("log")
        if limits:
            axis.set_ylim(*limits)
    legend_below(figure, axes[0, 0])
    figure.suptitle(title)
    drawn = ", ".join(column.replace("_", " ") for column in recorded)
    show(figure, f"{title.capitalize()} over epochs, one line a run: {drawn}.")
