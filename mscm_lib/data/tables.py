"""The table of images that every dataset, sampler and evaluator speaks of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from mscm_lib.errors import DataError

Modality = Literal["visible", "infrared"]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ImageTable:
    """N images with their labels; a row's path is relative to the dataset's root, POSIX style.

    Attributes:
        paths: (N,) relative paths, also the key into packed arrays.
        ids: (N,) person identities as the dataset numbers them.
        cams: (N,) camera numbers.
        infrared: (N,) True where the image is infrared, False where it is visible.
    """

    paths: tuple[str, ...]
    ids: IntArray
    cams: IntArray
    infrared: npt.NDArray[np.bool_]

    def __post_init__(self) -> None:
        lengths = {len(self.paths), len(self.ids), len(self.cams), len(self.infrared)}
        if len(lengths) != 1:
            raise DataError(
                f"an image table needs as many paths as ids, cams and modalities, got "
                f"{len(self.paths)}, {len(self.ids)}, {len(self.cams)}, {len(self.infrared)}"
            )

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, rows: Sequence[int] | npt.NDArray[np.generic] | slice) -> ImageTable:
        """The sub-table of ``rows``: indices, a boolean mask or a slice."""
        index = np.arange(len(self))[rows]
        return ImageTable(
            tuple(self.paths[i] for i in index),
            self.ids[index],
            self.cams[index],
            self.infrared[index],
        )

    @property
    def visible_images(self) -> ImageTable:
        """The visible rows."""
        return self[~self.infrared]

    @property
    def infrared_images(self) -> ImageTable:
        """The infrared rows."""
        return self[self.infrared]

    @classmethod
    def from_rows(cls, rows: Sequence[tuple[str, int, int, bool]]) -> ImageTable:
        """A table from (path, identity, camera, infrared) rows."""
        paths = tuple(row[0] for row in rows)
        ids = np.array([row[1] for row in rows], dtype=np.int64)
        cams = np.array([row[2] for row in rows], dtype=np.int64)
        return cls(paths, ids, cams, np.array([row[3] for row in rows], dtype=np.bool_))
