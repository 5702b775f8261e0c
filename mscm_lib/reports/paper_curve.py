"""The authors' training log beside a training of one's own on SYSU-MM01."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from mscm_lib.reports.style import PALETTE
from mscm_lib.study.tables import RUN

RETRIEVAL = {"rank1": "test_rank1", "mean_ap": "test_map"}
"""Measures of the log, and the columns of a history that recorded the same search."""
COLOURS = {"rank1": (PALETTE[0], "o", "rank-1"), "mean_ap": (PALETTE[3], "^", "mAP")}


def trainings(histories: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Own trainings on SYSU-MM01 by name, whether or not they recorded retrieval."""
    if histories.empty:
        return {}
    rows = histories[histories["dataset"] == "sysu"]
    keys = ["study", *RUN[1:]]
    return {
        f"{variant}, seed {seed} ({study})": run.sort_values("epoch")
        for (study, variant, _, seed), run in rows.groupby(keys, sort=False)
    }


def curve_figure(log: pd.DataFrame, own: dict[str, pd.DataFrame]) -> Figure:
    """Rank-1 and mAP on the test gallery over epochs: the authors' points, own lines.

    Args:
        log: `published_log()`.
        own: `trainings`; one that recorded no retrieval on the test gallery has no line.
    """
    figure, axis = plt.subplots(figsize=(7.6, 4.4), layout="constrained")
    for metric, (colour, marker, name) in COLOURS.items():
        points = log[(log["quantity"] == metric) & log["epoch"].notna()]
        for feature, face in (("neck", colour), ("pooled", "none")):
            rows = points[points["feature"] == feature]
            label = f"{name}, the authors' log" + (", pooled feature" if face == "none" else "")
            axis.plot(rows["epoch"], rows["value"], marker, mfc=face, mec=colour, label=label)
    for style, (name, run) in zip(("-", "--", ":", "-.") * len(own), own.items(), strict=False):
        for metric, column in RETRIEVAL.items():
            if column in run and run[column].notna().any():
                told = run.dropna(subset=[column])
                label = f"{COLOURS[metric][2]}, {name}"
                axis.plot(told["epoch"], 100 * told[column], style, color=COLOURS[metric][0],
                          label=label)  # fmt: skip
    if not any(line.get_linestyle() != "None" for line in axis.lines):
        text = "own training: not run here" if not own else "own training: no retrieval recorded"
        axis.text(0.98, 0.5, text, ha="right", transform=axis.transAxes, fontsize=11, color="0.3")
    axis.set(xlabel="epoch, from 0", ylabel="percent", ylim=(0, 100),
             title="SYSU-MM01, all-search, first gallery, while training")  # fmt: skip
    axis.legend(loc="lower right", fontsize=10)
    return figure


def ends(log: pd.DataFrame, own: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Losses and training accuracy near the end of the authors' training, and in own last epochs.

    Returns:
        A row a quantity: identity_loss, metric_loss, accuracy (percent); a column a training.
    """
    quantities = ["identity_loss", "metric_loss", "accuracy"]
    whole = log[log["epoch"].isna()].set_index("quantity")["value"]
    table = pd.DataFrame({"the authors' log": whole.reindex(quantities)})
    for name, run in own.items():
        last = run.iloc[-1][quantities].astype(float)
        table[name] = last * [1, 1, 100]
    return table
