"""SYSU-MM01: ``camC/PPPP/NNNN.jpg``, identities in ``exp/*_id.txt``, permutations in a .mat file.

Cameras 1, 2, 4 and 5 are visible, 3 and 6 infrared; 1, 2 and 3 hang indoors. Infrared test images
query galleries of visible ones (A. Wu et al., ICCV 2017).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mscm_lib.data.base import ReidDataset
from mscm_lib.data.content import Content, Subset
from mscm_lib.data.faults import Findings
from mscm_lib.data.layouts.listing import (
    IDENTITY_FOLDER,
    Tree,
    read_identities,
    report_identity_folders,
    report_missing,
    report_outside,
    scan,
)
from mscm_lib.data.layouts.permutations import PERMUTATION_FILE, read_permutations
from mscm_lib.data.tables import ImageTable, IntArray

VISIBLE, INFRARED, INDOOR = (1, 2, 4, 5), (3, 6), (1, 2)
SPLITS = ("train", "val", "test")


class SysuDataset(ReidDataset):
    """SYSU-MM01; searches ``all`` (cameras 1, 2, 4, 5) and ``indoor`` (cameras 1, 2)."""

    name = "sysu"
    protocol = "sysu"
    searches = ("all", "indoor")
    draws = ("agw", "official")
    shots = (1, 10)

    @classmethod
    def read(cls, root: Path, findings: Findings) -> SysuDataset:
        """See `ReidDataset.read`."""
        tree = scan(root, findings)
        split = {name: read_identities(root, split_file(name), findings) for name in SPLITS}
        _report_overlaps(split, findings)
        everybody = sorted(set().union(*split.values()))
        images = _image_table(tree, set(everybody))
        _report_structure(tree, images, split, findings)
        report_outside(tree, set(images.paths), findings)
        subsets = {}
        for name, identities in split.items():
            rows = np.flatnonzero(np.isin(images.ids, identities))
            subsets[name] = Subset(rows, images.ids[rows])
        pool = images[np.isin(images.ids, split["test"]) & ~images.infrared]
        permutations = read_permutations(root, pool, findings)
        files = (*map(split_file, SPLITS), PERMUTATION_FILE)
        present = tuple(file for file in files if (root / file).is_file())
        return cls(root, Content(images, subsets, permutations, present))

    def _training(self, trial: int) -> ImageTable:
        train, val = self.content.subsets["train"].rows, self.content.subsets["val"].rows
        return self.images[np.sort(np.concatenate([train, val]))]

    def _held_out(self, table: ImageTable, trial: int) -> IntArray:
        return np.unique(self.content.subsets["val"].ids)

    def query(self, search: str | None = None, trial: int | None = None) -> ImageTable:
        """Every infrared test image, in either search and every trial."""
        self._search(search)
        self._trial(trial)
        return self._filled(self._subset("test").infrared_images, "infrared test")

    def gallery_pool(self, search: str | None = None, trial: int | None = None) -> ImageTable:
        """Every test image of the search's visible cameras."""
        cameras = INDOOR if self._search(search) == "indoor" else VISIBLE
        self._trial(trial)
        test = self._subset("test")
        return self._filled(test[np.isin(test.cams, cameras)], "visible test")


def split_file(name: str) -> str:
    """Relative path of a split's identity list."""
    return f"exp/{name}_id.txt"


def _image_table(tree: Tree, identities: set[int]) -> ImageTable:
    """Every image of the identities in cameras 1 to 6, by identity, camera and name."""
    rows = []
    for path in tree.images:
        parts = path.split("/")
        if len(parts) != 3 or not IDENTITY_FOLDER.fullmatch(parts[1]):
            continue
        for camera in (*VISIBLE, *INFRARED):
            if parts[0] == f"cam{camera}" and int(parts[1]) in identities:
                rows.append((path, int(parts[1]), camera, camera in INFRARED))
    return ImageTable.from_rows(sorted(rows, key=lambda row: (row[1], row[2], row[0])))


def _report_overlaps(split: dict[str, list[int]], findings: Findings) -> None:
    for first, second in (("train", "val"), ("train", "test"), ("val", "test")):
        for identity in sorted(set(split[first]) & set(split[second])):
            findings.fatal(
                split_file(second),
                f"identity {identity} is also in {split_file(first)}",
                "use the split files of one release: nobody may be in two splits",
            )


def _report_structure(
    tree: Tree, images: ImageTable, split: dict[str, list[int]], findings: Findings
) -> None:
    for camera in sorted((*VISIBLE, *INFRARED)):
        folder = f"cam{camera}"
        if folder not in tree.folders:
            report_missing(tree, folder, "the camera's folder is missing", findings)
        elif not any(path.startswith(f"{folder}/") for path in tree.images):
            findings.error(folder, "the camera has no image", "unpack the release again")
        report_identity_folders(tree, folder, findings)
    filled = {path.rpartition("/")[0] for path in tree.images}
    for folder in sorted(tree.folders - filled):
        if folder.startswith("cam") and folder.count("/") == 1:
            findings.warning(
                folder,
                "holds no image",
                "remove the folder if the release does not have it: the field's code fails on it",
            )
    for path in tree.others:
        if path.startswith("cam"):
            findings.warning(
                path,
                "is no image and left out of the file lists",
                "remove it: the field's code would draw it into a gallery",
            )
    _report_people(images, split, findings)


def _report_people(images: ImageTable, split: dict[str, list[int]], findings: Findings) -> None:
    visible = set(images.ids[~images.infrared].tolist())
    infrared = set(images.ids[images.infrared].tolist())
    effects = {
        "train": "it is never drawn",
        "val": "it is never drawn",
        "test": "it does not count",
    }
    findings.alike(
        "fatal",
        [
            (f"{split_file(name)}, identity {identity}", "has no image in any camera")
            for name, identities in split.items()
            for identity in identities
            if identity not in visible | infrared
        ],
        "restore its folders",
    )
    for name, identities in split.items():
        for identity in identities:
            where = f"{split_file(name)}, identity {identity}"
            if identity in visible ^ infrared:
                lacks = "visible" if identity not in visible else "infrared"
                message = f"has no {lacks} image, so {effects[name]}"
                findings.warning(where, message, "restore its folders")
    pool = images[np.isin(images.ids, split["test"]) & ~images.infrared]
    cells, counts = np.unique(np.stack([pool.cams, pool.ids]), axis=1, return_counts=True)
    for (camera, identity), count in zip(cells.T.tolist(), counts.tolist(), strict=True):
        if count < max(SysuDataset.shots):
            findings.warning(
                f"cam{camera}/{identity:04d}",
                f"has {count} images; a multi-shot gallery draws {max(SysuDataset.shots)} from it",
                "restore the others; until then the gallery takes all that are there",
            )
