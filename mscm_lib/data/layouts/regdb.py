"""RegDB: ten splits of 412 people, seen by a visible and a thermal camera ten times each.

``idx/train_visible_N.txt``, ``train_thermal_N``, ``test_visible_N``, ``test_thermal_N`` for N from
1 to 10, lines ``relative/path label`` (D. T. Nguyen et al., Sensors 2017). Labels start again at 0
in each half of each split, so an identity's number means something within its table only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from mscm_lib.data.base import ReidDataset
from mscm_lib.data.content import Content, Subset
from mscm_lib.data.faults import Findings, Severity
from mscm_lib.data.layouts.listed import LabelLine, Listed
from mscm_lib.data.layouts.listing import report_outside, scan
from mscm_lib.data.layouts.regdb_checks import report_labels
from mscm_lib.data.tables import ImageTable

SPLITS = tuple(range(1, 11))
HALVES, MODALITIES = ("train", "test"), ("visible", "thermal")
VISIBLE_CAMERA, THERMAL_CAMERA = 1, 2
SplitLines = dict[tuple[str, str], list[LabelLine]]


class RegdbDataset(ReidDataset):
    """RegDB; a trial is a split, to train and to test on.

    The gallery is every test image of the other modality, ten of each identity: it is not drawn,
    and both draws name that one gallery.
    """

    name = "regdb"
    protocol = "regdb"
    searches = ("visible-to-thermal", "thermal-to-visible")
    draws = ("agw", "official")

    @classmethod
    def read(cls, root: Path, findings: Findings) -> RegdbDataset:
        """See `ReidDataset.read`."""
        tree = scan(root, findings)
        listed = Listed(tree)
        found = {trial: Findings() for trial in SPLITS}
        splits = {trial: _read_split(listed, trial, found[trial]) for trial in SPLITS}
        lists = {trial: lines for trial, lines in splits.items() if lines}
        # A split that is broken keeps nobody from the others.
        worst: Severity = "error" if lists else "fatal"
        for trial, own in found.items():
            for each in own:
                severity = worst if each.severity == "fatal" else each.severity
                only = ("trial", (trial,))
                findings.found.append(replace(each, severity=severity, only=only))
        listed.report(findings, worst, lambda path: ("trial", (_trial_of(path),)))
        if not lists:
            findings.fatal(
                "idx",
                "no split is complete; expected idx/train_visible_1.txt and so on",
                "copy the folder idx from the release",
            )
        images = _image_table(lists)
        report_outside(tree, set(images.paths), findings)
        row_of = {path: row for row, path in enumerate(images.paths)}
        subsets = {
            f"{half}_{modality}_{trial}": Subset(
                np.array([row_of[line.path] for line in lines], dtype=np.int64),
                np.array([line.label for line in lines], dtype=np.int64),
            )
            for trial, split in lists.items()
            for (half, modality), lines in split.items()
        }
        files = tuple(f"idx/{key}.txt" for key in subsets)
        return cls(root, Content(images, subsets, split_files=files))

    @property
    def trials(self) -> Sequence[int]:
        """The complete splits; ten in the release."""
        return [trial for trial in SPLITS if f"train_visible_{trial}" in self.content.subsets]

    @property
    def training_trials(self) -> Sequence[int]:
        """The same splits: each has its own model."""
        return self.trials

    def _training(self, trial: int) -> ImageTable:
        return _joined(
            self._subset(f"train_visible_{trial}"), self._subset(f"train_thermal_{trial}")
        )

    def query(self, search: str | None = None, trial: int | None = None) -> ImageTable:
        """Every test image of the modality that the search goes out from, in a split."""
        modality = self._search(search).split("-to-")[0]
        return self._filled(self._subset(f"test_{modality}_{self._trial(trial)}"), "test")

    def gallery_pool(self, search: str | None = None, trial: int | None = None) -> ImageTable:
        """Every test image of the modality that is searched, in a split."""
        modality = self._search(search).split("-to-")[1]
        return self._filled(self._subset(f"test_{modality}_{self._trial(trial)}"), "test")

    def _drawn(self, pool: ImageTable, trial: int, draw: str, shots: int) -> ImageTable:
        return pool  # all ten images of each identity: there is nothing to draw


def _joined(first: ImageTable, second: ImageTable) -> ImageTable:
    return ImageTable(
        first.paths + second.paths,
        np.concatenate([first.ids, second.ids]),
        np.concatenate([first.cams, second.cams]),
        np.concatenate([first.infrared, second.infrared]),
    )


def _read_split(listed: Listed, trial: int, findings: Findings) -> SplitLines | None:
    """The four lists of a split; None and an error where one of them cannot be used."""
    files = {(h, m): f"idx/{h}_{m}_{trial}.txt" for h in HALVES for m in MODALITIES}
    missing = [file for file in files.values() if not (listed.tree.root / file).is_file()]
    for file in missing:
        findings.error(
            file,
            f"the file is missing: split {trial} cannot be used",
            "copy it from the release; its figures are means over ten splits",
        )
    if missing:
        return None
    lines = {key: listed.labels(file, findings) for key, file in files.items()}
    if listed.broken & set(files.values()):
        return None
    report_labels(lines, trial, findings)
    return None if findings.worst == "fatal" else lines


def _trial_of(path: str) -> int:
    """The split that a list, or a line of one, is of."""
    return int(path.partition(".txt")[0].rpartition("_")[2])


def _image_table(lists: dict[int, SplitLines]) -> ImageTable:
    """Every listed image by modality and name.

    Identities are numbered over both halves of the first split (training labels, then test labels),
    so that packed arrays have one number a person; an image that this split lacks gets -1. Tables
    carry the labels of their own split instead.
    """
    number: dict[str, int] = {}
    infrared: dict[str, bool] = {}
    for split in lists.values():
        first = not number
        trained = 1 + max((x.label for m in MODALITIES for x in split["train", m]), default=-1)
        for (half, modality), lines in split.items():
            for line in lines:
                infrared.setdefault(line.path, modality == "thermal")
                if first:
                    number[line.path] = line.label + (trained if half == "test" else 0)
    return ImageTable.from_rows(
        [
            (path, number.get(path, -1), THERMAL_CAMERA if thermal else VISIBLE_CAMERA, thermal)
            for thermal, path in sorted((thermal, path) for path, thermal in infrared.items())
        ]
    )
