"""CMC, mAP and mINP from the ranks of the right answers, query by query."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from mscm_lib.errors import ProtocolError
from mscm_lib.metrics.counting import RightAnswers, Tally
from mscm_lib.metrics.labels import IntArray, Labels

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RankMetrics:
    """Figures of one ranking of N queries, as fractions.

    A query with R right answers at ranks r_1 < … < r_R has AP = mean of k / r_k and INP = R / r_R.
    A query whose list holds no right answer is not valid and counts in nothing.

    Attributes:
        cmc: (max_rank,) share of valid queries whose first right answer is at rank k or better;
            among identities where the protocol de-duplicates, else among images. A list shorter
            than ``max_rank`` keeps its last value.
        mean_ap: mean AP over valid queries.
        mean_inp: mean INP over valid queries.
        valid_queries: how many queries are valid.
        labels: of queries and gallery.
        matches: (N,) R; 0 where a query is not valid.
        ap: (N,) average precision; NaN where a query is not valid.
        inp: (N,) inverse negative penalty; NaN where a query is not valid.
        first_hit: (N,) the rank that CMC counts; 0 where a query is not valid.
    """

    cmc: FloatArray
    mean_ap: float
    mean_inp: float
    valid_queries: int
    labels: Labels
    matches: IntArray
    ap: FloatArray
    inp: FloatArray
    first_hit: IntArray

    @cached_property
    def queries(self) -> pd.DataFrame:
        """A row a query: id, cam, valid, matches, ap, inp, first_hit."""
        return pd.DataFrame(
            {
                "id": self.labels.query_ids,
                "cam": self.labels.query_cams,
                "valid": self.matches > 0,
                "matches": self.matches,
                "ap": self.ap,
                "inp": self.inp,
                "first_hit": self.first_hit,
            }
        )

    def rank(self, k: int) -> float:
        """CMC at rank ``k``, counted from 1.

        Raises:
            ProtocolError: ``k`` is beyond the curve.
        """
        if not 1 <= k <= len(self.cmc):
            raise ProtocolError(f"rank {k} asked for; this curve has ranks 1 to {len(self.cmc)}")
        return float(self.cmc[k - 1])


@dataclass
class RankTable:
    """Collects per-query figures while queries are ranked in chunks; see `RankMetrics`."""

    labels: Labels
    max_rank: int

    def __post_init__(self) -> None:
        if self.max_rank < 1:
            raise ProtocolError(f"max_rank = {self.max_rank!r}: expected 1 or more")
        count = len(self.labels.query_ids)
        self.matches = np.zeros(count, dtype=np.int64)
        self.first_hit = np.zeros(count, dtype=np.int64)
        self.ap = np.full(count, np.nan)
        self.inp = np.full(count, np.nan)

    def fill(self, rows: IntArray, answers: RightAnswers, tally: Tally) -> None:
        """Enter the queries ``rows`` (n,) with what was counted before their right answers."""
        number = answers.number  # (n,)
        before, identities = map(tally.arithmetic.numpy, (tally.before, tally.identities))
        nth = np.arange(1, before.shape[1] + 1)
        ranks = before + nth  # (n, P): the k-th right answer has k - 1 others of its kind before it
        counted = nth <= number[:, None]
        valid = number > 0
        with np.errstate(invalid="ignore"):
            # one after the other: a sum by halves would depend on how wide the table is
            precision = np.where(counted, nth / ranks, 0.0).cumsum(axis=1)[:, -1] / number
            last = np.take_along_axis(ranks, np.maximum(number, 1)[:, None] - 1, axis=1)[:, 0]
        self.matches[rows] = number
        self.ap[rows] = np.where(valid, precision, np.nan)
        self.inp[rows] = np.where(valid, number / last, np.nan)
        first = identities + 1 if self.labels.protocol.unique_identities else ranks[:, 0]
        self.first_hit[rows] = np.where(valid, first, 0)

    def finish(self) -> RankMetrics:
        """The figures over all queries.

        Raises:
            ProtocolError: no query has a right answer in its list.
        """
        valid = self.matches > 0
        if not valid.any():
            raise ProtocolError(
                f"none of the {len(valid)} queries has a right answer in the gallery under protocol "
                f"{self.labels.protocol.name!r}; query and gallery identities may be mixed up, or "
                "of different splits"
            )
        hits = np.bincount(
            np.minimum(self.first_hit[valid], self.max_rank + 1), minlength=self.max_rank + 2
        )
        return RankMetrics(
            cmc=np.cumsum(hits)[1:-1] / valid.sum(),
            mean_ap=float(self.ap[valid].mean()),
            mean_inp=float(self.inp[valid].mean()),
            valid_queries=int(valid.sum()),
            labels=self.labels,
            matches=self.matches,
            ap=self.ap,
            inp=self.inp,
            first_hit=self.first_hit,
        )
