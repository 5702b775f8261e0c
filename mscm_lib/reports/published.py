"""What is in print: figures of MSCMNet and its peers, and the authors' training log.

``published.csv`` holds one figure a row, with where it was found; ``published_replications.csv`` what
others got who ran a method again; ``published_protocols.csv`` how figures were made, as far as that is
known; ``published_log.csv`` the points of the log that the authors published with their code. What was
not found has no row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from mscm_lib.config import check_known
from mscm_lib.data.base import ReidDataset
from mscm_lib.data.layouts.llcm import LlcmDataset
from mscm_lib.data.layouts.recognise import TITLES as TITLES
from mscm_lib.data.layouts.regdb import RegdbDataset
from mscm_lib.data.layouts.sysu import SysuDataset
from mscm_lib.errors import DataError, StudyError
from mscm_lib.files import made
from mscm_lib.study.tables import METRICS

FIGURES = Path(__file__).with_name("published.csv")
REPLICATIONS = Path(__file__).with_name("published_replications.csv")
PROTOCOLS = Path(__file__).with_name("published_protocols.csv")
LOG = Path(__file__).with_name("published_log.csv")
DATASETS: dict[str, type[ReidDataset]] = {
    "sysu": SysuDataset, "regdb": RegdbDataset, "llcm": LlcmDataset,
}  # fmt: skip
UNSTATED = "unstated"
"""The search of a figure that does not name its direction, or the scoring of one whose search is scored
in several ways and which does not say in which."""

ORIGINS = {
    "own": "",  # by the authors of the figure themselves
    "comparison": "†",  # as comparison tables have it; its own publication was not consulted
    "secondary": "§",  # heard of; the publication was not seen
}
"""How a figure was come by, and the mark that it bears in tables."""

ASPECTS = ("scoring", "draw", "galleries", "feature", "flip", "re-ranked", "epoch")
"""What has to be the same for two figures to be answers to one question."""
KEY = ["method", "dataset", "search", "scoring", "metric"]
COLUMNS = ["method", "year", *KEY[1:], "value", "origin", "source", "remark"]


def published_figures(path: Path | str = FIGURES) -> pd.DataFrame:
    """Every figure in print that is known here: single-shot, not re-ranked, in percent.

    Columns: method, year (NaN where unknown), dataset, search (which names the direction), scoring
    ("" where there is one way), metric (of `mscm_lib.study.tables.METRICS`), value, origin (of
    `ORIGINS`), source, remark, and printed (the value with its digits).

    Raises:
        DataError: the file is missing, or a row, which is named, is not what it should be.
    """
    table = _read(Path(path), COLUMNS, _check_figure, KEY)
    table["year"] = pd.to_numeric(table["year"])
    return table.assign(printed=table["value"]).astype({"value": float})


def replications(path: Path | str = REPLICATIONS) -> pd.DataFrame:
    """What others got who ran a method again, beside what was claimed for it, a row a figure.

    Columns: `KEY`, claim (NaN where `published_figures` has none), value (both in percent),
    difference in points, source, remark. Raises as `published_figures`.
    """
    table = _read(Path(path), [*KEY, "value", "source", "remark"], _check_place)
    claims = published_figures()[[*KEY, "value"]].rename(columns={"value": "claim"})
    table = table.astype({"value": float}).merge(claims, "left", KEY)
    table = table.assign(difference=table["value"] - table["claim"])
    return table[[*KEY, "claim", "value", "difference", "source", "remark"]]


def protocols(path: Path | str = PROTOCOLS) -> pd.DataFrame:
    """How figures in print were made, as far as that is known.

    Columns: method ("*", which come first: all on that dataset), dataset, aspect (of `ASPECTS`),
    value, source. What a method's code does is taken for what its figures were made by. Raises as
    `published_figures`.
    """
    methods = ["*", *published_figures()["method"].unique()]

    def check(row: pd.Series) -> None:
        for key, known in (("method", methods), ("dataset", DATASETS), ("aspect", ASPECTS)):
            check_known(key, row[key], known)

    key = ["method", "dataset", "aspect"]
    table = _read(Path(path), [*key, "value", "source"], check, key)
    return table.sort_values("method", key=lambda names: names != "*", kind="stable")


def columns_of(dataset: str) -> list[tuple[str, str]]:
    """The columns of a dataset's table: its searches, each with every way of scoring it."""
    kind = DATASETS[dataset]
    return [(s, scoring) for s in kind.searches for scoring in kind.scorings.get(s, ("",))]


def _read(
    path: Path, columns: list[str], check: Callable[[pd.Series], None], key: Sequence[str] = ()
) -> pd.DataFrame:
    """A table of texts, each row of which has a source and passes; ``key`` names it once."""
    made(path, f"restore it with: git checkout {path.name}")
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except ValueError as error:
        raise DataError(f"{path}: not readable as CSV: {error}") from error
    if list(table.columns) != columns:
        raise DataError(f"{path}: columns {list(table.columns)}; expected {columns}")
    for line, (_, row) in enumerate(table.iterrows(), 2):
        try:
            if not row["source"].strip():
                raise DataError("no source; say where the figure was found")
            check(row)
        except StudyError as error:
            raise DataError(f"{path}, line {line}: {error}") from error
    if key and (repeated := table[table.duplicated(key)]).size:
        first = ", ".join(repeated.iloc[0][[*key]])
        raise DataError(f"{path}: {first}: stands there twice; keep the one with the better source")
    return table


def _check_figure(row: pd.Series) -> None:
    _check_place(row)
    check_known("origin", row["origin"], ORIGINS)
    if not row["method"].strip() or not (row["year"].isdigit() or row["year"] == ""):
        raise DataError(f"expected a method and its year, found {row['method']!r}")


def _check_place(row: pd.Series) -> None:
    """Dataset, search, scoring, metric and value."""
    check_known("dataset", row["dataset"], DATASETS)
    check_known("metric", row["metric"], METRICS)
    columns = [*columns_of(row["dataset"]), (UNSTATED, "")]
    check_known("search", row["search"], dict.fromkeys(search for search, _ in columns))
    scorings = [scoring for search, scoring in columns if search == row["search"]]
    check_known("scoring", row["scoring"], scorings + [UNSTATED] * (len(scorings) > 1))
    if not 0 <= pd.to_numeric(row["value"], errors="coerce") <= 100:
        raise DataError(f"value {row['value']!r}; expected 0 to 100 percent")
