"""Figures in print and figures measured here, side by side: tables and drawings of notebook 91."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mscm_lib.reports.measured import Measured
from mscm_lib.reports.published import DATASETS, ORIGINS, TITLES, UNSTATED, columns_of
from mscm_lib.reports.style import PALETTE
from mscm_lib.study.tables import LABELS

METHOD, ABLATION = "MSCMNet", "four streams + identity + QCT"
NOT_RUN, NOT_FOUND, ABSENT = "not run here", "not found in print", "–"
SHOWN = {"rank1": ("rank-1", PALETTE[0], "o"), "mean_ap": ("mAP", PALETTE[3], "^")}
HERE, MISSING = "here", "missing"
BESIDE = [
    "method",
    "search",
    "scoring",
    "metric",
    "value",
    "printed",
    "spread",
    "low",
    "high",
    "origin",
]


def fill_command(dataset: str) -> str:
    """The commands that measure a dataset's cells, for somebody who has the dataset."""
    return f"mscm enter {dataset} PATH && make study STUDY={dataset}"


def column_title(search: str, scoring: str) -> str:
    """A column's name for people, such as "visible → infrared, direct"."""
    name = {UNSTATED: "direction not stated"}.get(search, search.replace("-to-", " → "))
    return {"": name, UNSTATED: f"{name}, scoring not stated"}.get(scoring, f"{name}, {scoring}")


def side_by_side(dataset: str, figures: pd.DataFrame, found: Measured) -> pd.DataFrame:
    """Rank-1 and mAP of a dataset in print and here, a row a figure.

    Args:
        dataset: a key of `DATASETS`.
        figures: `published_figures()`.
        found: `measured()`.

    Returns:
        Columns `BESIDE`. Origin is a key of `ORIGINS`, "here", or "missing" for a figure that a run
        would make. Rows are ordered by method: MSCMNet in print, networks here, MSCMNet's nearest
        ablation in print, peers by year.
    """
    in_print = figures[(figures["dataset"] == dataset) & figures["metric"].isin(SHOWN)]
    rank = in_print["method"].map({METHOD: -3, ABLATION: -1}).fillna(in_print["year"])
    in_print = in_print.assign(order=rank)
    here = found.rows[found.rows["dataset"] == dataset]
    measured = pd.DataFrame(
        [
            {
                **{key: row[key] for key in ("search", "scoring")},
                "method": f"{row['network']}, here ({row['study']})",
                "metric": metric,
                "value": row[label],
                "spread": row[f"{label} sd"],
                "low": row[f"{label} low"],
                "high": row[f"{label} high"],
                "origin": HERE,
                "order": -2,
            }
            for _, row in here.iterrows()
            for metric, label in LABELS.items()
            if metric in SHOWN
        ]
    )
    names = list(dict.fromkeys(measured["method"])) if len(measured) else [f"{METHOD}, here"]
    places = [(name, *column) for name in names for column in columns_of(dataset)]
    done = set(map(tuple, measured[["method", "search", "scoring"]].values)) if len(here) else set()
    missing = pd.DataFrame(
        [
            {"method": method, "search": search, "scoring": scoring, "metric": metric,
             "origin": MISSING, "order": -2}
            for method, search, scoring in places
            if (method, search, scoring) not in done
            for metric in SHOWN
        ]
    )  # fmt: skip
    parts = [part for part in (in_print, measured, missing) if len(part)]
    table = pd.concat(parts, ignore_index=True).sort_values("order", kind="stable")
    return table.reindex(columns=BESIDE).reset_index(drop=True)


def comparison_table(beside: pd.DataFrame) -> pd.DataFrame:
    """`side_by_side` as people read it.

    Returns:
        Texts: figures as they were printed, with the mark of their origin; own ones with the
        standard deviation over runs where there are several; "–" where none was found. A row a
        method; columns of two levels, search and measure.
    """
    rows = beside.assign(
        text=[_text(row) for _, row in beside.iterrows()],
        column=[column_title(*place) for place in _places(beside)],
        measure=beside["metric"].map(LABELS),
    )
    table = rows.pivot(index="method", columns=["column", "measure"], values="text")
    titles = [(column_title(*place), LABELS[m]) for place in _columns(beside) for m in SHOWN]
    methods = _methods(beside)
    whole = table.reindex(index=methods, columns=pd.MultiIndex.from_tuples(titles))
    return whole.astype(object).fillna(ABSENT)


def _text(row: pd.Series) -> str:
    if row["origin"] == MISSING:
        return NOT_RUN
    if row["origin"] == HERE:
        spread = f" ± {row['spread']:.2f}" if row["spread"] == row["spread"] else ""
        return f"{row['value']:.2f}{spread}"
    return f"{row['printed']} {ORIGINS[row['origin']]}".rstrip()


def _methods(beside: pd.DataFrame) -> list[str]:
    """Methods in order, MSCMNet first, even where no figure of it was found in print."""
    return list(dict.fromkeys([METHOD, *beside["method"]]))


def _places(beside: pd.DataFrame) -> list[tuple[str, str]]:
    return list(zip(beside["search"], beside["scoring"], strict=True))


def _columns(beside: pd.DataFrame) -> list[tuple[str, str]]:
    """Searches with their scorings; those whose scoring is not stated stand last."""
    own = dict.fromkeys(_places(beside[beside["origin"].isin((HERE, MISSING))]))
    dataset = next(d for d in DATASETS if set(own) <= set(columns_of(d)))
    return list(dict.fromkeys([*columns_of(dataset), *_places(beside)]))


def comparison_figure(beside: pd.DataFrame, title: str) -> Figure:
    """Rank-1 and mAP of every method, a panel a column; a run that is missing has a hollow place."""
    columns, methods = _columns(beside), _methods(beside)
    tall = -(-len(columns) // 2)
    figure, axes = plt.subplots(
        tall, 2, figsize=(8.4, 1.1 + tall * (0.8 + 0.27 * len(methods))), sharey=True, sharex=True,
        squeeze=False, layout="constrained",
    )  # fmt: skip
    panels = dict(zip(columns, axes.flat, strict=False))
    for axis in axes.flat[len(columns) :]:
        axis.set_axis_off()
    for _, row in beside.iterrows():
        _draw(panels[row["search"], row["scoring"]], methods.index(row["method"]), row)
    found = set(_places(beside[beside["method"] == METHOD]))
    own = beside[beside["origin"].isin((HERE, MISSING))]["method"].unique()
    for place, axis in panels.items():
        for method in own:
            height = methods.index(method)
            axis.axhspan(height - 0.5, height + 0.5, color="#f1efe6", zorder=0)
        if place not in found:
            axis.text(0.03, 0, NOT_FOUND, va="center", color="0.35",
                      transform=axis.get_yaxis_transform())  # fmt: skip
        axis.set(title=column_title(*place), xlabel="percent")
        axis.xaxis.set_tick_params(labelbottom=True)
    axes[0, 0].set_yticks(range(len(methods)), methods)
    axes[0, 0].set_ylim(len(methods) - 0.4, -0.6)
    figure.legend(handles=_legend(), loc="outside lower center", ncols=2, frameon=False)
    figure.suptitle(title)
    return figure


def _draw(axis: Axes, height: int, row: pd.Series) -> None:
    """One figure of one method in its panel."""
    _, colour, marker = SHOWN[row["metric"]]
    if row["origin"] == MISSING:
        at, across = 0.03 + 0.06 * list(SHOWN).index(row["metric"]), axis.get_yaxis_transform()
        axis.plot(at, height, marker, mfc="white", mec=colour, ms=8, transform=across)
        if row["metric"] == "mean_ap":
            axis.text(0.14, height, NOT_RUN, va="center", transform=across)
        return
    axis.plot([row["low"], row["high"]], [height, height], color=colour, lw=2)
    face = colour if row["origin"] in ("own", HERE) else "none"
    size, edge = (10, "black") if row["origin"] == HERE else (6, colour)
    axis.plot(row["value"], height, marker, mfc=face, mec=edge, ms=size)


def _legend() -> list[Line2D]:
    kinds = (("by its own authors", True), ("copied by others", False))
    return [
        Line2D([], [], ls="", marker=marker, mec=colour, mfc=colour if filled else "none",
               label=f"{name}, {kind}")
        for name, colour, marker in SHOWN.values()
        for kind, filled in kinds
    ]  # fmt: skip


def among_peers(beside: pd.DataFrame) -> pd.DataFrame:
    """Where MSCMNet stands, in print and as run here: how many figures of peers are higher.

    Peers are all other methods in print but the nearest ablation. A row a figure of MSCMNet:
    method, search, measure, percent, peers ahead, of how many figures; empty where there is none.
    """
    peers = beside[~beside["origin"].isin((HERE, MISSING))]
    peers = peers[~peers["method"].isin((METHOD, ABLATION))]
    own = (beside["method"] == METHOD) | (
        beside["method"].str.startswith("mscmnet,") & (beside["origin"] == HERE)
    )
    key, rows = ["search", "scoring", "metric"], []
    for _, row in beside[own].iterrows():
        cell = (peers[key] == row[key]).all(axis=1)
        others = peers.loc[cell, "value"]
        title = column_title(row["search"], row["scoring"])
        rows.append([row["method"], title, LABELS[row["metric"]], _text(row),
                     int((others > row["value"]).sum()), len(others)])  # fmt: skip
    names = ["method", "search", "measure", "percent", "peers ahead", "of"]
    return pd.DataFrame(rows, columns=names).set_index("method")


def state(found: Measured) -> pd.DataFrame:
    """Every cell that a run can fill: by which networks, on what, or the command that fills it."""
    rows = []
    for dataset in DATASETS:
        for place in columns_of(dataset):
            here = found.rows[found.rows["dataset"] == dataset]
            here = here.iloc[[i for i, own in enumerate(_places(here)) if own == place]]
            row = {"dataset": TITLES[dataset], "search": column_title(*place)}
            row["measured here"] = ", ".join(here["network"]) or NOT_RUN
            row["on"] = ", ".join(dict.fromkeys(here["machine"])) or ABSENT
            row["command"] = "; ".join(dict.fromkeys(here["command"])) or fill_command(dataset)
            rows.append(row)
    return pd.DataFrame(rows).set_index(["dataset", "search"])


def differences(dataset: str, figures: pd.DataFrame, found: Measured) -> pd.DataFrame:
    """MSCMNet here minus MSCMNet in print, cell by cell, in points; empty where a side is missing.

    Columns: search, measure, in print, here, low and high (95 % over people and seeds), difference,
    ``inside`` (whether the figure in print lies in the interval).
    """
    beside = side_by_side(dataset, figures, found)
    here = beside[beside["method"].str.startswith("mscmnet,") & (beside["origin"] == HERE)]
    both = beside[beside["method"] == METHOD].merge(
        here, on=["search", "scoring", "metric"], suffixes=(" in print", "")
    )
    places = zip(both["search"], both["scoring"], strict=True)
    table = pd.DataFrame(
        {
            "search": [column_title(*place) for place in places],
            "measure": both["metric"].map(LABELS),
            "in print": both["value in print"],
            "here": both["value"],
            "low": both["low"],
            "high": both["high"],
            "difference": both["value"] - both["value in print"],
        }
    )
    return table.assign(inside=table["in print"].between(table["low"], table["high"]))
