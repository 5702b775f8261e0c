"""Write packed images: row by row, resumable, visible when complete."""

from __future__ import annotations

import csv
import json
import os
import shutil
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np

from mscm_lib.data.packed.arrays import IMAGES, INDEX, INDEX_COLUMNS, MANIFEST
from mscm_lib.data.packed.decoding import Pixels
from mscm_lib.data.tables import ImageTable
from mscm_lib.errors import DataError, StorageError
from mscm_lib.files import write_json, write_text

SYNC_BYTES, SYNC_SECONDS = 128 * 2**20, 5.0  # at most between two entries of the journal
JOURNAL, LOCK = "journal.json", "lock"


class PackWriter:
    """Appends rows to packed arrays that become visible when they are complete.

    A context manager. Images are appended in the order of the table; the first ``done`` of them
    are there already when an earlier attempt was interrupted. Leaving the block without `finish`
    keeps what is written for the next attempt, unless that attempt writes something else.

    Pixels go through plain file writes: on a full disk these give an error, where writing to a
    memory map would kill the process.

    Args:
        folder: to make.
        manifest: of the dataset, with ``height``, ``width`` and ``fingerprint``.
        table: what is in each row.

    Attributes:
        done: rows written, by this and earlier attempts.

    Raises:
        DataError: ``folder`` holds something that is no packed dataset; nothing was touched.
        StorageError: another process packs into the folder, or there is no space.
    """

    def __init__(self, folder: Path | str, manifest: dict[str, Any], table: ImageTable) -> None:
        self.folder = Path(folder)
        self.part = self.folder.with_name(f".{self.folder.name}.part")
        self.manifest = manifest
        self.table = table
        self.done = 0
        self._shape = (len(table), manifest["height"], manifest["width"], 3)
        self._row_bytes = int(np.prod(self._shape[1:]))
        self._journaled, self._synced = 0, time.monotonic()

    def __enter__(self) -> PackWriter:
        _refuse_foreign(self.folder)
        try:
            with ExitStack() as stack:
                self.part.mkdir(parents=True, exist_ok=True)
                stack.enter_context(_locked(self.part / LOCK, self.folder))
                self.done = self._resumable_rows()
                self._stream = stack.enter_context(self._open_array())
                self._open_files = stack.pop_all()
        except OSError as error:
            raise self._storage_error(error) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open_files.close()

    def append(self, images: Pixels) -> None:
        """Write (n, H, W, 3) uint8 pixels as the next n rows.

        Raises:
            DataError: another shape, or more rows than the table has.
            StorageError: the disk is full; what is journaled stays for the next attempt.
        """
        if images.shape[1:] != self._shape[1:] or self.done + len(images) > len(self.table):
            raise DataError(
                f"{self.folder}: rows {self.done} to {self.done + len(images) - 1} of shape "
                f"{images.shape[1:]} do not fit into {self._shape}"
            )
        try:
            self._stream.write(np.ascontiguousarray(images).data)
            self.done += len(images)
            unsafe = (self.done - self._journaled) * self._row_bytes
            if unsafe >= SYNC_BYTES or time.monotonic() - self._synced >= SYNC_SECONDS:
                self._write_journal()
        except OSError as error:
            raise self._storage_error(error) from error

    def finish(self) -> None:
        """Write index and manifest, then put the folder in its place.

        Raises:
            DataError: rows are missing.
            StorageError: the disk is full, or the folder cannot be replaced.
        """
        if self.done != len(self.table):
            raise DataError(f"{self.folder}: {self.done} of {len(self.table)} rows are written")
        try:
            self._write_journal()
            write_index(self.part / INDEX, self.table)
            # Compact: tens of thousands of paths, which nobody reads line by line.
            text = json.dumps(self.manifest, sort_keys=True, ensure_ascii=False)
            write_text(self.part / MANIFEST, text + "\n")
            if self.folder.exists():
                shutil.rmtree(self.folder)
            (self.part / JOURNAL).unlink()
            (self.part / LOCK).unlink()
            self.part.rename(self.folder)
        except OSError as error:
            raise self._storage_error(error) from error

    def _key(self) -> dict[str, Any]:
        keys = ("name", "fingerprint", "height", "width")
        return {"rows": len(self.table), **{key: self.manifest[key] for key in keys}}

    def _resumable_rows(self) -> int:
        """Rows of an interrupted attempt at the same folder that are safely on disk."""
        try:
            journal = json.loads((self.part / JOURNAL).read_text(encoding="utf-8"))
            rows, length = int(journal["done"]), (self.part / IMAGES).stat().st_size
            if journal["key"] == self._key() and length >= rows * self._row_bytes:
                return rows
        except FileNotFoundError:
            # No journal beside a manifest: killed in `finish`, when everything was on disk.
            with suppress(FileNotFoundError, ValueError):
                manifest = json.loads((self.part / MANIFEST).read_text(encoding="utf-8"))
                return len(self.table) if manifest == self.manifest else 0
        except (ValueError, KeyError, TypeError):
            pass  # a damaged journal: begin again
        return 0

    def _open_array(self) -> BinaryIO:
        """``images.npy`` open behind its last safe row, with a header for all rows."""
        path = self.part / IMAGES
        missing = (len(self.table) - self.done) * self._row_bytes
        present = path.stat().st_size if path.is_file() else 0
        free = shutil.disk_usage(self.part).free + present - self.done * self._row_bytes
        if free < missing:
            raise StorageError(
                f"{self.folder}: {missing / 1e9:.2f} GB are still to be written, {free / 1e9:.2f} "
                "GB are free; free some space or pack smaller images, then start again"
            )
        stream = path.open("r+b" if self.done else "w+b")
        # The same bytes as an earlier attempt's: its rows stay where they are.
        header = {"descr": "|u1", "fortran_order": False, "shape": self._shape}
        np.lib.format.write_array_header_1_0(stream, header)
        stream.seek(stream.tell() + self.done * self._row_bytes)
        stream.truncate()
        return stream

    def _write_journal(self) -> None:
        self._stream.flush()
        os.fsync(self._stream.fileno())
        write_json(self.part / JOURNAL, {"key": self._key(), "done": self.done})
        self._journaled, self._synced = self.done, time.monotonic()

    def _storage_error(self, error: OSError) -> StorageError:
        if isinstance(error, StorageError):
            return error
        return StorageError(
            f"{self.folder}: row {self.done} of {len(self.table)} could not be written "
            f"({error.strerror or error}); what is packed so far is kept in {self.part}: free some "
            "space or mend the folder's permissions, then start again"
        )


def write_index(path: Path, table: ImageTable) -> None:
    """Write ``index.csv``: path, id, cam, infrared (0 or 1) of each row."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(INDEX_COLUMNS)
        labels = zip(table.ids.tolist(), table.cams.tolist(), table.infrared.tolist(), strict=True)
        for file, (identity, camera, infrared) in zip(table.paths, labels, strict=True):
            writer.writerow([file, identity, camera, int(infrared)])


def _refuse_foreign(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder}: is a file; choose a folder to pack into")
    if folder.is_dir():
        names = {entry.name for entry in folder.iterdir()}
        if names and not names & {MANIFEST, IMAGES}:
            raise DataError(
                f"{folder}: holds files that are no packed dataset; choose an empty or new folder"
            )


def _locked(path: Path, folder: Path) -> BinaryIO:
    """The lock file, held until it is closed or the process ends."""
    stream = path.open("ab")
    try:
        import fcntl
    except ImportError:  # Windows: an open file cannot be renamed, so a second writer fails there
        return stream
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        stream.close()
        raise StorageError(
            f"{folder}: another process is packing it; wait for that one to finish"
        ) from error
    return stream
