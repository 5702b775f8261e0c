"""Which way of scoring a claimed figure stands for, told from the features that it was made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any, NamedTuple

import pandas as pd
from torch.nn import functional

from mscm_lib.claims import FIGURES, Claimed
from mscm_lib.config import RunConfig
from mscm_lib.data.base import ReidDataset
from mscm_lib.data.base import check as check_choice
from mscm_lib.errors import ConfigError, DataError, StudyError
from mscm_lib.evaluation.embedding import Embeddings
from mscm_lib.evaluation.rankings import Trial, rank_search, trials
from mscm_lib.protocols import PROTOCOLS

WAY = ["search", "split", "feature", "draw", "shots", "scoring", "protocol", "flip", "rerank",
       "galleries"]  # fmt: skip
"""Columns that say how a figure was made."""
GALLERIES = {
    "mean": "mean of all galleries",
    "first": "first gallery alone",
    "best": "best gallery",
}
AS_GIVEN, MIXED = ", not normalised", " + "


class _Way(NamedTuple):
    """One way to rank; what each field may be: `_ways`."""

    search: str
    split: int
    draw: str
    shots: int
    scoring: str
    protocol: str
    feature: str
    flip: bool
    rerank: bool


@dataclass(frozen=True)
class Audit:
    """What `audit` tried and found.

    Attributes:
        claims: that were looked for, all of them in one row.
        table: a row a way: `WAY`, the figures as fractions, ``steps`` (how many of its choices are
            not the plain ones), ``off`` (percentage points of the worst claim) and ``reproduces``.
        skipped: ways that could not be ranked, and why, once a reason.
    """

    claims: tuple[Claimed, ...]
    table: pd.DataFrame
    skipped: dict[str, int]

    @property
    def reproducing(self) -> pd.DataFrame:
        """The rows that give the claimed figures within rounding, fewest steps first."""
        return self.table[self.table["reproduces"]]

    @property
    def worth(self) -> pd.DataFrame:
        """What one step alone changes, as fractions: `WAY`, gain in rank 1 and mAP.

        A step whose plain way could not be ranked, for want of images, has no row.
        """
        keys, columns = ["search", "split", "feature"], ["rank1", "mean_ap"]
        plain = self.table[self.table["steps"] == 0].set_index(keys)[columns]
        once = self.table[self.table["steps"] == 1]
        own = once.assign(feature=once["feature"].map(_own_feature)).set_index(keys)[columns]
        gains = own - plain.reindex(own.index)
        found = once[[*WAY, *columns]].assign(
            rank1_gain=gains["rank1"].to_numpy(), mean_ap_gain=gains["mean_ap"].to_numpy()
        )
        return found.dropna(subset="rank1_gain").reset_index(drop=True)

    def render(self) -> str:
        """The finding in words and lines, figures in percent."""
        wanted = ", ".join(f"{c.name} {c.percent:g} ± {c.rounding:g}" for c in self.claims)
        found, tried = self.reproducing, len(self.table)
        if len(found):
            lines = [f"{wanted}: reproduced by {len(found)} of {tried} ways", ""]
        else:
            lines = [f"{wanted}: none of {tried} ways gives this; the nearest:", ""]
            found = self.table.sort_values("off", kind="stable").head(3)
        lines += [f"  {_figures(row)}  {_words(row)}" for _, row in found.iterrows()]
        lines += ["", "What one step alone is worth (rank 1, mAP; percentage points):", ""]
        for _, row in self.worth.iterrows():
            gains = f"{100 * row['rank1_gain']:+7.2f} {100 * row['mean_ap_gain']:+7.2f}"
            lines.append(f"  {gains}  {_words(row)}")
        if self.skipped:
            lines += ["", "Not tried:"]
            lines += [f"  {times} ways: {why}" for why, times in self.skipped.items()]
        return "\n".join(lines)


def audit(
    dataset: ReidDataset,
    embeddings: Embeddings,
    claims: Sequence[Claimed],
    search: str | None = None,
    steps: int = 2,
) -> Audit:
    """Rank by features in every way that evaluations differ in, until one gives what is claimed.

    The plain way: the dataset's own rules and first draw, single-shot, each feature at unit length,
    no flip, no re-ranking, the mean over all galleries. Every other choice is a step; ways of few
    steps are tried first, since among many ways one agrees by chance. All ways of no and of one
    step are always ranked: they say what a step is worth. Where trials are splits (RegDB), each is
    tried alone: its features are of one network.

    Args:
        dataset: that the images are of.
        embeddings: as given; see `mscm_lib.evaluation.feature_files`.
        claims: to be met together by one way.
        search: to look at; None: all of them.
        steps: at most.

    Raises:
        ConfigError: nothing is claimed, or there is no such search.
        DataError: not one way can be ranked with these images.
    """
    if not claims:
        raise ConfigError(f"nothing is claimed; expected one of {', '.join(FIGURES)}")
    if search is not None:
        check_choice("search", search, dataset.searches)
    kinds = _kinds(embeddings)
    groups: dict[tuple[Any, ...], list[Trial]] = {}
    rows: list[dict[str, Any]] = []
    skipped: dict[str, int] = {}
    by_steps: dict[int, list[_Way]] = {}
    for way, count in _ways(dataset, kinds, search):
        by_steps.setdefault(count, []).append(way)
    for count in range(steps + 1):
        for way in by_steps.get(count, []):
            try:
                rows += _ranked(dataset, kinds[way.flip], way, count, groups)
            except StudyError as error:
                skipped[str(error)] = skipped.get(str(error), 0) + 1
        table = _judged(rows, claims, count)
        if count >= 1 and len(table) and table["reproduces"].any():
            break
    if not rows:
        raise DataError(f"no way can be ranked: {next(iter(skipped), 'there is no image')}")
    return Audit(tuple(claims), table, skipped)


def _kinds(embeddings: Embeddings) -> dict[bool, Embeddings]:
    """By flip: every feature at unit length, as given where that differs, and mixes of two."""
    kinds: dict[bool, Embeddings] = {}
    for flip in (False, True):
        given_ = {
            name.removesuffix("_flip"): values
            for name, values in embeddings.features.items()
            if name.endswith("_flip") == flip
        }
        unit = {name: functional.normalize(values) for name, values in given_.items()}
        found = dict(unit)
        for name, values in given_.items():
            if not values.allclose(unit[name], atol=1e-4):
                found[f"{name}{AS_GIVEN}"] = values
        for one, other in combinations(unit, 2):
            pair = Embeddings(embeddings.table, {"neck": unit[one], "pooled": unit[other]})
            found[f"{one}{MIXED}{other}"] = pair.with_mix(0.5).features["mix"]
        if found:
            kinds[flip] = Embeddings(embeddings.table, found)
    return kinds


def _ways(
    dataset: ReidDataset, kinds: dict[bool, Embeddings], search: str | None
) -> Iterator[tuple[_Way, int]]:
    """Every way to rank, and how many steps it is from the plain one."""
    splits = len(dataset.training_trials) > 1
    rules = (dataset.protocol, *(name for name in PROTOCOLS if name != dataset.protocol))
    draws = dataset.draws[:1] if splits else dataset.draws
    swapped = () if splits else ("swapped",)  # whole galleries: the other search is the swapped one
    for one in [search] if search else dataset.searches:
        for way in product(
            [one], dataset.trials if splits else [0], draws, dataset.shots, ("direct", *swapped),
            rules, next(iter(kinds.values())).features, kinds, (False, True),
        ):  # fmt: skip
            found = _Way(*way)
            if found.feature in kinds[found.flip].features:
                yield found, _steps(found, dataset, plain_flip=next(iter(kinds)))


def _own_feature(name: str) -> str:
    """The feature at unit length that another is made of, the first where there are two."""
    return name.removesuffix(AS_GIVEN).partition(MIXED)[0]


def _steps(way: _Way, dataset: ReidDataset, plain_flip: bool) -> int:
    return sum(
        [
            way.draw != dataset.draws[0], way.shots != dataset.shots[0], way.scoring != "direct",
            way.protocol != dataset.protocol, way.feature != _own_feature(way.feature),
            way.flip != plain_flip, way.rerank,
        ]
    )  # fmt: skip


def _ranked(
    dataset: ReidDataset,
    embeddings: Embeddings,
    way: _Way,
    steps: int,
    groups: dict[tuple[Any, ...], list[Trial]],
) -> Iterator[dict[str, Any]]:
    """The rows of a way: over all galleries, and of one alone at one step more."""
    asked = {key: getattr(way, key) for key in ("draw", "shots", "rerank")}
    config = RunConfig.from_mapping(
        asked, {"trial": way.split, "gallery_trials": len(dataset.trials)}
    )
    key = way[:5]
    if key not in groups:
        every = trials(dataset, config, {way.search: (way.scoring,)})
        groups[key] = [trial for trial in every if trial.search == way.search]
    found = rank_search(
        groups[key], config, embeddings, (way.feature,), {"flip": way.flip}, way.protocol
    )
    each = pd.DataFrame([row for row in found.trials if row["rerank"] == way.rerank])
    each = each[list(FIGURES.values())]
    kinds = {"mean": each.mean()}
    if len(each) > 1:
        kinds |= {"first": each.iloc[0], "best": each.sort_values(["rank1", "mean_ap"]).iloc[-1]}
    for galleries, figures in kinds.items():
        further = steps + (galleries != "mean")
        yield {**way._asdict(), "galleries": galleries, **figures, "steps": further}


def _judged(rows: list[dict[str, Any]], claims: Sequence[Claimed], steps: int) -> pd.DataFrame:
    table = pd.DataFrame([row for row in rows if row["steps"] <= steps])
    if not len(table):
        return table
    gaps = pd.DataFrame({c.name: (100 * table[FIGURES[c.name]] - c.percent).abs() for c in claims})
    fits = [gaps[claim.name] <= claim.rounding + 1e-6 for claim in claims]
    table = table.assign(off=gaps.max(axis=1), reproduces=pd.concat(fits, axis=1).all(axis=1))
    return table.sort_values("steps", kind="stable").reset_index(drop=True)


def _figures(row: pd.Series) -> str:
    return f"rank 1 {100 * row['rank1']:6.2f}  mAP {100 * row['mean_ap']:6.2f}"


def _words(row: pd.Series) -> str:
    """A way in words."""
    split = f", split {row['split']}" if row["split"] else ""
    return (
        f"{row['search']}{split}, {row['feature']}, draw {row['draw']}, {row['shots']}-shot, "
        f"{row['scoring']}, rules {row['protocol']}, {GALLERIES[row['galleries']]}"
        f"{', flip' if row['flip'] else ''}{', re-ranked' if row['rerank'] else ''}"
    )
