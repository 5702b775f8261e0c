"""Which differences between a study's variants are more than luck, and what could have been seen.

What is repeated is the *world*: a dataset drawn with another seed, or another split. A difference is
taken within each world, on the same people, and Student's t over worlds says how far it may be from
the truth. Where there is one world, as with a real dataset, people and seeds are what could have
been others (`mscm_lib.metrics.inference.over_people_and_seeds`). Either way the interval of a pair
knows nothing of the table that it stands in. Its verdict does: p-values are adjusted by Holm's
method for all comparisons of the table.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mscm_lib.metrics.inference import Estimate, holm, less
from mscm_lib.study.replicates import Contrast, Runs

MARGIN = 2.0
"""Points within which two networks are called equivalent."""
FLOOR, HALF_AGAIN, ACCURACY = "HOG + LDA", 1.5, 0.95
VERDICTS = ("better", "worse", f"equivalent within {MARGIN:g} points", "not distinguishable")
UNTRAINED, EASY, NO_FLOOR = "not trained far enough", "world too easy", "floor not measured"
_DIFFERENCE = ("difference", "difference_low", "difference_high")
_JUDGED = (*_DIFFERENCE, "p", "p_holm", "p_equivalence", "detectable", "verdict")


def benchmark_of(dataset: str) -> str:
    """The benchmark that a world belongs to: ``lab`` of ``lab-w0``, ``lab-w1``, …"""
    return re.sub(r"-w\d+$", "", dataset)


@dataclass(frozen=True)
class Gate:
    """What a benchmark and its networks must show before a comparison gets a verdict.

    Attributes:
        floor: mAP of `FLOOR` in percent, mean over worlds; NaN where it was not measured.
        reference: mAP of the study's reference network, likewise.
        accuracies: each variant's training accuracy at its end, the least of its runs.
    """

    floor: float
    reference: float
    accuracies: Mapping[str, float]

    @classmethod
    def of(
        cls,
        metrics: pd.DataFrame,
        histories: pd.DataFrame,
        reference: str,
        dataset: str,
        search: str,
        scoring: str = "",
    ) -> Gate:
        """Of one benchmark and search, from ``metrics.csv`` and ``histories.csv`` of a study."""
        metrics, histories = (
            table[table["dataset"].map(benchmark_of) == benchmark_of(dataset)]
            for table in (metrics, histories)
        )
        scored = metrics["scoring"].astype(object).fillna("") == scoring
        place = (metrics["search"] == search) & scored
        found = 100 * metrics[place & metrics["reported"]].groupby("variant")["mean_ap"].mean()
        runs = histories.sort_values("epoch").groupby(["dataset", "variant", "trial", "seed"])
        least = runs["accuracy"].last().groupby("variant").min()
        floor, network = (float(found.get(name, np.nan)) for name in (FLOOR, reference))
        return cls(floor, network, {str(name): float(value) for name, value in least.items()})

    def closed(self, *variants: str) -> str:
        """Why a comparison of ``variants`` gets no verdict; "" where it does."""
        if not all(self.accuracies.get(name, np.nan) >= ACCURACY for name in variants):
            return UNTRAINED
        if np.isnan(self.floor):
            return NO_FLOOR
        return "" if self.reference >= HALF_AGAIN * self.floor else EASY


def compare_variants(
    identities: pd.DataFrame,
    reference: str,
    metric: str = "ap",
    level: float = 0.95,
    gate: Gate | None = None,
) -> pd.DataFrame:
    """Mean of every variant, its interval, and how it compares with ``reference``.

    Args:
        identities: rows of ``identities.csv`` of one benchmark and search: columns variant, trial,
            seed, query_id, queries, ``metric`` (mean over that person's queries and galleries), and
            dataset where there are several worlds.
        reference: the variant that others are compared with.
        metric: "ap" or "hit" (rank-1).
        level: of the intervals, and one less the chance of a false finding in the table.
        gate: that comparisons have to pass; None for none.

    Returns:
        A row a variant in the table's order: variant, mean, low, high, and the columns of
        `compare_contrasts`, empty for the reference itself.

    Raises:
        ConfigError: the table does not hold ``reference``.
        DataError: a variant was not measured on the same people.
    """
    runs = Runs(identities, metric)
    runs.check(reference)
    means = pd.DataFrame([runs.mean(name, level) for name in runs.variants])
    others = {v: {v: 1, reference: -1} for v in runs.variants if v != reference}
    compared = _compared(runs, others, level, gate).drop(columns=["worlds", "seeds"])
    return means.merge(compared.rename(columns={"contrast": "variant"}), "left", "variant")


def compare_contrasts(
    identities: pd.DataFrame,
    contrasts: Mapping[str, Contrast],
    metric: str = "ap",
    level: float = 0.95,
    gate: Gate | None = None,
) -> pd.DataFrame:
    """Sums of variants' means with weights, such as differences or main effects; one family of tests.

    Args:
        identities, metric, level, gate: as `compare_variants` takes them.
        contrasts: each with a weight a variant, above zero and below; together they are zero.

    Returns:
        A row a contrast: contrast, worlds, seeds (in each world, the fewest), improvement (of a
        difference of two: how often a run of the first beats one of the second in the same world; NaN
        of other sums), difference, difference_low, difference_high (points), p, p_holm (of no
        difference, as it is and adjusted), p_equivalence (of `MARGIN` points or more, adjusted),
        detectable (the difference in points that this family of tests sees four times in five), and
        the verdict: one of `VERDICTS`, or the reason why there is none.

    Raises:
        ConfigError: the table does not hold a variant.
        DataError: a variant was not measured on the same people.
    """
    return _compared(Runs(identities, metric), contrasts, level, gate)


def _compared(
    runs: Runs, contrasts: Mapping[str, Contrast], level: float, gate: Gate | None
) -> pd.DataFrame:
    rows = [
        {"contrast": name, **runs.size(*each), "improvement": runs.improvement(each)}
        for name, each in contrasts.items()
    ]
    reasons = [(gate and gate.closed(*each)) or runs.too_few(*each) for each in contrasts.values()]
    judged = _judged([runs.estimate(each) for each in contrasts.values()], reasons, level)
    return pd.DataFrame(rows, columns=["contrast", "worlds", "seeds", "improvement"]).join(judged)


def compare_gaps(
    here: pd.DataFrame,
    there: pd.DataFrame,
    reference: str,
    metric: str = "ap",
    level: float = 0.95,
    gates: Sequence[Gate] = (),
) -> pd.DataFrame:
    """How much further each variant is from ``reference`` on one benchmark than on another.

    Args:
        here: as `compare_variants` takes them.
        there: those of the benchmark that is subtracted; its people are others.
        reference: the variant that others are compared with, on both.
        metric, level: as `compare_variants` takes them.
        gates: of both benchmarks.

    Returns:
        A row for each other variant on both: variant, seeds, and the columns of `compare_contrasts` from
        difference on ("better": the variant gains on the reference).

    Raises:
        ConfigError: a table does not hold ``reference``.
        DataError: a variant was not measured on the same people as its benchmark's others.
    """
    both = Runs(here, metric), Runs(there, metric)
    for runs in both:
        runs.check(reference)
    names = [v for v in both[0].variants if v != reference and v in both[1].variants]
    estimates = [
        less(*(runs.estimate({name: 1, reference: -1}) for runs in both)) for name in names
    ]
    reasons = [
        next(filter(None, [gate.closed(name, reference) for gate in gates]), "")
        or both[0].too_few(name, reference)
        or both[1].too_few(name, reference)
        for name in names
    ]
    seeds = [min(runs.size(name, reference)["seeds"] for runs in both) for name in names]
    head = pd.DataFrame({"variant": names, "seeds": seeds})
    return head.join(_judged(estimates, reasons, level))


def _judged(estimates: Sequence[Estimate], reasons: Sequence[str], level: float) -> pd.DataFrame:
    """Differences with their tests as one family, and verdicts where no reason speaks against."""
    p = [each.p_zero() for each in estimates]
    adjusted = holm(p), holm([each.p_beyond(MARGIN) for each in estimates])
    rows = [
        (*each.interval(level), *tests, each.detectable(len(estimates), level))
        for each, *tests in zip(estimates, p, *adjusted, strict=True)
    ]
    table = pd.DataFrame(rows, columns=list(_JUDGED[:-1]), dtype=float)
    verdicts = [_verdict(row, 1 - level) for row in table.itertuples(index=False)]
    return table.assign(verdict=[r or v for r, v in zip(reasons, verdicts, strict=True)])


def _verdict(row: Any, chance: float) -> str:
    better, worse, equivalent, neither = VERDICTS
    if row.p_holm < chance:
        return better if row.difference > 0 else worse
    if row.p_equivalence < chance:
        return equivalent
    return f"{neither} (could have seen {row.detectable:.1f} points)"
