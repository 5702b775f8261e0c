"""Which differences between a study's variants are more than luck.

Two things could have fallen otherwise: which people were searched, and which seed a network was
trained with. People are drawn again with replacement, each with all of its queries (bootstrap over
identities), the same ones for both variants of a difference. Seeds are too few for that: drawing
three again and again understates how far apart they lie. Their part is drawn from Student's t with
the spread that seeds have within variants, pooled over the study's variants as in an analysis of
variance. A difference whose interval holds zero is called not distinguishable.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from mscm_lib.config import unknown_key
from mscm_lib.errors import ConfigError, DataError

Figures = npt.NDArray[np.float64]
VERDICTS = ("better", "worse", "not distinguishable")
ONE_SEED = "one seed: spread unknown"
_MEAN = ("variant", "seeds", "mean", "low", "high")
_DIFFERENCE = ("difference", "difference_low", "difference_high")


class _Spread(NamedTuple):
    """Of seeds within variants: standard deviation, and the degrees of freedom behind it."""

    deviation: float
    freedom: int


def compare_variants(
    identities: pd.DataFrame,
    reference: str,
    metric: str = "ap",
    draws: int = 4000,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Mean of every variant, its interval, and its difference from ``reference`` on the same people.

    Args:
        identities: rows of ``identities.csv`` of one dataset and search: columns variant, trial,
            seed, query_id, queries, and ``metric`` (mean over that person's queries and galleries).
        reference: the variant that others are compared with.
        metric: "ap" or "hit" (rank-1).
        draws: bootstrap samples.
        level: of the intervals.
        seed: of the draws; the same seed gives the same intervals.

    Returns:
        A row a variant in the table's order: variant, seeds, mean, low, high, difference,
        difference_low, difference_high (all in percent), verdict. The reference's difference is
        empty.

    Raises:
        ConfigError: the table does not hold ``reference``.
        DataError: a variant was not measured on the same people.
    """
    anew = _Resampling(identities, metric, draws, seed)
    anew.check(reference)
    rows: list[dict[str, Any]] = []
    for variant, each in anew.runs.items():
        row: dict[str, Any] = {"variant": variant, "seeds": len(each)}
        mean, low, high = _interval(*anew.mean(variant), level)
        row |= {"mean": mean, "low": max(low, 0.0), "high": min(high, 100.0)}
        if variant != reference:
            span = _interval(*anew.gap(variant, reference), level)
            row |= dict(zip(_DIFFERENCE, span, strict=True))
            row["verdict"] = _verdict(*span[1:]) if anew.spread.freedom else ONE_SEED
        rows.append(row)
    return pd.DataFrame(rows, columns=[*_MEAN, *_DIFFERENCE, "verdict"])


def compare_gaps(
    here: pd.DataFrame,
    there: pd.DataFrame,
    reference: str,
    metric: str = "ap",
    draws: int = 4000,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """How much further each variant is from ``reference`` on one dataset than on another.

    A difference of differences: the two datasets show different people, which are drawn anew
    independently; within each, variant and reference share people as in `compare_variants`.

    Args:
        here: as `compare_variants` takes them.
        there: those of the dataset that is subtracted.
        reference: the variant that others are compared with, on both.
        metric: "ap" or "hit" (rank-1).
        draws: bootstrap samples.
        level: of the intervals.
        seed: of the draws.

    Returns:
        A row for each other variant on both: variant, seeds, difference, difference_low,
        difference_high (in percent), verdict ("better": the variant gains on the reference).

    Raises:
        ConfigError: a table does not hold ``reference``.
        DataError: a variant was not measured on the same people as its dataset's others.
    """
    first = _Resampling(here, metric, draws, 2 * seed + 1)
    second = _Resampling(there, metric, draws, 2 * seed + 2)
    rows: list[dict[str, Any]] = []
    for each in (first, second):
        each.check(reference)
    for variant in first.runs:
        if variant == reference or variant not in second.runs:
            continue
        (gap, drawn), (other, other_drawn) = (
            each.gap(variant, reference) for each in (first, second)
        )
        span = _interval(gap - other, drawn - other_drawn, level)
        seeds = min(len(each.runs[variant]) for each in (first, second))
        verdict = (
            _verdict(*span[1:]) if first.spread.freedom and second.spread.freedom else ONE_SEED
        )
        row = {"variant": variant, "seeds": seeds, **dict(zip(_DIFFERENCE, span, strict=True))}
        rows.append(row | {"verdict": verdict})
    return pd.DataFrame(rows, columns=["variant", "seeds", *_DIFFERENCE, "verdict"])


class _Resampling:
    """People and seeds of one dataset and search drawn anew, alike for all variants.

    Attributes:
        runs: (seeds, people) figures by variant.
        spread: of seeds.
    """

    def __init__(self, identities: pd.DataFrame, metric: str, draws: int, seed: int) -> None:
        found = list(dict.fromkeys(identities["variant"]))
        # where trials are splits, a person of one split is searched by that split's own network
        person = identities["trial"].astype(str) + "/" + identities["query_id"].astype(str)
        identities = identities.assign(query_id=person)
        people = np.sort(identities["query_id"].unique())
        queries = identities.groupby("query_id")["queries"].first().reindex(people).to_numpy(float)
        self._share = queries / queries.sum()
        self.runs = {
            v: _runs(identities[identities["variant"] == v], people, metric) for v in found
        }
        self.spread = _spread([each @ self._share for each in self.runs.values()])
        generator = np.random.default_rng(seed)
        drawn = generator.multinomial(len(people), np.full(len(people), 1 / len(people)), draws)
        weights = drawn * queries  # (draws, people): a mean over queries weighs people by them
        self._weights = weights / weights.sum(axis=1, keepdims=True)
        self._luck = generator.standard_t(self.spread.freedom or 1, draws) * self.spread.deviation

    def check(self, reference: str) -> None:
        """Refuse a reference that was not measured."""
        if reference not in self.runs:
            raise ConfigError(unknown_key("variant", reference, list(self.runs)))

    def mean(self, variant: str) -> tuple[float, Figures]:
        """A variant's mean, and (draws,) what it could have been."""
        each = self.runs[variant]
        return self._anew(each.mean(axis=0), (1 / len(each)) ** 0.5)

    def gap(self, variant: str, reference: str) -> tuple[float, Figures]:
        """The same of the difference of two variants on the same people."""
        each, own = self.runs[variant], self.runs[reference]
        error = (1 / len(each) + 1 / len(own)) ** 0.5
        return self._anew(each.mean(axis=0) - own.mean(axis=0), error)

    def _anew(self, figures: Figures, error: float) -> tuple[float, Figures]:
        return float(figures @ self._share), self._weights @ figures + error * self._luck


def _interval(figure: float, drawn: Figures, level: float) -> tuple[float, float, float]:
    """Figure, low and high in percent."""
    low, high = np.percentile(drawn, (100 * (1 - level) / 2, 100 * (1 + level) / 2))
    return 100 * figure, 100 * float(low), 100 * float(high)


def _verdict(low: float, high: float) -> str:
    return VERDICTS[0 if low > 0 else 1 if high < 0 else 2]


def _runs(table: pd.DataFrame, people: npt.NDArray[Any], metric: str) -> Figures:
    """(seeds, people) figures of one variant."""
    wide = table.pivot_table(index="seed", columns="query_id", values=metric, aggfunc="mean")
    wide = wide.reindex(columns=people)
    if wide.isna().to_numpy().any():
        raise DataError(
            f"variant {table['variant'].iloc[0]!r} was not measured on the same people as the "
            "others; evaluate all variants of the study again"
        )
    return wide.to_numpy(dtype=np.float64)


def _spread(means: list[Figures]) -> _Spread:
    """Pooled over variants, from the (seeds,) means of each; zero where no variant has two seeds."""
    freedom = sum(len(each) - 1 for each in means)
    if not freedom:
        return _Spread(0.0, 0)
    squares = sum(float(((each - each.mean()) ** 2).sum()) for each in means)
    return _Spread((squares / freedom) ** 0.5, freedom)
