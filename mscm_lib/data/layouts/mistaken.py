"""What a file is that lies where another kind was expected."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

HEAD_BYTES = 512
_DOWNLOAD = "download the file itself: this is what a server answered in its place"
_UNPACK = "unpack it"
_CONVERT = "convert it to PNG"


class Mistaken(NamedTuple):
    """What the file is ("a web page"), and what to do about it."""

    kind: str
    remedy: str


_SIGNS: tuple[tuple[bytes, Mistaken], ...] = (
    (b"version https://git-lfs", Mistaken("a Git LFS pointer", "fetch the file: git lfs pull")),
    (b"/annex/objects/", Mistaken("a git-annex pointer", "fetch the file: git annex get")),
    (b"<!doctype html", Mistaken("a web page", _DOWNLOAD)),
    (b"<html", Mistaken("a web page", _DOWNLOAD)),
    (b"<?xml", Mistaken("an XML document", _DOWNLOAD)),
    (b'{"', Mistaken("a JSON document", _DOWNLOAD)),
    (b"pk\x03\x04", Mistaken("a zip archive", _UNPACK)),
    (b"rar!", Mistaken("a rar archive", _UNPACK)),
    (b"7z\xbc\xaf", Mistaken("a 7z archive", _UNPACK)),
    (b"\x1f\x8b", Mistaken("a gzip archive", _UNPACK)),
    (b"gif8", Mistaken("a GIF picture", _CONVERT)),
    (
        b"matlab 7.3",
        Mistaken(
            "a MATLAB 7.3 file (HDF5)",
            "save it again in MATLAB or Octave with: save -v7; draw 'agw' works without it",
        ),
    ),
)


def mistaken_for(head: bytes) -> Mistaken | None:
    """What a file is that begins with ``head``; None where nothing of the list fits.

    Args:
        head: its first `HEAD_BYTES` bytes or more.
    """
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for sign, found in _SIGNS:
        if start.startswith(sign):
            return found
    if start[:4] == b"riff" and start[8:12] == b"webp":
        return Mistaken("a WebP picture", _CONVERT)
    if start[4:8] == b"ftyp":  # the box that HEIC and AVIF begin with
        return Mistaken("a HEIC or AVIF picture", _CONVERT)
    return None


def file_mistaken_for(path: Path) -> Mistaken | None:
    """`mistaken_for` of a file; None where it cannot be read."""
    try:
        with path.open("rb") as stream:
            return mistaken_for(stream.read(HEAD_BYTES))
    except OSError:
        return None
