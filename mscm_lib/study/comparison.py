"""Which differences between a study's variants are more than luck.

Two things could have fallen otherwise: which people were searched, and which seed a network was
trained with. People are drawn again with replacement, each with all of its queries (bootstrap over
identities). Seeds are too few for that: drawing three again and again understates how far apart
they lie. Their part is drawn from Student's t with the seeds' own spread, which keeps its promise
for few. A difference (the same people, the same seeds) whose interval holds zero is called not
distinguishable.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mscm_lib.config import unknown_key
from mscm_lib.errors import ConfigError, DataError

Cells = npt.NDArray[np.float64]
VERDICTS = ("better", "worse", "not distinguishable")
ONE_SEED = "one seed: spread unknown"


def compare_variants(
    identities: pd.DataFrame,
    reference: str,
    metric: str = "ap",
    draws: int = 4000,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Mean of every variant, its interval, and its paired difference from ``reference``.

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
        DataError: a variant was not measured on the same people, or shares no seed with it.
    """
    found = list(dict.fromkeys(identities["variant"]))
    if reference not in found:
        raise ConfigError(unknown_key("variant", reference, found))
    people = np.sort(identities["query_id"].unique())
    cells = {v: _cells(identities[identities["variant"] == v], people, metric) for v in found}
    counts = _queries(identities, people)
    generator = np.random.default_rng(seed)
    share = np.full(len(people), 1 / len(people))
    weights = generator.multinomial(len(people), share, draws) * counts  # (draws, people)
    weights = weights / weights.sum(axis=1, keepdims=True)
    tail = (100 * (1 - level) / 2, 100 * (1 + level) / 2)
    rows: list[dict[str, Any]] = []
    for variant in found:
        own = cells[variant]
        row: dict[str, Any] = {"variant": variant, "seeds": len(own)}
        row |= _figures("", own, counts, _redrawn(own, weights, generator), tail)
        gaps = {s: own[s] - cells[reference][s] for s in own if s in cells[reference]}
        if not gaps:
            raise DataError(f"{variant!r} and {reference!r} have no seed in common; train both")
        if variant != reference:
            drawn = _redrawn(gaps, weights, generator)
            row |= _figures("difference", gaps, counts, drawn, tail)
            low, high = row["difference_low"], row["difference_high"]
            verdict = VERDICTS[0 if low > 0 else 1 if high < 0 else 2]
            row["verdict"] = verdict if len(gaps) > 1 else ONE_SEED
        rows.append(row)
    return pd.DataFrame(rows)


def _cells(table: pd.DataFrame, people: npt.NDArray[Any], metric: str) -> dict[int, Cells]:
    """For each seed the figure of each person, in the order of ``people``."""
    wide = table.pivot_table(index="query_id", columns="seed", values=metric, aggfunc="mean")
    wide = wide.reindex(people)
    if wide.isna().to_numpy().any():
        raise DataError(
            f"variant {table['variant'].iloc[0]!r} was not measured on the same people as the "
            "others; evaluate all variants of the study again"
        )
    return {int(seed): wide[seed].to_numpy(dtype=np.float64) for seed in wide.columns}


def _queries(identities: pd.DataFrame, people: npt.NDArray[Any]) -> Cells:
    """Queries of each person: a mean over queries weighs people by them."""
    return identities.groupby("query_id")["queries"].first().reindex(people).to_numpy(float)


def _redrawn(cells: dict[int, Cells], weights: Cells, generator: np.random.Generator) -> Cells:
    """(draws,) means under redrawn people, (draws, people) ``weights``, and other seeds."""
    stack = np.stack(list(cells.values()))  # (seeds, people)
    means = weights @ stack.mean(axis=0)
    count = len(stack)
    if count > 1:  # of one seed nothing says how far another would lie
        of_seeds = stack @ weights.mean(axis=0)  # (seeds,)
        error = of_seeds.std(ddof=1) / np.sqrt(count)
        means = means + error * generator.standard_t(count - 1, len(means))
    return means


def _figures(
    name: str, cells: dict[int, Cells], counts: Cells, draws: Cells, tail: tuple[float, float]
) -> dict[str, float]:
    """Mean over seeds and queries, and the interval of its draws, in percent."""
    mean = float(np.average(np.mean(list(cells.values()), axis=0), weights=counts))
    low, high = np.percentile(draws, tail)
    prefix = f"{name}_" if name else ""
    return {name or "mean": 100 * mean, f"{prefix}low": 100 * low, f"{prefix}high": 100 * high}
