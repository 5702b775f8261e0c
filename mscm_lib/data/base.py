"""What every dataset offers: training images, queries, galleries, a fingerprint, a manifest.

A dataset here is a list of images with labels and nothing else: no pixel is read.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from mscm_lib.data.content import Content
from mscm_lib.data.draws import agw_draw, official_draw
from mscm_lib.data.faults import Findings
from mscm_lib.data.fingerprints import tree_fingerprint
from mscm_lib.data.tables import ImageTable, IntArray
from mscm_lib.errors import ConfigError, DataError

HELD_OUT_SHARE = 0.2  # of the training identities, where the dataset names none for validation


class ReidDataset(ABC):
    """A visible-infrared re-identification dataset.

    Tables name images by paths relative to ``root``, POSIX style: ``dataset.root / path`` opens
    one, and the same string is its key in packed arrays. Identities and cameras are numbered as
    the dataset's own files number them.

    Attributes:
        name: the key it is opened by.
        protocol: whose evaluation rules apply, or rules spelt out; see `mscm_lib.metrics`.
        searches: directions or modes of retrieval; the first is the default.
        draws: how galleries may be drawn.
        shots: images of each identity and camera that a gallery may have.
        scorings: by search, the ways in which its matrix is scored in print.
        as_shown: whether pictures are packed as a viewer shows them, or as they are stored.
        training_trials: splits that one can train on.
        trials: galleries or splits that one can test on.
        root: the dataset's folder; need not exist where the dataset comes from a manifest.
        content: the lists behind the tables.
    """

    name: ClassVar[str]
    protocol: str
    searches: tuple[str, ...]
    draws: tuple[str, ...] = ("agw",)
    shots: tuple[int, ...] = (1,)
    scorings: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    as_shown: ClassVar[bool] = False

    def __init__(self, root: Path | str, content: Content, fingerprint: str = "") -> None:
        self.root = Path(root)
        self.content = content
        self._fingerprint = fingerprint

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.root)!r}, {len(self.content.images)} images)"

    # --- what the layouts add

    @classmethod
    @abstractmethod
    def read(cls, root: Path, findings: Findings) -> ReidDataset:
        """The dataset under the folder ``root``; for callers of `read_tree`."""

    @abstractmethod
    def _training(self, trial: int) -> ImageTable:
        """Every training image of a split."""

    @abstractmethod
    def query(self, search: str | None = None, trial: int | None = None) -> ImageTable:
        """The query images of a search (None: the first) in a trial (None: the first).

        Raises:
            ConfigError: no such search or trial.
            DataError: there is no such image in the dataset.
        """

    @abstractmethod
    def gallery_pool(self, search: str | None = None, trial: int | None = None) -> ImageTable:
        """Every image that the gallery of a search may be drawn from, in any trial.

        Raises:
            ConfigError: no such search or trial.
            DataError: there is no such image in the dataset.
        """

    # --- what all share

    @property
    def training_trials(self) -> Sequence[int]:
        """Splits that one can train on; a single one except on RegDB."""
        return (0,)

    @property
    def trials(self) -> Sequence[int]:
        """Trials that one can test on."""
        return range(10)

    @property
    def images(self) -> ImageTable:
        """Every image that any table can name, once, in the order of packed arrays."""
        return self.content.images

    def train(self, validation: str = "merged", trial: int | None = None) -> ImageTable:
        """The training images of both modalities.

        Args:
            validation: ``merged``: every training identity, as the field trains; ``held-out``:
                without those that `validation` gives.
            trial: one of ``training_trials``; None: the first.

        Raises:
            ConfigError: another value of ``validation`` or no such trial.
            DataError: no image is left.
        """
        check("validation", validation, ("merged", "held-out"))
        table = self._training(self._training_trial(trial))
        if validation == "held-out":
            held_out = self._held_out(table, self._training_trial(trial))
            table = table[~np.isin(table.ids, held_out)]
        return self._filled(table, f"training ({validation})")

    def validation(self, trial: int | None = None) -> ImageTable:
        """The images of the identities that ``train(validation="held-out")`` leaves out.

        SYSU-MM01 names them in ``exp/val_id.txt``. Elsewhere they are a fifth of the training
        identities, the same at every call.

        Raises:
            ConfigError: no such trial.
            DataError: no image of such identities is there.
        """
        trial = self._training_trial(trial)
        table = self._training(trial)
        return self._filled(table[np.isin(table.ids, self._held_out(table, trial))], "validation")

    def gallery(
        self,
        search: str | None = None,
        trial: int | None = None,
        draw: str = "agw",
        shots: int = 1,
    ) -> ImageTable:
        """The gallery of a search in a trial.

        Args:
            search: one of ``searches``; None: the first.
            trial: one of ``trials``; None: the first.
            draw: one of ``draws``; see `mscm_lib.data.draws`.
            shots: one of ``shots``, images of each identity and camera.

        Raises:
            ConfigError: an argument is none of those; the message names them.
            DataError: the images or permutations that the draw needs are not there.
        """
        check("draw", draw, self.draws)
        check("shots", shots, self.shots)
        return self._drawn(self.gallery_pool(search, trial), self._trial(trial), draw, shots)

    def fingerprint(self, contents: bool = False) -> str:
        """SHA-256 over what the dataset consists of, as 64 hex digits; see `tree_fingerprint`.

        Args:
            contents: hash every byte of every image instead of their sizes.

        Raises:
            DataError: an image or split file is gone, or ``contents`` of a dataset without a tree.
        """
        if contents or not self._fingerprint:
            if not self.root.is_dir():
                raise DataError(f"{self.root}: no such folder; a fingerprint needs the images")
            paths, splits = self.images.paths, self.content.split_files
            found = tree_fingerprint(
                self.name, self.root, paths, splits, rules=self._rules(), contents=contents
            )
            if contents:
                return found
            self._fingerprint = found
        return self._fingerprint

    def manifest(self) -> dict[str, Any]:
        """All that `dataset_from_manifest` needs, as plain values that JSON can hold."""
        return {
            "name": self.name,
            "protocol": self.protocol,
            "fingerprint": self.fingerprint(),
            **self.content.as_dict(),
        }

    @classmethod
    def from_manifest(cls, manifest: Mapping[str, Any], root: Path) -> ReidDataset:
        """The dataset that `manifest` describes; ``root`` is where its images were or are."""
        return cls(root, Content.from_dict(manifest), manifest["fingerprint"])

    # --- for the layouts

    def _drawn(self, pool: ImageTable, trial: int, draw: str, shots: int) -> ImageTable:
        """The gallery that ``draw`` takes from ``pool``."""
        if draw == "official":
            return official_draw(pool, trial, shots, self.content.permutations)
        return agw_draw(pool, trial, shots)

    def _rules(self) -> str:
        """What the fingerprint holds beside files."""
        return ""

    def _subset(self, key: str) -> ImageTable:
        """The images of a subset, with the labels that it gives them."""
        return self.content.table(key)

    def _held_out(self, table: ImageTable, trial: int) -> IntArray:
        """Identities held out for validation among those of a split's training table."""
        identities = np.unique(table.ids).tolist()
        if len(identities) < 2:
            raise DataError(
                f"{self.root}: {len(identities)} training identities; holding some out for "
                "validation needs two or more"
            )
        count = max(1, round(HELD_OUT_SHARE * len(identities)))
        return np.array(sorted(random.Random(0).sample(identities, count)), dtype=np.int64)

    def _search(self, search: str | None) -> str:
        if search is None:
            return self.searches[0]
        check("search", search, self.searches)
        return search

    def _trial(self, trial: int | None) -> int:
        if trial is None:
            return self.trials[0]
        check("trial", trial, self.trials)
        return int(trial)

    def _training_trial(self, trial: int | None) -> int:
        if trial is None:
            return self.training_trials[0]
        check("trial", trial, self.training_trials)
        return int(trial)

    def _filled(self, table: ImageTable, what: str) -> ImageTable:
        if not len(table):
            raise DataError(
                f"{self.root}: no {what} image is there; see what is missing with: "
                f'mscm doctor {self.name} "{self.root}"'
            )
        return table


def check(key: str, value: object, allowed: Sequence[object]) -> None:
    """Raise a `ConfigError` naming what is allowed, unless ``value`` is."""
    if isinstance(value, bool) or value not in allowed:
        names = ", ".join(repr(option) for option in allowed)
        raise ConfigError(f"{key} = {value!r}: expected one of {names}")
