"""Features that anybody computed, from one file with their images' paths, and their dataset."""

from __future__ import annotations

import codecs
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open

from mscm_lib.config import unknown_key
from mscm_lib.data.base import ReidDataset
from mscm_lib.data.datasets import dataset_from_manifest, open_dataset
from mscm_lib.data.layouts.mistaken import HEAD_BYTES, Mistaken, mistaken_for
from mscm_lib.data.layouts.recognise import held_by
from mscm_lib.data.packed.arrays import MANIFEST, read_manifest
from mscm_lib.data.tables import IntArray
from mscm_lib.errors import DataError, ProtocolError
from mscm_lib.evaluation.cache import PATHS_FILE
from mscm_lib.evaluation.embedding import Embeddings

PATHS = "paths"
_TEXT = f"save {PATHS!r} as plain text: np.array(paths, dtype=str)"
_AGAIN = "write it again, MATLAB's as version 7"
_OWN = {".npz": (0, b"PK\x03\x04"), ".mat": (0, b"MATLAB 5.0"), ".safetensors": (8, b"{")}
_OTHERS = (
    (
        b"\x93NUMPY",
        Mistaken("one array (.npy)", "np.savez(FILE, paths=PATHS, neck=ARRAY) keeps both"),
    ),
    (b"\x89HDF", Mistaken("an HDF5 file", "write it as .npz")),
    (b"\x80", Mistaken("a pickle", "which is never opened: it may run anything; write .npz")),
    (b"MATLAB 5.0", Mistaken("a MATLAB file", "name it .mat")),
    (b"PK\x03\x04", Mistaken("a zip archive, as .npz are", "name it .npz if it is one")),
)
"""How files begin that are taken for one of features, beside those of `mistaken_for`."""


def find_dataset(folder: Path) -> ReidDataset:
    """The dataset in a folder of packed arrays, or in one laid out as it was released.

    Raises:
        DataError: it is none of these, or cannot be read.
    """
    if (folder / MANIFEST).is_file():
        return dataset_from_manifest(read_manifest(folder), folder)
    held = held_by(folder)
    if len(held) != 1:
        raise DataError(
            f"{folder}: expected SYSU-MM01, RegDB or LLCM as released, or packed arrays; see: "
            "mscm doctor --help"
        )
    return open_dataset(held[0], folder)


def read_features(file: Path, dataset: ReidDataset) -> Embeddings:
    """The features in ``file``, as they are given: not brought to unit length.

    ``.npz`` and ``.mat`` (up to version 7) hold N names of images under ``paths``; beside a
    ``.safetensors`` they are lines of a file ``paths.txt``, as an evaluation of this study leaves
    it. Every floating-point array (N, D) is a feature, called by its key; ``neck_flip`` is ``neck``
    averaged with the mirrored image's. Nothing is unpickled. A name may have folders of another
    machine in front; the longest end of it that the dataset knows counts.

    Raises:
        DataError: the file is missing, damaged or of another kind; a name is not of the dataset or
            occurs twice; there is no feature, or not one for each name, or one that cannot be
            ranked by, such as one that is not finite.
    """
    suffix = file.suffix.lower()
    if suffix not in _READERS:
        raise DataError(f"{file}: {unknown_key('kind of file', suffix, [*_READERS])}")
    remedy = _AGAIN
    try:
        if _own(file, suffix):
            remedy = f"it is damaged or cut off: copy it again, or {_AGAIN}"
        arrays = _READERS[suffix](file)
        paths = _names(arrays.get(PATHS, ()))
    except FileNotFoundError as error:
        raise DataError(f"{error.filename or file}: no such file") from error
    except DataError:
        raise
    except (
        Exception
    ) as error:  # NumPy and SciPy raise whatever a damaged file makes them stumble over
        if "pickle" in str(error) or isinstance(error, UnicodeError):
            remedy = _TEXT
        raise DataError(f"{file}: not readable ({error}); {remedy}") from error
    if PATHS not in arrays:
        held = ", ".join(sorted(arrays)) or "nothing"
        raise DataError(f"{file}: lacks {PATHS!r}, the images' names; it has {held}; {_TEXT}")
    rows = _rows(file, paths, dataset)
    try:
        return Embeddings(dataset.images[rows], _features(file, arrays, len(paths)))
    except ProtocolError as error:  # a feature that cannot be ranked by, which it names
        raise DataError(f"{file}: {error}; write the features again") from error


def _features(file: Path, arrays: Mapping[str, Any], count: int) -> dict[str, torch.Tensor]:
    found = {}
    for name, values in arrays.items():
        if name == PATHS or np.ndim(values) != 2 or not np.issubdtype(values.dtype, np.floating):
            continue
        if len(values) != count:
            raise DataError(
                f"{file}: {name} has shape {values.shape}, expected ({count}, D): a row for each "
                "of the paths"
            )
        found[name] = torch.from_numpy(values.astype(np.float32))
    if not found:
        held = ", ".join(f"{name} {np.shape(values)}" for name, values in arrays.items())
        raise DataError(f"{file}: no floating-point array ({count}, D) among {held}")
    return found


def _rows(file: Path, paths: Sequence[str], dataset: ReidDataset) -> IntArray:
    """The rows of ``dataset.images`` that the names mean."""
    known = {path: row for row, path in enumerate(dataset.images.paths)}
    rows = []
    for path in paths:
        parts = path.replace("\\", "/").split("/")
        ends = ("/".join(parts[start:]) for start in range(len(parts)))
        row = next((known[end] for end in ends if end in known), None)
        if row is None:
            raise DataError(
                f"{file}: {path!r} is no image of {dataset.name}; its images are called like "
                f"{dataset.images.paths[0]!r}"
            )
        rows.append(row)
    row, times = Counter(rows).most_common(1)[0] if rows else (0, 0)
    if times != 1:
        raise DataError(
            f"{file}: {dataset.images.paths[row]!r} occurs {times} times; expected every image once"
        )
    return np.array(rows, dtype=np.int64)


def _own(file: Path, suffix: str) -> bool:
    """Whether a file begins as its kind does; what is empty or known to be another is refused."""
    with file.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    if not head:
        raise DataError(f"{file}: is an empty file; {_AGAIN}")
    if suffix in _OWN and head.startswith(_OWN[suffix][1], _OWN[suffix][0]):
        return True
    kinds = (kind for sign, kind in _OTHERS if head.startswith(sign))
    if found := mistaken_for(head) or next(kinds, None):
        remedy = found.remedy.partition(";")[0]  # the rest is about datasets
        raise DataError(f"{file}: is no {suffix} file but {found.kind}; {remedy}")
    return False


def _names(given: Any) -> list[str]:
    """Images' names as text; bytes are UTF-8."""
    names = np.atleast_1d(given).ravel().tolist()
    return [(n.decode("utf-8") if isinstance(n, bytes) else str(n)).strip() for n in names]


def _npz(file: Path) -> dict[str, Any]:
    with np.load(file, allow_pickle=False) as arrays:
        return dict(arrays)


def _mat(file: Path) -> dict[str, Any]:
    from scipy.io import loadmat

    file.stat()  # SciPy hides that a file is missing behind a message about file-like objects
    try:
        found = loadmat(file, appendmat=False, simplify_cells=True)
    except Exception as error:  # SciPy raises whatever a damaged file makes it stumble over
        raise ValueError(f"{type(error).__name__}: {error}") from error
    return {name: np.asarray(value) for name, value in found.items() if not name.startswith("__")}


def _safetensors(file: Path) -> dict[str, Any]:
    with safe_open(file, framework="pt") as tensors:
        found = {name: tensors.get_tensor(name) for name in tensors.keys()}  # noqa: SIM118
    lines = _lines(file.with_name(PATHS_FILE))
    arrays = {n: (v.float() if v.is_floating_point() else v).numpy() for n, v in found.items()}
    return {**arrays, PATHS: np.array(lines)}


def _lines(file: Path) -> list[str]:
    """Of a text in UTF-8, with or without a byte order mark and blank lines at the end."""
    content = file.read_bytes()
    if found := mistaken_for(content[:HEAD_BYTES]):
        raise DataError(f"{file}: is no list of names but {found.kind}; {found.remedy}")
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in content:
        raise DataError(f"{file}: is text in UTF-16; save it as UTF-8")
    try:
        return content.decode("utf-8-sig").rstrip().splitlines()
    except UnicodeDecodeError as error:
        raise DataError(f"{file}: is no text in UTF-8 ({error}); save it as that") from error


_READERS = {".npz": _npz, ".mat": _mat, ".safetensors": _safetensors}
