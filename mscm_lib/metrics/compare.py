"""Two runs compared on the same queries."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from mscm_lib.errors import ProtocolError
from mscm_lib.metrics.inference import Interval, bootstrap_over_identities

KEYS = ("search", "scoring", "gallery_trial", "path")
_ANSWER = ["query_id", "ap", "first_hit"]


class Difference(Interval):
    """Run a less run b, as a fraction, and the interval about it."""

    @property
    def verdict(self) -> str:
        """ "a better", "b better", or "not distinguishable" where the interval holds zero."""
        if self.low > 0:
            return "a better"
        return "b better" if self.high < 0 else "not distinguishable"


class Comparison(NamedTuple):
    """What `compare_runs` found.

    Attributes:
        ap: difference of mAP.
        rank1: difference of rank-1.
        queries: the queries whose AP differs, those that differ most first: search and scoring
            (where the runs have them), path, query_id, ap_a, ap_b, difference; means over the
            galleries.
    """

    ap: Difference
    rank1: Difference
    queries: pd.DataFrame


def compare_runs(
    queries_a: pd.DataFrame,
    queries_b: pd.DataFrame,
    draws: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> Comparison:
    """Paired comparison of two runs that answered the same queries in the same galleries.

    Each query is compared with itself, which takes away what makes it easy or hard. The intervals
    come from a bootstrap over identities of those differences. They say how much the difference
    owes to the choice of people; how far apart two seeds of one method lie, they do not say.

    Args:
        queries_a, queries_b: rows of ``queries.csv`` of one feature, or `RankMetrics.queries`,
            whose rows are then matched by place.
        draws: bootstrap samples.
        level: of the intervals.
        seed: of the draws; the same seed gives the same intervals.

    Raises:
        ProtocolError: a column is missing, a query stands in a table twice (rows of several
            features), the tables hold other queries, or no query has an answer.
    """
    a, b = _keyed(queries_a, "a"), _keyed(queries_b, "b")
    alone = a.index.symmetric_difference(b.index)
    if len(alone):
        raise ProtocolError(
            f"the runs did not answer the same queries: {len(alone)} stand in one table only, for "
            f"example {alone[0]}; evaluate both with the same dataset, draw, shots and trials"
        )
    b = b.loc[a.index]
    other = (a["query_id"] != b["query_id"]) | (a["ap"].isna() != b["ap"].isna())
    if other.any():
        raise ProtocolError(
            f"query {a.index[other][0]} has another identity or another answer in the two tables; "
            "evaluate both runs with the same dataset and galleries"
        )
    a, b = a[a["ap"].notna()], b[b["ap"].notna()]
    hits = (a["first_hit"] == 1).astype(float) - (b["first_hit"] == 1)
    ap, rank1 = (
        Difference(*bootstrap_over_identities(values, a["query_id"], draws, level, seed))
        for values in (a["ap"] - b["ap"], hits)
    )
    return Comparison(ap, rank1, _differing(a, b))


def _keyed(queries: pd.DataFrame, name: str) -> pd.DataFrame:
    """query_id, ap and first_hit, found by the columns of `KEYS` that the table has."""
    table = queries.rename(columns={"id": "query_id"})
    if missing := [column for column in _ANSWER if column not in table]:
        raise ProtocolError(f"queries_{name} has no column {missing[0]!r}; expected queries.csv")
    if "path" not in table:
        table = table.assign(path=range(len(table)))
    table = table.fillna({"scoring": ""} if "scoring" in table else {})
    table = table.set_index([key for key in KEYS if key in table])[_ANSWER]
    if table.index.has_duplicates:
        raise ProtocolError(
            f"queries_{name} holds {table.index[table.index.duplicated()][0]} more than once; "
            "choose the rows of one feature, flip and rerank"
        )
    return table


def _differing(a: pd.DataFrame, b: pd.DataFrame) -> pd.DataFrame:
    pairs = a[["query_id"]].assign(ap_a=a["ap"], ap_b=b["ap"]).reset_index()
    keys = [key for key in (*KEYS, "query_id") if key in pairs and key != "gallery_trial"]
    means = pairs.groupby(keys, sort=False)[["ap_a", "ap_b"]].mean().reset_index()
    means["difference"] = means["ap_a"] - means["ap_b"]
    means = means[means["difference"] != 0]
    order = means["difference"].abs().sort_values(ascending=False, kind="stable").index
    return means.loc[order].reset_index(drop=True)
