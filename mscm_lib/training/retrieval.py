"""Retrieval while training: on held-out identities, or on the test gallery if asked for by name."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mscm_lib.config import RunConfig
from mscm_lib.data.packed.opened import PackedDataset
from mscm_lib.data.tables import ImageTable
from mscm_lib.errors import ConfigError
from mscm_lib.evaluation.embedding import embed_table
from mscm_lib.hardware import Hardware
from mscm_lib.metrics import rank_metrics
from mscm_lib.metrics.distances import negative_cosines
from mscm_lib.models import MSCMNet

COLUMNS = ("rank1", "map", "minp")


@dataclass(frozen=True)
class Search:
    """A query and the gallery that it is looked for in.

    Attributes:
        name: "validation" or "test"; the prefix of its columns in history.csv.
        query: images of one modality.
        gallery: images of the other.
    """

    name: str
    query: ImageTable
    gallery: ImageTable


@dataclass(frozen=True)
class Retrieval:
    """Measures a network every few epochs, by its neck feature g.

    Attributes:
        config: the run's parameters.
        packed: pixels and protocol.
        searches: what is searched; the last one decides which epoch is the best.
    """

    config: RunConfig
    packed: PackedDataset
    searches: tuple[Search, ...]

    def due(self, epoch: int) -> bool:
        """Whether ``epoch`` (from 0) ends with a measurement: every n-th and the last one do."""
        done = epoch + 1
        return done % self.config.validate_every == 0 or done == self.config.epochs

    def measure(self, network: MSCMNet, hardware: Hardware) -> dict[str, float]:
        """Rank-1, mAP and mINP of each search, as fractions; leaves the network in test mode."""
        network.eval()
        figures: dict[str, float] = {}
        for search in self.searches:
            table = _together(search.query, search.gallery)
            embeddings = embed_table(
                network, self.packed.images, table, hardware=hardware, progress=False
            )
            query = embeddings.of(search.query, "neck")
            found = rank_metrics(
                negative_cosines(query, embeddings.of(search.gallery, "neck")),
                search.query.ids,
                search.gallery.ids,
                search.query.cams,
                search.gallery.cams,
                self.packed.dataset.protocol,
            )
            values = (found.rank(1), found.mean_ap, found.mean_inp)
            figures |= {f"{search.name}_{n}": v for n, v in zip(COLUMNS, values, strict=True)}
        return figures

    def score(self, figures: dict[str, float]) -> float:
        """The rank-1 that the choice of the epoch goes by."""
        return figures[f"{self.searches[-1].name}_rank1"]


def build_retrieval(config: RunConfig, packed: PackedDataset) -> Retrieval | None:
    """The retrieval that ``config`` asks for; None where it asks for none.

    - ``validation = "held-out"``: every image of the held-out identities, one modality searching
      all of the other, in the direction of the dataset's first search.
    - ``selection = "best-test"``: the dataset's first search, single-shot, in the first gallery
      (RegDB: in the run's own split). This is what the release selects by; a figure selected so
      is optimistic, and is labelled by this rule wherever it stands.

    Raises:
        ConfigError: nothing is held out to validate on.
    """
    if not config.validate_every:
        return None
    searches = []
    if config.validation == "held-out":
        searches.append(_validation(config, packed))
    if config.selection == "best-test":
        searches.append(_test(config, packed))
    if not searches:
        raise ConfigError(
            f"validate_every = {config.validate_every} with validation = 'merged': no identity is "
            "held out to validate on; set validation = 'held-out', or validate_every = 0"
        )
    return Retrieval(config, packed, tuple(searches))


def _validation(config: RunConfig, packed: PackedDataset) -> Search:
    dataset = packed.dataset
    table = dataset.validation(trial=config.trial)
    query_is_infrared = bool(dataset.query(trial=_split(config, packed)).infrared.all())
    if query_is_infrared:
        return Search("validation", table.infrared_images, table.visible_images)
    return Search("validation", table.visible_images, table.infrared_images)


def _test(config: RunConfig, packed: PackedDataset) -> Search:
    split = _split(config, packed)
    query = packed.dataset.query(trial=split)
    return Search("test", query, packed.dataset.gallery(trial=split, draw=config.draw, shots=1))


def _split(config: RunConfig, packed: PackedDataset) -> int | None:
    """RegDB's split; elsewhere a trial is a gallery, and the first one is meant."""
    return config.trial if len(packed.dataset.training_trials) > 1 else None


def _together(first: ImageTable, second: ImageTable) -> ImageTable:
    """The rows of both."""
    return ImageTable(
        first.paths + second.paths,
        np.concatenate([first.ids, second.ids]),
        np.concatenate([first.cams, second.cams]),
        np.concatenate([first.infrared, second.infrared]),
    )
