"""What a dataset knows, apart from its rules: images, subsets, permutations; to and from JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mscm_lib.data.draws import Permutations
from mscm_lib.data.tables import ImageTable, IntArray


@dataclass(frozen=True)
class Subset:
    """Images that belong together: ``rows`` (n,) of the image table, ``ids`` (n,) their labels."""

    rows: IntArray
    ids: IntArray


@dataclass(frozen=True)
class Content:
    """All that a dataset knows.

    Attributes:
        images: every image that any table can name, once, in the order of packed arrays.
        subsets: by name; what names there are is the layout's business.
        permutations: of SYSU-MM01's official galleries; empty elsewhere.
        split_files: relative paths of the files that say what belongs where.
    """

    images: ImageTable
    subsets: Mapping[str, Subset]
    permutations: Permutations = field(default_factory=dict)
    split_files: tuple[str, ...] = ()

    def table(self, key: str) -> ImageTable:
        """The images of a subset, with the labels that it gives them."""
        subset = self.subsets[key]
        table = self.images[subset.rows]
        return ImageTable(table.paths, subset.ids, table.cams, table.infrared)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as JSON keeps them."""
        images = self.images
        return {
            "images": {
                "path": list(images.paths),
                "id": images.ids.tolist(),
                "cam": images.cams.tolist(),
                "infrared": images.infrared.astype(int).tolist(),
            },
            "subsets": {
                key: {"rows": subset.rows.tolist(), "ids": subset.ids.tolist()}
                for key, subset in self.subsets.items()
            },
            "permutations": [
                [camera, identity, permutation.tolist()]
                for (camera, identity), permutation in self.permutations.items()
            ],
            "split_files": list(self.split_files),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Content:
        """The content that `as_dict` gave; raises KeyError, TypeError or ValueError if damaged."""
        columns = values["images"]
        images = ImageTable(
            tuple(columns["path"]),
            np.array(columns["id"], dtype=np.int64),
            np.array(columns["cam"], dtype=np.int64),
            np.array(columns["infrared"], dtype=np.bool_),
        )
        subsets = {
            key: Subset(np.array(s["rows"], dtype=np.int64), np.array(s["ids"], dtype=np.int64))
            for key, s in values["subsets"].items()
        }
        permutations = {
            (camera, identity): np.array(rows, dtype=np.int64)
            for camera, identity, rows in values["permutations"]
        }
        return cls(images, subsets, permutations, tuple(values["split_files"]))
