"""What evaluations in this field leave unsaid, switched one thing at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor
from torch.nn import functional

from mscm_lib.config import RunConfig
from mscm_lib.data.base import ReidDataset
from mscm_lib.data.batches import pixels, views
from mscm_lib.data.packed.opened import PackedDataset
from mscm_lib.evaluation.embedding import Embeddings, Transform, embed_table
from mscm_lib.evaluation.rankings import Figures, Scorings, Trial, rank_all, rank_search, trials
from mscm_lib.hardware import Hardware
from mscm_lib.models import MSCMNet
from mscm_lib.protocols import PROTOCOLS, ProtocolName, protocol_named

COLUMNS = [
    "question", "choice", "rank1", "rank1_low", "rank1_high", "rank10", "mean_ap", "mean_ap_low",
    "mean_ap_high", "mean_inp", "gallery_trials", "valid_queries",
]  # fmt: skip
PLAIN = {"draw": "agw", "shots": 1, "rerank": False, "feature": "neck"}
"""What every switch starts from."""


@dataclass(frozen=True)
class Choice:
    """One answer to one question.

    Attributes:
        question: what is chosen, for example "gallery draw".
        name: of the answer; empty where the rows' scorings are the answers.
        changes: of the run's parameters.
        protocol: whose rules apply; None: the dataset's.
        scorings: by search; None: the dataset's.
        search: whose row is taken; "": the dataset's first.
    """

    question: str
    name: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    protocol: ProtocolName | None = None
    scorings: Scorings | None = None
    search: str = ""


def choices(dataset: ReidDataset, config: RunConfig) -> Iterator[Choice]:
    """Every answer that ``dataset`` allows, question by question; the first is the plain one."""
    for draw in dataset.draws:
        yield Choice("gallery draw", draw, {"draw": draw})
    for shots in dataset.shots:
        yield Choice("shots", f"{shots} an identity and camera", {"shots": shots})
    if len(dataset.training_trials) == 1:
        yield Choice("galleries", f"mean of {config.gallery_trials}")
        yield Choice("galleries", "the first one alone", {"gallery_trials": 1})
    yield Choice("feature", "neck")
    yield Choice("feature", "pooled", {"feature": "pooled"})
    yield Choice("feature", "mix, half of each", {"feature": "mix", "mix_weight": 0.5})
    yield Choice("re-ranking", "none")
    yield Choice("re-ranking", "k-reciprocal (20, 6, 0.3)", {"rerank": True})
    own = protocol_named(dataset.protocol)
    for rules in (own, *(each for each in PROTOCOLS.values() if each is not own)):
        counted = "identities" if rules.unique_identities else "images"
        name = f"{rules.name}: drops {rules.drops}, CMC over {counted}"
        yield Choice("rule", name, protocol=rules.name)
    yield from _scorings(dataset)


def _scorings(dataset: ReidDataset) -> Iterator[Choice]:
    """LLCM's two scorings; elsewhere they are tried on the first search, under LLCM's rule."""
    if dataset.scorings:
        yield Choice("scoring", "", search=next(iter(dataset.scorings)))
    elif dataset.protocol != "regdb":  # whose galleries are not drawn
        search = dataset.searches[0]
        ways = {search: ("direct", "swapped")}
        yield Choice("scoring", "", protocol="llcm", scorings=ways, search=search)


def switch(dataset: ReidDataset, config: RunConfig, embeddings: Embeddings) -> pd.DataFrame:
    """Rank by cached features under every choice, all else plain (see `PLAIN`).

    Args:
        dataset: that the features are of.
        config: of the run; says how many galleries are averaged.
        embeddings: of every image that any gallery may hold, neck and pooled.

    Returns:
        A row a choice, columns `COLUMNS`, as fractions. A question to which the dataset allows one
        answer only has no row.
    """
    embeddings = embeddings.with_mix(0.5)
    rows: list[dict[str, Any]] = []
    for choice in choices(dataset, config):
        run = config.replace(**{**PLAIN, **choice.changes})
        figures = rank_all(
            dataset, run, embeddings, (run.feature,), {"flip": False}, choice.protocol,
            choice.scorings,
        )  # fmt: skip
        rows += _taken(figures, choice, run, choice.search or dataset.searches[0])
    table = pd.DataFrame(rows)[COLUMNS]
    return table[table.groupby("question")["choice"].transform("size") > 1].reset_index(drop=True)


def _taken(
    figures: Figures, choice: Choice, config: RunConfig, search: str
) -> Iterator[dict[str, Any]]:
    for row in figures.rows:
        if row["search"] == search and row["rerank"] == config.rerank:
            name = choice.name or f"{row['scoring']}: {row['direction']}"
            yield {**row, "question": choice.question, "choice": name}


def _scaled(images: Tensor) -> Tensor:
    return pixels.planes(images).float() / 255


def _reversed(images: Tensor) -> Tensor:
    return views.test_transform(images.flip(3))


def _resized(images: Tensor) -> Tensor:
    x = views.test_transform(images)  # (B, 3, H, W)
    half = functional.interpolate(x, scale_factor=0.5, mode="bilinear", antialias=True)
    return functional.interpolate(half, size=x.shape[2:], mode="bilinear")


PREPROCESSING: dict[str, Transform] = {
    "as in training": views.test_transform,
    "blue and red exchanged (BGR)": _reversed,
    "scaled to [0, 1], not normalised": _scaled,
    "stored at half the size": _resized,
}
"""Ways of handing an image to the network, the right one first."""


def embed_again(
    net: MSCMNet,
    packed: PackedDataset,
    config: RunConfig,
    hardware: Hardware,
    images: int,
) -> pd.DataFrame:
    """What features do not keep: preprocessing and flip averaging, on some of the people.

    Args:
        net: the run's network, where ``hardware`` computes.
        packed: the dataset.
        config: of the run.
        hardware: device and number format.
        images: how many are embedded at most, whole people at a time.

    Returns:
        As `switch`; all rows are of the same people.
    """
    plain = config.replace(**PLAIN)
    search = packed.dataset.searches[0]
    group = _some_people(packed.dataset, plain, images)
    tables = [table for trial in group for table in (trial.query, trial.gallery)]
    wanted = {path for table in tables for path in table.paths}
    every = packed.dataset.images
    table = every[np.array([path in wanted for path in every.paths])]
    ways: list[tuple[str, str, Transform, bool]] = [
        ("preprocessing", name, transform, False) for name, transform in PREPROCESSING.items()
    ]
    ways += [("flip", "none", views.test_transform, False)]
    ways += [("flip", "averaged", views.test_transform, True)]
    rows: list[dict[str, Any]] = []
    for question, name, transform, flip in ways:
        found = embed_table(
            net, packed.images, table, flip=flip, hardware=hardware, progress=False,
            transform=transform,
        )  # fmt: skip
        figures = rank_search(
            group, plain, found, ("neck",), {"flip": flip}, packed.dataset.protocol
        )
        rows += _taken(figures, Choice(question, name), plain, search)
    return pd.DataFrame(rows)[COLUMNS]


def _some_people(dataset: ReidDataset, config: RunConfig, images: int) -> list[Trial]:
    """The first search among as many people as have no more than ``images`` images together."""
    group = [t for t in trials(dataset, config) if t.search == dataset.searches[0]]
    named = {
        path: identity
        for trial in group
        for table in (trial.query, trial.gallery)
        for path, identity in zip(table.paths, table.ids.tolist(), strict=True)
    }
    people, counts = np.unique(list(named.values()), return_counts=True)
    order = np.random.default_rng(0).permutation(len(people))
    chosen = people[order[: max(2, int((np.cumsum(counts[order]) <= images).sum()))]]
    return [
        replace(
            trial,
            query=trial.query[np.isin(trial.query.ids, chosen)],
            gallery=trial.gallery[np.isin(trial.gallery.ids, chosen)],
        )
        for trial in group
    ]
