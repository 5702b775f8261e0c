"""What makes two copies of a dataset the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from mscm_lib.errors import DataError
from mscm_lib.files import file_digest


def tree_fingerprint(
    name: str,
    root: Path,
    paths: Iterable[str],
    splits: Iterable[str],
    *,
    rules: str = "",
    contents: bool = False,
) -> str:
    """SHA-256 over sorted relative paths, the images' sizes and the split files' bytes, in hex.

    Images count by their size: an image that was exchanged, cut off or encoded again almost always
    changes its length, and asking for 46,000 lengths takes well under a second where reading every
    byte takes minutes from a cold disk, at each start of a run. Split files are read whole, since
    swapping two identities keeps a file's length. Other files of the tree do not count, nor does
    the folder that it lies in.

    Args:
        name: of the dataset.
        root: its folder.
        paths: images, relative to ``root``.
        splits: files that say what belongs where, relative to ``root``.
        rules: of reading, where they are no dataset's own but a study's.
        contents: take the SHA-256 of each image in place of its size.

    Raises:
        DataError: one of the files is not there.
    """
    digest = hashlib.sha256(f"{name}\n{rules}".encode())
    try:
        for path in sorted(splits):
            digest.update(f"{path}\0{file_digest(root / path)}\n".encode())
        for path in sorted(paths):
            mark = file_digest(root / path) if contents else (root / path).stat().st_size
            digest.update(f"{path}\0{mark}\n".encode())
    except OSError as error:
        raise DataError(
            f"{error.filename}: is gone or cannot be read ({error.strerror}); restore it, or see "
            f'what else is missing with: mscm doctor {name} "{root}"'
        ) from error
    return digest.hexdigest()
