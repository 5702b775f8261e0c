"""The figures of a study's runs by world, and what follows from them for a sum of variants' means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from mscm_lib.config import check_known
from mscm_lib.errors import DataError
from mscm_lib.metrics.inference import (
    Estimate,
    Figures,
    improvement,
    over_people_and_seeds,
    over_replicates,
)

Contrast = Mapping[str, float]
"""A sum of variants' means, each with its weight: a difference is {one: 1, another: -1}."""
FEWEST_SEEDS = 3
FEW_SEEDS = "one world, fewer than three seeds: spread unknown"
_MEAN = ("mean", "low", "high")


class Runs:
    """Figures in percent: for each world, (seeds, people) by variant, and people's weights."""

    def __init__(self, identities: pd.DataFrame, metric: str) -> None:
        if "dataset" not in identities:
            identities = identities.assign(dataset="")
        self.variants = [str(name) for name in dict.fromkeys(identities["variant"])]
        self.worlds: list[tuple[dict[str, Figures], Figures]] = []
        for _, table in identities.groupby(["dataset", "trial"], sort=False):
            queries = table.groupby("query_id")["queries"].first()
            runs = {name: _figures(table, name, queries.index, metric) for name in self.variants}
            self.worlds.append((runs, (queries / queries.sum()).to_numpy(np.float64)))

    def check(self, *names: str) -> None:
        """Refuse a variant that was not measured."""
        for name in names:
            check_known("variant", name, self.variants)

    def size(self, *names: str) -> dict[str, int]:
        """Number of worlds, and of seeds in each."""
        self.check(*names)
        seeds = min(len(runs[name]) for runs, _ in self.worlds for name in names)
        return {"worlds": len(self.worlds), "seeds": seeds}

    def too_few(self, *names: str) -> str:
        """Why there is no verdict on ``names``, or ""."""
        alone = len(self.worlds) == 1 and self.size(*names)["seeds"] < FEWEST_SEEDS
        return FEW_SEEDS if alone else ""

    def estimate(self, contrast: Contrast) -> Estimate:
        """A sum of variants' means, each with its weight."""
        self.check(*contrast)
        if len(self.worlds) > 1:
            means = [[w * m.mean() for m in self._means(name)] for name, w in contrast.items()]
            return over_replicates(np.sum(means, axis=0))
        runs, weights = self.worlds[0]
        sides = [{n: s * w for n, w in contrast.items() if s * w > 0} for s in (1, -1)]
        return over_people_and_seeds([_sum(runs, side) for side in sides if side], weights)

    def mean(self, name: str, level: float) -> dict[str, Any]:
        """A variant's row before it is compared."""
        found = np.clip(self.estimate({name: 1}).interval(level), 0, 100)
        return {"variant": name, **self.size(name), **dict(zip(_MEAN, found, strict=True))}

    def improvement(self, contrast: Contrast) -> float:
        """Of a difference of two, how often a run of the first beats one of the second, mean over
        worlds; NaN of other sums."""
        self.check(*contrast)
        if sorted(contrast.values()) != [-1, 1]:
            return np.nan
        first, second = sorted(contrast, key=contrast.__getitem__, reverse=True)
        pairs = zip(self._means(first), self._means(second), strict=True)
        return float(np.mean([improvement(*pair) for pair in pairs]))

    def _means(self, name: str) -> list[Figures]:
        """(seeds,) of each world."""
        return [runs[name] @ weights for runs, weights in self.worlds]


def _sum(runs: Mapping[str, Figures], weights: Contrast) -> Figures:
    """(seeds, people) of networks together: trainings are independent, so any may be added up."""
    seeds = min(len(runs[name]) for name in weights)
    return np.sum([weight * runs[name][:seeds] for name, weight in weights.items()], axis=0)


def _figures(table: pd.DataFrame, variant: str, people: pd.Index[Any], metric: str) -> Figures:
    """(seeds, people) of one variant in one world."""
    own = table[table["variant"] == variant]
    wide = own.pivot_table(index="seed", columns="query_id", values=metric, aggfunc="mean")
    wide = wide.reindex(columns=people)
    if wide.empty or wide.isna().to_numpy().any():
        raise DataError(
            f"variant {variant!r} was not measured on the same people as the "
            "others; evaluate all variants of the study again"
        )
    return 100 * wide.to_numpy(dtype=np.float64)
