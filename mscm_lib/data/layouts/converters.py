"""Tables for two public datasets that are laid out in their own ways.

Written from the public descriptions of the layouts; neither dataset's images come with this
project. Each function writes ``table.csv`` beside the images and returns the settings that go with
it, for the data section of a study file.

**BUPTCampus** (visible and near-infrared video, 1,074 training identities, 6 cameras). Lists
``train.txt``, ``query.txt`` and ``gallery.txt`` have lines ``pid modality cam tid``, where the
modality ``RGB/IR`` stands for two tracklets; ``data_paths.json[pid][modality][cam][tid]`` lists a
tracklet's frames. Queries and galleries mix modalities: searches tell them apart.

**RGBNT201**, cross-modal: ``train_171`` and ``test`` with a folder a modality (``RGB``, ``NI``,
``TI``), pictures ``NNNNNN_camC_*.jpg`` of the same name in all three. Two modalities are chosen.
Lists ``idx/{train,test}_{R,T}.txt`` (lines ``path label``), where they are there, say which
pictures count; labels start again at 0 in each, so identities are taken from the names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from mscm_lib.data.faults import Findings
from mscm_lib.data.layouts.listed import Listed
from mscm_lib.data.layouts.listing import read_text, scan
from mscm_lib.errors import ConfigError, DataError
from mscm_lib.files import read_json, write_text

TABLE = "table.csv"
HEAD = ("path", "identity", "camera", "modality", "split", "sequence")
_NAME = re.compile(r"0*(\d+)_cam0*(\d+)_.*", re.IGNORECASE)
_BUPT_LISTS = {"train": "train.txt", "query": "query.txt", "gallery": "gallery.txt"}
_NT_FOLDERS = {"train": "train_171", "test": "test"}
Line = tuple[object, ...]


def buptcampus_table(root: Path | str) -> dict[str, Any]:
    """Write the table of BUPTCampus under ``root``: a row a frame, a sequence a tracklet.

    Returns:
        Settings: the middle frame of each tracklet queries, one frame of each is the gallery, and
        no camera rule; add ``own_camera: true`` to drop a query's own identity and camera.

    Raises:
        DataError: a list or ``data_paths.json`` is missing or damaged, or names a tracklet that is
            not there.
    """
    root = Path(root)
    frames = read_json(root / "data_paths.json")
    rows: list[Line] = []
    for split, file in _BUPT_LISTS.items():
        for where, words in _words(root, file):
            person, modalities, camera, tracklet = words
            for modality in modalities.split("/"):
                keys = (person, modality, camera, tracklet)
                for path in _frames(frames, keys, where):
                    rows.append((path, person, camera, modality, split, "-".join(keys)))
    _write(root, rows)
    return {
        "modalities": {"visible": ["RGB"], "infrared": ["IR"]},
        "queries": "sequences",
        "trials": 1,
    }


def rgbnt201_table(
    root: Path | str,
    visible: Literal["RGB", "NI"] = "RGB",
    infrared: Literal["NI", "TI"] = "TI",
) -> dict[str, Any]:
    """Write the table of RGBNT201 under ``root`` for one pair of its modalities.

    Args:
        root: of the dataset.
        visible: the modality that takes the visible stems.
        infrared: the one that takes the infrared stems.

    Returns:
        Settings: as RegDB's, every image of one modality queries all of the other.

    Raises:
        ConfigError: both modalities are one.
        DataError: a folder is missing, a picture's name says no identity and camera, or a list
            names a picture that is not there.
    """
    if visible == infrared:
        raise ConfigError(f"visible = infrared = {visible!r}: a search goes between two modalities")
    root = Path(root)
    tree = scan(root, Findings())
    rows: list[Line] = []
    for split, folder in _NT_FOLDERS.items():
        for modality, letter in ((visible, "R"), (infrared, "T")):
            within = f"{folder}/{modality}/"
            paths = [path for path in tree.images if path.startswith(within)]
            file = f"idx/{split}_{letter}.txt"
            if (root / file).is_file():
                paths = _listed(Listed(tree), file, root)
            if not paths:
                raise DataError(f"{root / within}: holds no picture; expected NNNNNN_camC_*.jpg")
            for path in paths:
                found = _NAME.fullmatch(Path(path).name)
                if found is None:
                    raise DataError(f"{root / path}: expected a name such as 000001_cam1_0_00.jpg")
                rows.append((path, found[1], found[2], modality, split, ""))
    _write(root, rows)
    return {
        "modalities": {"visible": [visible], "infrared": [infrared]},
        "gallery": "whole",
        "trials": 1,
    }


def _listed(listed: Listed, file: str, root: Path) -> list[str]:
    findings = Findings()
    lines = listed.labels(file, findings)
    listed.report(findings, "fatal")
    _refuse(findings, root)
    return [line.path for line in lines]


def _words(root: Path, file: str) -> Iterator[tuple[str, list[str]]]:
    """Place and words of a list's lines."""
    findings = Findings()
    text = read_text(root, file, findings) or ""
    _refuse(findings, root)
    for number, line in enumerate(text.splitlines(), start=1):
        words, where = line.split(), f"{root / file}, line {number}"
        if words and len(words) != 4:
            raise DataError(f"{where}: is {line[:80]!r}; expected 'pid modality cam tid'")
        if words:
            yield where, words


def _refuse(findings: Findings, root: Path) -> None:
    """Raise the first problem of a list, which no doctor could tell more about."""
    for finding in findings:
        if finding.severity == "fatal":
            raise DataError(f"{root}/{finding}")


def _frames(paths: Any, keys: tuple[str, ...], where: str) -> list[str]:
    """The frames of a tracklet."""
    found = paths
    for key in keys:
        if not isinstance(found, Mapping) or key not in found:
            raise DataError(f"{where}: data_paths.json has no {' '.join(keys)}")
        found = found[key]
    frames = [found] if isinstance(found, str) else found
    if not isinstance(frames, list) or not all(isinstance(path, str) for path in frames):
        raise DataError(f"{where}: data_paths.json lists no paths for {' '.join(keys)}")
    return frames


def _write(root: Path, rows: list[Line]) -> None:
    table = pd.DataFrame(rows, columns=HEAD)
    write_text(root / TABLE, table.to_csv(index=False, lineterminator="\n"))
