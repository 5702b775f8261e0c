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
        identities: rows of ``identities.csv`` of one dataset and search: columns variant, seed,
            query_id, queries, and ``metric`` (mean over that person's queries and galleries).
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
    found = list(dict.fromkeys(identities["variant"]))
    if reference not in found:
        raise ConfigError(unknown_key("variant", reference, found))
    people = np.sort(identities["query_id"].unique())
    queries = identities.groupby("query_id")["queries"].first().reindex(people).to_numpy(float)
    share = queries / queries.sum()
    runs = {v: _runs(identities[identities["variant"] == v], people, metric) for v in found}
    spread = _spread([each @ share for each in runs.values()])
    generator = np.random.default_rng(seed)
    people_drawn = generator.multinomial(len(people), np.full(len(people), 1 / len(people)), draws)
    weights = people_drawn * queries  # (draws, people): a mean over queries weighs people by them
    weights = weights / weights.sum(axis=1, keepdims=True)
    luck = generator.standard_t(spread.freedom or 1, draws) * spread.deviation
    tail = (100 * (1 - level) / 2, 100 * (1 + level) / 2)

    def interval(figures: Figures, error: float) -> tuple[float, float, float]:
        low, high = np.percentile(weights @ figures + error * luck, tail)
        return 100 * float(figures @ share), 100 * float(low), 100 * float(high)

    rows: list[dict[str, Any]] = []
    own = runs[reference]
    for variant, each in runs.items():
        row: dict[str, Any] = {"variant": variant, "seeds": len(each)}
        mean, low, high = interval(each.mean(axis=0), (1 / len(each)) ** 0.5)
        row |= {"mean": mean, "low": max(low, 0.0), "high": min(high, 100.0)}
        if variant != reference:
            error = (1 / len(each) + 1 / len(own)) ** 0.5
            mean, low, high = interval(each.mean(axis=0) - own.mean(axis=0), error)
            row |= {"difference": mean, "difference_low": low, "difference_high": high}
            verdict = VERDICTS[0 if low > 0 else 1 if high < 0 else 2]
            row["verdict"] = verdict if spread.freedom else ONE_SEED
        rows.append(row)
    return pd.DataFrame(rows)


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
