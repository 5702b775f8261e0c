"""What figures of runs can be said to differ by: intervals, tests, and what a test could have seen.

Every comparison of this project goes through `Estimate`: a figure, its standard error, and the
degrees of freedom behind that error. Its interval, its p-value, the test of equivalence and the
difference that it could have seen follow from these three alone, so that one pair of networks has
one interval wherever it stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import comb
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import nctdtr, nctdtrinc, stdtr, stdtrit  # Student's t, without scipy.stats

from mscm_lib.errors import ProtocolError

Figures = npt.NDArray[np.float64]
_TINY = 1e-12  # runs that agree to the last digit have no error, and zero divides nothing


class Interval(NamedTuple):
    """A mean and the interval about it, in the unit of the values."""

    mean: float
    low: float
    high: float


class Estimate(NamedTuple):
    """A figure, its standard error, and the degrees of freedom behind the error."""

    figure: float
    error: float
    freedom: float

    def interval(self, level: float = 0.95) -> Interval:
        """Student's t about the figure."""
        half = float(stdtrit(self.freedom, (1 + level) / 2)) * self.error
        return Interval(self.figure, self.figure - half, self.figure + half)

    def p_zero(self) -> float:
        """p-value of "the true figure is zero", two-sided."""
        return 2 * float(stdtr(self.freedom, -abs(self.figure) / max(self.error, _TINY)))

    def p_beyond(self, margin: float) -> float:
        """p-value of "the true figure lies ``margin`` or more from zero": two one-sided tests.

        Source: Schuirmann 1987, the two one-sided tests of equivalence (TOST).
        """
        outside = (abs(self.figure) - margin) / max(self.error, _TINY)
        return float(stdtr(self.freedom, outside))

    def detectable(self, comparisons: int = 1, level: float = 0.95, wanted: float = 0.8) -> float:
        """The true difference that is seen with probability ``wanted`` (see `power`)."""
        critical = _critical(self.freedom, comparisons, level)
        return float(nctdtrinc(self.freedom, 1 - wanted, critical)) * self.error


def over_replicates(values: npt.ArrayLike) -> Estimate:
    """The mean of (R,) independent replicates, such as a difference in each of R worlds."""
    values = np.asarray(values, dtype=np.float64)
    error = values.std(ddof=1) / len(values) ** 0.5
    return Estimate(float(values.mean()), float(error), len(values) - 1)


def over_people_and_seeds(runs: Sequence[Figures], weights: Figures) -> Estimate:
    """The first network's mean, less the second's if there is one, on the same people.

    People could have been others (they are paired) and seeds could have been others (each network
    has its own, with its own spread). The variance over people is that of a bootstrap over
    identities, in closed form. It holds already what a seed does to one person, and so does the
    spread of the seeds' means: what both count is taken off once. With three seeds or more, 95 %
    intervals hold the truth 93 to 97 times in a hundred unless one network's seeds are spread
    several times as far as the other's; with two more rarely; with one they are of people alone.

    Args:
        runs: of one or two networks (seeds, people).
        weights: (people,) that sum to one: a mean over queries weighs people by their queries.

    Source: two-way clustering, Cameron, Gelbach and Miller 2011; degrees of freedom: Satterthwaite
    1946, as in Welch's test.
    """
    others = max(len(weights) - 1, 1)  # degrees of freedom of people
    gap = sum(sign * run.mean(axis=0) for sign, run in zip((1, -1), runs, strict=False))
    figure = float(gap @ weights)
    corrected = len(weights) / others
    of_people = float((weights**2) @ (gap - figure) ** 2) * corrected
    parts, of_seeds = [(of_people, others)], 0.0
    for run in runs:
        seeds = len(run)
        if seeds == 1:
            continue
        means = run @ weights
        # what a seed does to one person and not to the others
        left = run - run.mean(axis=0) - means[:, None] + means.mean()
        spread = float(means.var(ddof=1)) / seeds
        both = float((left**2 @ weights**2).sum()) * corrected / (seeds - 1) / seeds
        of_seeds += spread - both
        parts += [(spread, seeds - 1), (both, (seeds - 1) * others)]
    variance = of_people + max(of_seeds, 0.0)
    doubt = sum(part**2 / freedom for part, freedom in parts)
    return Estimate(figure, variance**0.5, max(variance**2 / doubt, 1.0) if doubt else others)


def less(a: Estimate, b: Estimate) -> Estimate:
    """The difference of two independent estimates."""
    parts = a.error**2, b.error**2
    doubt = parts[0] ** 2 / a.freedom + parts[1] ** 2 / b.freedom
    freedom = sum(parts) ** 2 / doubt if doubt else min(a.freedom, b.freedom)
    return Estimate(a.figure - b.figure, sum(parts) ** 0.5, freedom)


def holm(p: npt.ArrayLike) -> Figures:
    """p-values (N,) adjusted so that the chance of any false finding among N stays at the level.

    Source: Holm 1979, "A simple sequentially rejective multiple test procedure".
    """
    p = np.asarray(p, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    return np.minimum(steps, 1)[np.argsort(order, kind="stable")]


def power(
    effect: npt.ArrayLike,
    error: npt.ArrayLike,
    freedom: npt.ArrayLike,
    comparisons: int = 1,
    level: float = 0.95,
) -> Figures:
    """How probable it is that a two-sided t-test sees a true difference, with its sign.

    Args:
        effect: the true difference.
        error: the standard error of its estimate; with W worlds, between which the difference has
            standard deviation s, it is s / √W.
        freedom: degrees of freedom; W - 1.
        comparisons: in the family; each is then tested at a share of the level, as Holm's first is.
        level: one less the chance of a false finding in the family.
    """
    freedom = np.asarray(freedom, dtype=np.float64)
    shift = np.abs(np.asarray(effect, float)) / np.asarray(error, float)
    return np.asarray(1 - nctdtr(freedom, shift, _critical(freedom, comparisons, level)))


def _critical(freedom: float | Figures, comparisons: int, level: float) -> Figures:
    return np.asarray(stdtrit(freedom, 1 - (1 - level) / 2 / comparisons))


def improvement(first: npt.ArrayLike, second: npt.ArrayLike) -> float:
    """How often a run of the first network beats one of the second; half where they are level.

    Source: Agarwal et al. 2021, "Deep reinforcement learning at the edge of the statistical
    precipice", the probability of improvement.
    """
    gap = np.subtract.outer(np.asarray(first, float), np.asarray(second, float))
    return float(((gap > 0) + 0.5 * (gap == 0)).mean())


def expected_best(scores: npt.ArrayLike) -> Figures:
    """The best validation score to expect of 1 … N trials, from the (N,) scores of random trials.

    The mean of the best over all subsets of n trials, which is unbiased.

    Source: Tang et al. 2020, "Showing your work doesn't always work".
    """
    ordered = np.sort(np.asarray(scores, dtype=np.float64))
    trials = len(ordered)
    shares = [
        [comb(rank, n - 1) / comb(trials, n) for rank in range(trials)]
        for n in range(1, trials + 1)
    ]
    return np.asarray(shares) @ ordered


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
