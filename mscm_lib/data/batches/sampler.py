"""Which images a step sees: P identities, K images of each modality."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mscm_lib.data.batches.counters import Purpose, uniforms
from mscm_lib.data.tables import ImageTable
from mscm_lib.errors import ConfigError

Rows = npt.NDArray[np.int64]


class BatchRows(NamedTuple):
    """The rows of one step, identity by identity; entry i of all three is of one identity.

    Attributes:
        visible: (B,) rows of the training table that hold visible images.
        infrared: (B,) rows of the training table that hold infrared images.
        labels: (B,) class of each pair, an index into `IdentitySampler.identities`.
    """

    visible: Rows
    infrared: Rows
    labels: Rows


class IdentitySampler:
    """Draws P different identities a step, then K images of each modality with replacement.

    A step's draw depends on seed, epoch and step alone, so a run resumes anywhere without stored
    state, and neither workers nor processes change what is drawn. Each of W processes gets P / W
    identities of the same global batch, in order of rank.

    Source: section "Training" of arXiv 2311.14395; an epoch has ⌊max(#visible, #infrared) / (P·K)⌋
    steps as in the public release.

    Args:
        table: training images of both modalities.
        identities_per_batch: P, over all processes.
        images_per_identity: K, per modality.
        seed: of the run.
        steps: steps of an epoch; 0 for the release's length.
        rank: this process's number, from 0.
        world_size: W; must divide P.

    Attributes:
        identities: (N,) the dataset's numbers of the identities that have both modalities, sorted:
            the classes of the training. Identities seen by one modality only are never drawn.

    Raises:
        ConfigError: the table cannot fill a batch or an epoch, or W does not divide P.
    """

    def __init__(
        self,
        table: ImageTable,
        identities_per_batch: int,
        images_per_identity: int,
        seed: int,
        steps: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.identities_per_batch = identities_per_batch
        self.images_per_identity = images_per_identity
        self.seed = seed
        self.identities: Rows = np.intersect1d(
            table.ids[~table.infrared], table.ids[table.infrared]
        )
        if identities_per_batch < 1 or images_per_identity < 1:
            raise ConfigError(
                f"identities_per_batch = {identities_per_batch!r}, images_per_identity = "
                f"{images_per_identity!r}: expected 1 or more of each"
            )
        if len(self.identities) < identities_per_batch:
            raise ConfigError(
                f"identities_per_batch = {identities_per_batch!r}: the training images have only "
                f"{len(self.identities)} identities with both visible and infrared images; choose "
                f"at most {len(self.identities)}"
            )
        if world_size < 1 or identities_per_batch % world_size or not 0 <= rank < world_size:
            raise ConfigError(
                f"identities_per_batch = {identities_per_batch!r} cannot be dealt evenly to "
                f"{world_size} processes (rank {rank}); choose a multiple of {world_size}"
            )
        pairs = identities_per_batch * images_per_identity
        infrared = int(table.infrared.sum())
        self.steps = steps or max(len(table) - infrared, infrared) // pairs
        if self.steps < 1:
            raise ConfigError(
                f"an epoch of {len(table) - infrared} visible and {infrared} infrared images has "
                f"no whole batch of {pairs} images a modality; choose smaller identities_per_batch "
                "or images_per_identity, or give steps_per_epoch"
            )
        share = identities_per_batch // world_size
        self._dealt = slice(rank * share, (rank + 1) * share)
        self._visible = _Shelf(table.ids, np.flatnonzero(~table.infrared), self.identities)
        self._infrared = _Shelf(table.ids, np.flatnonzero(table.infrared), self.identities)

    def __len__(self) -> int:
        """Steps of an epoch."""
        return self.steps

    @property
    def first(self) -> int:
        """Position in the global batch of this process's first pair."""
        return self._dealt.start * self.images_per_identity

    def batch(self, epoch: int, step: int) -> BatchRows:
        """This process's rows of one step, B = P·K / W pairs, by identity in the order drawn."""
        people, each = self.identities_per_batch, self.images_per_identity
        chosen, numbers = self._choose(epoch, step)
        images = numbers.reshape(2, people, each)[:, self._dealt]  # (2, P/W, K)
        labels = chosen[self._dealt]
        return BatchRows(
            visible=self._visible.pick(labels, images[0]),
            infrared=self._infrared.pick(labels, images[1]),
            labels=np.repeat(labels, each),
        )

    def identities_in(self, epoch: int, step: int) -> Rows:
        """(P,) the dataset's numbers of the identities in a step, over all processes, sorted."""
        return np.sort(self.identities[self._choose(epoch, step)[0]])

    def batches(self, epoch: int, start: int = 0) -> Iterator[BatchRows]:
        """The steps of an epoch from ``start`` on."""
        for step in range(start, self.steps):
            yield self.batch(epoch, step)

    def _choose(self, epoch: int, step: int) -> tuple[Rows, npt.NDArray[np.float64]]:
        """(P,) classes of the global batch, and (2·P·K,) uniform numbers that choose images."""
        people, classes = self.identities_per_batch, len(self.identities)
        count = classes + 2 * people * self.images_per_identity
        numbers = uniforms(Purpose.BATCHES, self.seed, (epoch, step), count)
        # the P smallest of one number a class: P different classes, all choices equally likely
        return np.argsort(numbers[:classes], kind="stable")[:people], numbers[classes:]


class _Shelf:
    """One modality's rows, sorted by class, so that a draw is arithmetic on whole arrays."""

    def __init__(self, ids: Rows, rows: Rows, identities: Rows) -> None:
        rows = rows[np.isin(ids[rows], identities)]
        rows = rows[np.argsort(ids[rows], kind="stable")]
        self._rows = rows
        self._starts = np.searchsorted(ids[rows], identities)
        self._counts = np.append(self._starts[1:], len(rows)) - self._starts

    def pick(self, labels: Rows, numbers: npt.NDArray[np.float64]) -> Rows:
        """(P, K) uniform numbers in [0, 1) → (P·K,) rows, row p of ``numbers`` for class p."""
        within = (numbers * self._counts[labels][:, None]).astype(np.int64)
        return self._rows[(self._starts[labels][:, None] + within).ravel()]
