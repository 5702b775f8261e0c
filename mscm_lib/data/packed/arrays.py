"""Packed images: every image of a dataset, decoded once into one array on disk.

A folder of packed arrays holds

- ``images.npy``: (N, H, W, 3) uint8, RGB; infrared images have three equal channels;
- ``index.csv``: path, id, cam, infrared (0 or 1) of each row, in the order of the array;
- ``manifest.json``: the dataset without its tree, with height, width and fingerprint.

The manifest is written last and the folder is renamed into place, so a folder with a manifest is
complete. `mscm_lib.data.packed.writing` writes such folders.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mscm_lib.data.tables import ImageTable, IntArray
from mscm_lib.errors import DataError
from mscm_lib.files import read_json

IMAGES, INDEX, MANIFEST = "images.npy", "index.csv", "manifest.json"
INDEX_COLUMNS = ["path", "id", "cam", "infrared"]


class PackedImages:
    """The pixels of a packed dataset, on disk.

    Attributes:
        folder: where they lie.
        table: what is in each row.
        height: of every image, in pixels.
        width: of every image, in pixels.
        fingerprint: of the dataset that they were made from.
    """

    def __init__(self, folder: Path, table: ImageTable, manifest: dict[str, Any]) -> None:
        self.folder = folder
        self.table = table
        self.height: int = manifest["height"]
        self.width: int = manifest["width"]
        self.fingerprint: str = manifest["fingerprint"]
        self._offset = _check_array(folder, (len(table), self.height, self.width, 3))
        self._row_of = {path: row for row, path in enumerate(table.paths)}
        self._descriptor = -1
        if hasattr(os, "preadv"):  # not on Windows, where `read` goes through the map
            self._descriptor = os.open(folder / IMAGES, os.O_RDONLY)

    @classmethod
    def open(cls, folder: Path | str, fingerprint: str | None = None) -> PackedImages:
        """The packed images in ``folder``, which is checked for completeness.

        Args:
            folder: as `pack_dataset` or `generate` wrote it.
            fingerprint: of the dataset that they must come from; None: any.

        Raises:
            DataError: the folder is missing, half-written, damaged, or made from something else.
        """
        folder = Path(folder)
        manifest = read_manifest(folder, fingerprint)
        return cls(folder, _read_index(folder), manifest)

    def __reduce__(self) -> tuple[Any, ...]:
        # A worker process opens the files itself: pickling a memory map would copy every pixel.
        return PackedImages.open, (self.folder,)

    def __len__(self) -> int:
        return len(self.table)

    def __del__(self) -> None:
        if getattr(self, "_descriptor", -1) >= 0:
            os.close(self._descriptor)

    @property
    def paths(self) -> tuple[str, ...]:
        """The path of each row."""
        return self.table.paths

    @cached_property
    def images(self) -> np.memmap[Any, np.dtype[np.uint8]]:
        """(N, H, W, 3) uint8, read-only, mapped. For random access `read` is kinder to memory."""
        array: np.memmap[Any, np.dtype[np.uint8]] = np.lib.format.open_memmap(
            self.folder / IMAGES, mode="r"
        )
        return array

    def rows(self, paths: Sequence[str]) -> IntArray:
        """(n,) the rows of the images named ``paths``.

        Raises:
            DataError: one of them is not in here.
        """
        try:
            return np.array([self._row_of[path] for path in paths], dtype=np.int64)
        except KeyError as error:
            raise DataError(
                f"{self.folder}: has no image {error.args[0]!r}; it was packed from another "
                "dataset, so pack this one"
            ) from error

    def read(self, rows: Sequence[int] | npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.uint8]:
        """(n, H, W, 3) copies of the images in ``rows``, in that order.

        Rows are read in the order in which they lie on disk, and through file reads instead of the
        map: pages of a map count as this process's memory for as long as nothing else wants them,
        so an epoch over the map would look like the whole dataset in RAM. The operating system's
        file cache does the caching. Safe in threads and after a fork.

        Raises:
            DataError: a row that is not there, or the file was cut short after it was opened.
        """
        wanted = np.asarray(rows, dtype=np.int64)
        if len(wanted) and not (wanted.min() >= 0 and wanted.max() < len(self)):
            raise DataError(
                f"{self.folder}: rows {wanted.min()} to {wanted.max()} were asked for, "
                f"0 to {len(self) - 1} are there"
            )
        out = np.empty((len(wanted), self.height, self.width, 3), dtype=np.uint8)
        for place in np.argsort(wanted, kind="stable"):
            self._read_row(int(wanted[place]), out[place])
        return out

    def _read_row(self, row: int, out: npt.NDArray[np.uint8]) -> None:
        if self._descriptor < 0:
            out[...] = self.images[row]
            return
        view = memoryview(out.data).cast("B")
        done = 0
        while done < len(view):
            start = self._offset + row * len(view) + done
            count = os.preadv(self._descriptor, [view[done:]], start)
            if count == 0:
                raise DataError(f"{self.folder / IMAGES}: ends within row {row}; pack it again")
            done += count


def read_manifest(folder: Path, fingerprint: str | None = None) -> dict[str, Any]:
    """The manifest of a packed folder, checked.

    Raises:
        DataError: it is missing or damaged, or the fingerprint is not the one asked for.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise DataError(
            f"{folder}: holds no packed dataset (no {MANIFEST}); make it with: dvc repro"
        )
    manifest = read_json(path)
    wanted = {"name": str, "height": int, "width": int, "fingerprint": str}
    for key, kind in wanted.items():
        if not isinstance(manifest, dict) or not isinstance(manifest.get(key), kind):
            raise DataError(f"{path}: has no valid {key!r}; delete the folder and pack again")
    if fingerprint is not None and manifest["fingerprint"] != fingerprint:
        raise DataError(
            f"{folder}: is stale: packed from fingerprint {manifest['fingerprint'][:12]}, "
            f"the dataset now has {fingerprint[:12]}; pack it again"
        )
    found: dict[str, Any] = manifest
    return found


def is_current(folder: Path, fingerprint: str, height: int, width: int) -> bool:
    """Whether ``folder`` holds complete packed images of that dataset at that size."""
    try:
        images = PackedImages.open(folder, fingerprint)
    except DataError:
        return False
    return (images.height, images.width) == (height, width)


def _read_index(folder: Path) -> ImageTable:
    path = folder / INDEX
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            header, *lines = list(csv.reader(stream))
        if header != INDEX_COLUMNS:
            raise ValueError(f"its columns are {header}, expected {INDEX_COLUMNS}")
        table = ImageTable.from_rows([(p, int(i), int(c), f == "1") for p, i, c, f in lines])
    except FileNotFoundError as error:
        raise DataError(f"{path}: is missing; delete the folder and pack again") from error
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path}: is damaged ({error}); delete the folder and pack again"
        ) from error
    if len(set(table.paths)) != len(table):
        raise DataError(f"{path}: names an image twice; delete the folder and pack again")
    return table


def _check_array(folder: Path, shape: tuple[int, ...]) -> int:
    """Where the pixels begin in ``images.npy``, once its header and length are as expected."""
    path = folder / IMAGES
    try:
        with path.open("rb") as stream:
            version = np.lib.format.read_magic(stream)
            found, fortran, dtype = (
                np.lib.format.read_array_header_1_0(stream)
                if version == (1, 0)
                else np.lib.format.read_array_header_2_0(stream)
            )
            offset = stream.tell()
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: is no packed array ({error}); pack it again") from error
    if found != shape or fortran or dtype != np.uint8:
        raise DataError(
            f"{path}: holds {dtype} {found}; {INDEX} and {MANIFEST} speak of uint8 {shape}; "
            "delete the folder and pack again"
        )
    length, expected = path.stat().st_size, offset + int(np.prod(shape, dtype=np.int64))
    if length != expected:
        raise DataError(
            f"{path}: has {length} bytes, expected {expected}; it was cut off, so pack it again"
        )
    return offset
