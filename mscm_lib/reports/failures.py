"""Where retrieval fails: by camera, viewpoint and attribute, and whom the first wrong match is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mscm_lib.metrics import bootstrap_over_identities
from mscm_lib.reports.lists import lists_of
from mscm_lib.reports.marks import interval
from mscm_lib.reports.numbers import FinishedRun
from mscm_lib.reports.style import PALETTE

INTERVAL = ["mean", "low", "high"]
BAND_COLOURS = {"both": PALETTE[2], "visible": PALETTE[0], "infrared": PALETTE[3]}


def has_ledger(run: FinishedRun) -> bool:
    """Whether the dataset is a generated one, which knows what is true of people and pictures."""
    return (_folder(run) / "ledger.csv").is_file()


def asked(run: FinishedRun) -> pd.DataFrame:
    """A row a query image: path, query_id, query_cam, AP as the mean over its galleries, and what
    the dataset's ledger says of the picture (viewpoint, truncated, occluder, …) where it has one."""
    valid = run.queries[run.queries["valid"]]
    keys = ["path", "query_id", "query_cam"]
    table = valid.groupby(keys).agg(ap=("ap", "mean")).reset_index()
    if not has_ledger(run):
        return table
    shots = pd.read_csv(_folder(run) / "shots.csv", keep_default_na=False)
    return table.merge(shots.drop(columns=["identity", "camera"]), on="path", how="left")


def by_value(table: pd.DataFrame, column: str) -> pd.DataFrame:
    """Mean AP of the queries of each value of ``column``, with intervals over people, as fractions.

    Columns: mean, low, high, queries, people; hardest first.
    """
    rows = {
        value: [*bootstrap_over_identities(part["ap"], part["query_id"]), len(part),
                part["query_id"].nunique()]
        for value, part in table.groupby(column)
    }  # fmt: skip
    columns = [*INTERVAL, "queries", "people"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).sort_values("mean")


def first_wrong(run: FinishedRun) -> pd.DataFrame:
    """The first wrong match of every query in the first gallery of the first search.

    Columns: path, query_id, query_cam of the query; wrong, wrong_id, wrong_cam of the match; rank,
    1 where the search failed at once. A query whose gallery holds its person alone has no row.
    """
    found = lists_of(run)
    query, rows = found.trial.query, []
    for place, matches in enumerate(found.matches):
        wrong = next((m for m in matches if not m.excluded and not m.right), None)
        if wrong is not None:
            own = query.paths[place], int(query.ids[place]), int(query.cams[place])
            rows.append([*own, wrong.path, wrong.identity, wrong.camera, wrong.rank])
    names = ["path", "query_id", "query_cam", "wrong", "wrong_id", "wrong_cam", "rank"]
    return pd.DataFrame(rows, columns=names)


def in_common(run: FinishedRun, wrong: pd.DataFrame) -> pd.DataFrame:
    """How often the first wrong match has an attribute's value in common with the query.

    Args:
        run: on a dataset with a ledger.
        wrong: as `first_wrong` gives it.

    Returns:
        A row an attribute: band (who sees it: both, visible, infrared), chance (for two of the
        searched people drawn at random), mean with low and high over people, and above, mean less
        chance; as fractions, the most confused first.
    """
    people = pd.read_csv(_folder(run) / "ledger.csv", keep_default_na=False).set_index("identity")
    bands = pd.read_csv(_folder(run) / "attributes.csv").set_index("attribute")["band"]
    searched = people.loc[sorted(set(run.queries["query_id"]))]
    rows = {}
    for name, band in bands.items():
        counts = searched[name].value_counts().to_numpy()
        chance = (counts * (counts - 1)).sum() / (counts.sum() * (counts.sum() - 1))
        values = people[name]
        same = values.loc[wrong["query_id"]].to_numpy() == values.loc[wrong["wrong_id"]].to_numpy()
        found = bootstrap_over_identities(same.astype(float), wrong["query_id"])
        rows[str(name).replace("_", " ")] = [band, chance, *found, found.mean - chance]
    columns = ["band", "chance", *INTERVAL, "above"]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    return table.sort_values("above", ascending=False)


def values_figure(tables: Mapping[str, pd.DataFrame], title: str) -> Figure:
    """Mean AP with intervals, a panel a column of the ledger, below each other."""
    heights = [0.55 + 0.3 * len(table) for table in tables.values()]
    figure, axes = plt.subplots(
        len(tables), 1, figsize=(6.6, 0.5 + sum(heights)), layout="constrained", sharex=True,
        squeeze=False, height_ratios=heights,
    )  # fmt: skip
    for number, (axis, (name, table)) in enumerate(zip(axes[:, 0], tables.items(), strict=True)):
        colour = PALETTE[number % len(PALETTE)]
        for place, span in enumerate((100 * table[INTERVAL]).to_numpy(float).tolist()):
            interval(axis, place, span, colour)
        labels = [f"{value} ({n})" for value, n in zip(table.index, table["queries"], strict=True)]
        axis.set_yticks(range(len(table)), labels)
        axis.set_ylim(-0.6, len(table) - 0.4)
        axis.set_title(name, fontsize=10, loc="left")
    axes[-1, 0].set_xlabel("AP, %: mean and 95 % interval over people (queries in brackets)")
    figure.suptitle(title, fontsize=12)
    return figure


def common_figure(table: pd.DataFrame, title: str) -> Figure:
    """Attributes that first wrong matches share with the query, beside chance (hollow)."""
    figure, axis = plt.subplots(figsize=(6.8, 1.2 + 0.27 * len(table)), layout="constrained")
    for place, (band, *span) in enumerate(table[["band", *INTERVAL]].to_numpy().tolist()):
        interval(axis, -place, [100 * value for value in span], BAND_COLOURS[band])
    axis.plot(100 * table["chance"], range(0, -len(table), -1), "d", color="0.4", mfc="white")
    axis.set_yticks(range(0, -len(table), -1), list(table.index))
    axis.set(
        title=title, xlabel="have it in common with the query, %", ylim=(0.6 - len(table), 0.6)
    )
    seen = [b for b in BAND_COLOURS if b in set(table["band"])]
    handles = [
        plt.Line2D([], [], marker="o", color=BAND_COLOURS[b], label=f"seen by {b}") for b in seen
    ]
    handles.append(Line2D([], [], marker="d", ls="", color="0.4", mfc="white", label="chance"))
    axis.legend(handles=handles, loc="lower right", fontsize=9)
    return figure


def _folder(run: FinishedRun) -> Path:
    return Path(run.packed.dataset.root)
