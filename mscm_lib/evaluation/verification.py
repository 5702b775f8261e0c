"""Is this the same person? Thresholds from people set apart, and how often they are wrong on others.

Every pair of an infrared and a visible image is one decision; no camera rule leaves any out.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from mscm_lib.config import RunConfig
from mscm_lib.data.base import ReidDataset
from mscm_lib.data.packed.opened import PackedDataset
from mscm_lib.data.tables import ImageTable
from mscm_lib.errors import ConfigError, ProtocolError
from mscm_lib.evaluation.embedding import Embeddings, embed_table
from mscm_lib.evaluation.rankings import trial_numbers
from mscm_lib.hardware import Hardware
from mscm_lib.metrics import Interval, bootstrap_over_identities
from mscm_lib.models import MSCMNet
from mscm_lib.thresholds import FALSE_MATCH, Thresholds

COLUMNS = [
    "infrared_camera", "visible_camera", "threshold", "people", "same_pairs", "different_pairs",
    "false_match", "false_match_low", "false_match_high", "miss", "miss_low", "miss_high",
    "false_alarm", "false_alarm_low", "false_alarm_high", "not_found", "not_found_low",
    "not_found_high", "wanted_false_match", "chosen_on", "unseen",
]  # fmt: skip
LABELS = ("ids", "cams", "infrared")
Bools = npt.NDArray[np.bool_]


class _Decisions:
    """Scores of a table's N infrared against its M visible images, with their labels."""

    def __init__(self, embeddings: Embeddings, table: ImageTable, feature: str) -> None:
        self.infrared, self.visible = table.infrared_images, table.visible_images
        a, b = (embeddings.of(part, feature).numpy() for part in (self.infrared, self.visible))
        self.scores = a @ b.T
        self.same = self.infrared.ids[:, None] == self.visible.ids

    def cameras(self) -> list[tuple[int, int]]:
        """Every (infrared, visible) pair of cameras."""
        pair = (np.unique(part.cams).tolist() for part in (self.infrared, self.visible))
        first, second = pair
        return [(i, v) for i in first for v in second]

    def accepted(self, thresholds: Thresholds) -> Bools:
        """(N, M) which pairs count as one person."""
        bounds = np.full(self.scores.shape, thresholds.anywhere)
        for cameras in self.cameras():
            bounds[np.ix_(*self.of(cameras))] = thresholds.of(*cameras)
        return np.asarray(self.scores >= bounds)

    def of(self, cameras: tuple[int, int]) -> tuple[Bools, Bools]:
        """Which infrared and which visible images a pair of cameras took."""
        return self.infrared.cams == cameras[0], self.visible.cams == cameras[1]


def lowest(scores: npt.ArrayLike, false_match: float) -> float:
    """The lowest threshold that no more than a share of (K,) scores of different people reach.

    Raises:
        ConfigError: the share is not from 0 to below 1.
        ProtocolError: there are no scores.
    """
    if not 0 <= false_match < 1:
        raise ConfigError(f"false_match = {false_match!r}: expected a share from 0 to below 1")
    scores = np.asarray(scores).ravel()
    if not len(scores):
        raise ProtocolError("no pair of different people: a threshold needs two people or more")
    first_out = len(scores) - 1 - int(false_match * len(scores))
    highest = np.partition(scores, first_out)[first_out]
    return float(np.nextafter(np.float32(highest), np.float32(np.inf)))


def choose_thresholds(
    embeddings: Embeddings,
    table: ImageTable,
    feature: str = "neck",
    false_match: float = FALSE_MATCH,
    unseen: bool = True,
) -> Thresholds:
    """The lowest thresholds at which so few pairs of different people count as one person.

    Args:
        embeddings: of the table's images.
        table: people whom no figure is reported of.
        feature: in ``embeddings``; of unit length.
        false_match: largest share of pairs; of fewer than 1 / share pairs none.
        unseen: whether the network was trained without these people.

    Raises:
        ConfigError: the share is not from 0 to below 1.
        ProtocolError: there are no infrared and visible images of different people.
    """
    found = _Decisions(embeddings, table, feature)
    anywhere = lowest(found.scores[~found.same], false_match)
    pairs = {}
    for cameras in found.cameras():
        here = np.ix_(*found.of(cameras))
        if not found.same[here].all():
            pairs[cameras] = lowest(found.scores[here][~found.same[here]], false_match)
    return Thresholds(false_match, anywhere, pairs, len(np.unique(table.ids)), unseen)


def error_rates(
    thresholds: Thresholds, embeddings: Embeddings, table: ImageTable, feature: str = "neck"
) -> pd.DataFrame:
    """How often the thresholds are wrong on other people: a row a pair of cameras, and one of all.

    ``false_match``: share of pairs of different people that count as one person. ``miss``: share of
    one person's pairs that do not. Of all cameras together, with every infrared image searched
    among all visible ones: ``false_alarm``, the share that is answered with somebody if the person
    is not there; ``not_found``, the share of those who are there that is not answered with them.
    Intervals are of 95 %, by bootstraps over people.

    Args:
        thresholds: chosen on other people.
        embeddings: of the table's images.
        table: images of both modalities.
        feature: in ``embeddings``; of unit length.

    Returns:
        Columns `COLUMNS`; rates are fractions, NaN where there is no such pair. The row of all
        cameras has camera 0.
    """
    found = _Decisions(embeddings, table, feature)
    accepted = found.accepted(thresholds)
    every = np.ones(len(found.infrared), bool), np.ones(len(found.visible), bool)
    rows = []
    for cameras in [(0, 0), *found.cameras()]:
        rows_in, columns_in = found.of(cameras) if any(cameras) else every
        here = np.ix_(rows_in, columns_in)
        same, yes = found.same[here], accepted[here]
        ids = found.infrared.ids[rows_in], found.visible.ids[columns_in]
        row = {
            "infrared_camera": cameras[0], "visible_camera": cameras[1],
            "threshold": thresholds.of(*cameras), "people": len(np.intersect1d(*ids)),
            "same_pairs": int(same.sum()), "different_pairs": int((~same).sum()),
            **_named("false_match", over_pairs_of_people(yes, *ids)),
            **_named("miss", _over_people(~yes[same], ids[0][same.nonzero()[0]])),
        }  # fmt: skip
        if not any(cameras):
            here_too = same.any(axis=1)
            unfound = ~(yes & same).any(axis=1)[here_too]
            row |= _named("false_alarm", _over_people((yes & ~same).any(axis=1), ids[0]))
            row |= _named("not_found", _over_people(unfound, ids[0][here_too]))
        rows.append(row)
    told = {
        "wanted_false_match": thresholds.false_match,
        "chosen_on": thresholds.people,
        "unseen": thresholds.unseen,
    }
    return pd.DataFrame(rows).assign(**told)[COLUMNS]


def over_pairs_of_people(
    accepted: Bools,
    infrared_ids: npt.NDArray[np.int64],
    visible_ids: npt.NDArray[np.int64],
    draws: int = 2000,
    seed: int = 0,
) -> Interval:
    """The share of accepted pairs of different people, its interval by redrawing people.

    A pair has two people, and one person is in many pairs: a pair counts as often as both of its
    people are drawn, one times the other. Redrawing pairs would give intervals that are too narrow.

    Args:
        accepted: (N, M) decisions.
        infrared_ids, visible_ids: (N,) and (M,) people.
        draws: bootstrap samples.
        seed: of the draws.

    Source: Snijders and Borgatti 1999, "Non-parametric standard errors and tests for network
    statistics", the vertex bootstrap.
    """
    people = np.union1d(infrared_ids, visible_ids)
    ones = [(ids[:, None] == people).astype(float) for ids in (infrared_ids, visible_ids)]
    yes = ones[0].T @ accepted @ ones[1]  # (P, P) accepted pairs of two people
    pairs = np.outer(ones[0].sum(axis=0), ones[1].sum(axis=0))
    np.fill_diagonal(yes, 0)
    np.fill_diagonal(pairs, 0)
    if not pairs.any():
        return Interval(np.nan, np.nan, np.nan)
    chance = np.full(len(people), 1 / len(people))
    times = np.random.default_rng(seed).multinomial(len(people), chance, size=draws).astype(float)
    counted = ((times @ pairs) * times).sum(axis=1)
    drawn = ((times @ yes) * times).sum(axis=1)[counted > 0] / counted[counted > 0]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Interval(float(yes.sum() / pairs.sum()), float(low), float(high))


def _over_people(values: Bools, ids: npt.NDArray[np.int64]) -> Interval:
    if not len(values):
        return Interval(np.nan, np.nan, np.nan)
    return bootstrap_over_identities(values, ids)


def _named(name: str, found: Interval) -> dict[str, float]:
    return {name: found.mean, f"{name}_low": found.low, f"{name}_high": found.high}


def people_set_apart(dataset: ReidDataset, config: RunConfig) -> tuple[ImageTable, bool]:
    """Training-side people to choose thresholds on, and whether the run's network is new to them.

    Those that validation holds out, whether or not they were; where these cannot be told apart,
    being one, all training people, whom the network has seen.
    """
    split = config.trial if len(dataset.training_trials) > 1 else None
    table = dataset.validation(split)
    if len(np.unique(table.ids)) > 1:
        return table, config.validation == "held-out"
    return dataset.train(trial=split), False


def people_tested(dataset: ReidDataset, config: RunConfig) -> ImageTable:
    """Every image that the first search may ask with or find, once."""
    number = trial_numbers(dataset, config)[0]
    query, pool = dataset.query(trial=number), dataset.gallery_pool(trial=number)
    new = pool[~np.isin(pool.paths, query.paths)]
    labels = (np.concatenate([getattr(t, n) for t in (query, new)]) for n in LABELS)
    return ImageTable(query.paths + new.paths, *labels)


def run_thresholds(
    net: MSCMNet,
    packed: PackedDataset,
    config: RunConfig,
    hardware: Hardware,
    false_match: float = FALSE_MATCH,
    progress: bool = True,
) -> Thresholds | None:
    """The thresholds of a run's own feature; None where its training people are too few.

    Args:
        net: the run's, where ``hardware`` computes.
        packed: the dataset.
        config: of the run; features are not flip-averaged.
        hardware: device and number format.
        false_match: see `choose_thresholds`.
        progress: show a bar.
    """
    table, unseen = people_set_apart(packed.dataset, config)
    found = embed_table(net, packed.images, table, hardware=hardware, progress=progress)
    found = found.ranked_by(config)
    try:
        return choose_thresholds(found, table, config.feature, false_match, unseen)
    except ProtocolError:
        return None
