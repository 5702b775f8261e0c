"""LLCM: label lists to train on, ``test_vis/camC/PPPP`` and ``test_nir/camC/PPPP`` to test on.

``idx/train_vis.txt`` and ``idx/train_nir.txt`` have lines ``path label``; ``idx/test_id.txt`` one
line of comma-separated identities. File names are free (Y. Zhang, H. Wang, CVPR 2023).
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import ClassVar

import numpy as np

from mscm_lib.data.base import ReidDataset
from mscm_lib.data.content import Content, Subset
from mscm_lib.data.faults import Findings
from mscm_lib.data.layouts.listed import LabelLine, Listed
from mscm_lib.data.layouts.listing import (
    AGAIN,
    IDENTITY_FOLDER,
    Tree,
    folder_camera,
    folder_identity,
    read_identities,
    report_identity_folders,
    report_missing,
    report_outside,
    scan,
)
from mscm_lib.data.tables import ImageTable

# The release has no infrared image of camera 3, and the field's code does not look for one.
CAMERAS = {"vis": (1, 2, 3, 4, 5, 6, 7, 8, 9), "nir": (1, 2, 4, 5, 6, 7, 8, 9)}
SPLIT_FILES = ("idx/train_vis.txt", "idx/train_nir.txt", "idx/test_id.txt")
_CAMERA_IN_NAME = re.compile(r"(?:^|_)c0*(\d+)(?=_|\.)")
Row = tuple[str, int, int, bool]


class LlcmDataset(ReidDataset):
    """LLCM; the gallery is one image of each identity and camera, drawn as in ``agw``.

    ``visible-to-infrared`` is scored in two ways that do not compare: ``direct``, where every
    visible image queries the drawn infrared gallery, and ``swapped``, where the drawn infrared
    images query all visible ones.
    """

    name = "llcm"
    protocol = "llcm"
    searches = ("infrared-to-visible", "visible-to-infrared")
    scorings: ClassVar = {"visible-to-infrared": ("direct", "swapped")}

    @classmethod
    def read(cls, root: Path, findings: Findings) -> LlcmDataset:
        """See `ReidDataset.read`."""
        tree = scan(root, findings)
        listed = Listed(tree)
        train = {kind: listed.labels(f"idx/train_{kind}.txt", findings) for kind in ("vis", "nir")}
        listed.report(findings, "fatal")
        tested = read_identities(root, "idx/test_id.txt", findings)
        # By path, so that a line that is there twice is one image.
        train_rows = {
            line.path: (line.path, line.label, _training_camera(line.path), kind == "nir")
            for kind, lines in train.items()
            for line in lines
        }
        test_rows = _test_rows(tree, set(tested))
        if not listed.broken:  # or labels would seem to be missing that are only unreadable
            _report_training(train, tested, findings)
        _report_test(tree, test_rows, tested, findings)
        images = ImageTable.from_rows([*train_rows.values(), *test_rows])
        report_outside(tree, set(images.paths), findings)
        row_of = {path: row for row, path in enumerate(train_rows)}
        lines = [*train["vis"], *train["nir"]]
        test = np.arange(len(train_rows), len(images))
        subsets = {
            "train": Subset(
                np.array([row_of[line.path] for line in lines], dtype=np.int64),
                np.array([line.label for line in lines], dtype=np.int64),
            ),
            "test": Subset(test, images.ids[test]),
        }
        return cls(root, Content(images, subsets, split_files=SPLIT_FILES))

    def _training(self, trial: int) -> ImageTable:
        return self._subset("train")

    def _test(self, modality: str) -> ImageTable:
        test = self._subset("test")
        table = test.infrared_images if modality == "infrared" else test.visible_images
        return self._filled(table, f"{modality} test")

    def query(self, search: str | None = None, trial: int | None = None) -> ImageTable:
        """Every test image of the modality that the search goes out from, in every trial."""
        self._trial(trial)
        return self._test(self._search(search).split("-to-")[0])

    def gallery_pool(self, search: str | None = None, trial: int | None = None) -> ImageTable:
        """Every test image of the modality that is searched."""
        self._trial(trial)
        return self._test(self._search(search).split("-to-")[1])


def _test_rows(tree: Tree, identities: set[int]) -> list[Row]:
    """Test images, visible ones first, by identity, camera and name."""
    rows: list[Row] = []
    for path in tree.images:
        parts = path.split("/")
        if len(parts) != 4 or not IDENTITY_FOLDER.fullmatch(parts[2]):
            continue
        kind = parts[0].removeprefix("test_")
        camera = folder_camera(path)
        if parts[0] in ("test_vis", "test_nir") and camera in CAMERAS[kind]:
            assert camera is not None
            if int(parts[2]) in identities:
                rows.append((path, int(parts[2]), camera, kind == "nir"))
    return sorted(rows, key=lambda row: (row[3], row[1], row[2], row[0]))


def _training_camera(path: str) -> int:
    """The camera of a training image where its path says one, else 0; no protocol asks for it."""
    in_name = _CAMERA_IN_NAME.search(PurePosixPath(path).name)
    return folder_camera(path) or (int(in_name[1]) if in_name else 0)


def _report_training(
    train: dict[str, list[LabelLine]], tested: list[int], findings: Findings
) -> None:
    labels = {kind: {line.label for line in lines} for kind, lines in train.items()}
    for kind, other in (("vis", "nir"), ("nir", "vis")):
        where = f"idx/train_{kind}.txt"
        for label in sorted(labels[kind] - labels[other]):
            findings.warning(
                where,
                f"label {label} is not in idx/train_{other}.txt; it is never drawn for training",
                AGAIN,
            )
        people = {folder_identity(line.path) for line in train[kind]} & set(tested)
        for identity in sorted(person for person in people if person is not None):
            findings.fatal(
                where,
                f"trains on the folder of identity {identity}, which idx/test_id.txt names",
                "use the lists of one release: nobody may be in both",
            )
    both = {line.path for line in train["vis"]} & {line.path for line in train["nir"]}
    for path in sorted(both):
        findings.fatal("idx/train_nir.txt", f"{path!r} is also in the visible list", AGAIN)


def _report_test(tree: Tree, rows: list[Row], tested: list[int], findings: Findings) -> None:
    seen = {(infrared, camera) for _, _, camera, infrared in rows}
    for kind, cameras in CAMERAS.items():
        for name in tree.folder_names(f"test_{kind}"):
            report_identity_folders(tree, f"test_{kind}/{name}", findings)
        for camera in cameras:
            folder = f"test_{kind}/cam{camera}"
            if (kind == "nir", camera) not in seen:
                report_missing(tree, folder, "has no image of a test identity", findings)
    people = {
        infrared: {row[1] for row in rows if row[3] == infrared} for infrared in (True, False)
    }
    nowhere = [n for n in tested if n not in people[True] | people[False]]
    findings.alike(
        "fatal",
        [(f"idx/test_id.txt, identity {n}", "has no test image in any camera") for n in nowhere],
        "restore its folders",
    )
    for identity in tested:
        where = f"idx/test_id.txt, identity {identity}"
        if identity in people[True] ^ people[False]:
            lacks = "visible" if identity in people[True] else "infrared"
            findings.warning(
                where,
                f"has no {lacks} test image: its images count for nothing in one direction",
                "restore its folders",
            )
    if any(path.startswith("test_nir/cam3/") for path in tree.images):
        findings.warning(
            "test_nir/cam3",
            "holds images; the release has none there, and they are left out",
            "compare your copy with the release",
        )
