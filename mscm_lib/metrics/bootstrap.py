"""Confidence intervals by bootstrap over identities."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mscm_lib.errors import ProtocolError


class Interval(NamedTuple):
    """A mean over queries and the interval about it, in the unit of the values."""

    mean: float
    low: float
    high: float


def bootstrap_over_identities(
    values: npt.ArrayLike,
    ids: npt.ArrayLike,
    draws: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Mean of per-query ``values`` with a percentile interval over redrawn identities.

    Images of one person are not independent, so persons are drawn with replacement, each with all
    of its queries; redrawing queries would give intervals that are too narrow. Queries whose value
    is NaN (nothing to find) are left out.

    Args:
        values: (N,) one figure a query, such as average precision.
        ids: (N,) the queries' identities.
        draws: bootstrap samples.
        level: of the interval.
        seed: of the draws; the same seed gives the same interval.

    Raises:
        ProtocolError: there are not as many identities as values, or no value is a number.

    Source: cluster bootstrap, Davison and Hinkley, "Bootstrap Methods and their Application", 3.8.
    """
    values, ids = np.asarray(values, dtype=np.float64), np.asarray(ids)
    if values.shape != ids.shape or values.ndim != 1:
        raise ProtocolError(
            f"values have shape {values.shape} and ids {ids.shape}: expected one of each a query"
        )
    valid = ~np.isnan(values)
    if not valid.any():
        raise ProtocolError(f"none of the {len(values)} values is a number: nothing to average")
    _, code = np.unique(ids[valid], return_inverse=True)
    sums = np.bincount(code, weights=values[valid])  # (identities,)
    counts = np.bincount(code)
    generator = np.random.default_rng(seed)
    weights = generator.multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=draws)
    means = (weights @ sums) / (weights @ counts)  # (draws,)
    tail = (1 - level) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return Interval(float(sums.sum() / counts.sum()), float(low), float(high))
