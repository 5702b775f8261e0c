"""Atomic files: a reader sees the old content or the new, never a part of it."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mscm_lib.errors import DataError, StorageError


@contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that replaces it when the block succeeds.

    The temporary file or folder is removed when the block fails, so nothing half-written is left.

    Raises:
        StorageError: the disk is full or the folder cannot be written; ``path`` is untouched.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        os.close(handle)
        Path(name).unlink()
    except OSError as error:
        raise StorageError(_storage_message(path, error)) from error
    part = Path(name)
    try:
        yield part
        if part.is_file():
            with part.open("rb+") as stream:
                os.fsync(stream.fileno())
        if path.is_dir() and part.is_dir():
            _swap_folder(part, path)
        else:
            part.replace(path)
    except BaseException as error:
        _remove(part)
        if isinstance(error, OSError) and not isinstance(error, StorageError):
            raise StorageError(_storage_message(path, error)) from error
        raise


def write_text(path: Path | str, text: str) -> None:
    """Write ``text`` as UTF-8 with Unix line ends, atomically."""
    with atomic_path(path) as part:
        part.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path | str, value: Any) -> None:
    """Write ``value`` as indented JSON with sorted keys, atomically; the same value, same bytes."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def read_json(path: Path | str) -> Any:
    """Read a JSON file.

    Raises:
        DataError: the file is missing or is not JSON.
    """
    path = Path(path)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file; expected a JSON file made by this study") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path}: not readable as JSON ({error}); delete it and make it again"
        ) from error


def made(path: Path, how: str) -> Path:
    """``path``, once it is found to be a file; ``how`` says what makes it.

    Raises:
        DataError: it is none.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file; {how}")
    return path


def file_digest(path: Path | str) -> str:
    """SHA-256 of a file's bytes, as 64 hex digits."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _swap_folder(part: Path, path: Path) -> None:
    # A folder cannot be replaced in one call: move the old one aside first, so that a kill between
    # the two renames leaves either the old or the new folder whole, never a mixture.
    aside = part.with_suffix(".old")
    path.rename(aside)
    part.rename(path)
    shutil.rmtree(aside, ignore_errors=True)


def _remove(part: Path) -> None:
    with suppress(OSError):
        if part.is_dir():
            shutil.rmtree(part)
        else:
            part.unlink()


def _storage_message(path: Path, error: OSError) -> str:
    reason = error.strerror or str(error)
    said = f"{path}: could not be written ({reason}); nothing was changed there. "
    if error.errno in (errno.EEXIST, errno.ENOTDIR):
        file = next((place for place in path.parents if place.is_file()), None)
        return f"{said}{file} is a file: choose a folder" if file else said.rstrip()
    return said + _REMEDIES.get(error.errno or 0, f"{_FREE} or {_CHOOSE}.")


_FREE, _CHOOSE = "Free some space", "choose a folder that you may write to"
_REMEDIES = {
    errno.ENAMETOOLONG: "Choose a shorter name.",
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), f"{_CHOOSE.capitalize()}."),
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), f"{_FREE}, then start again."),
}
