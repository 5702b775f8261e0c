"""Where a command will write: looked at before anything is computed."""

from __future__ import annotations

import os
from pathlib import Path

from mscm_lib.errors import ConfigError


def check_file(path: Path, suffix: str = "") -> None:
    """Refuse a name that no file could be written to; its folder is made with it, see `mscm_lib.files`.

    Args:
        path: of the file.
        suffix: that the name must have, such as ".png"; "": any.

    Raises:
        ConfigError: it is a folder, has another suffix, or lies where nothing can be written.
    """
    if path.is_dir():
        raise ConfigError(f"{path}: is a folder; name a file{suffix and f', such as list{suffix}'}")
    if suffix and path.suffix.lower() != suffix:
        kind = suffix[1:].upper()
        raise ConfigError(f"{path}: expected the name of a {kind} file, such as list{suffix}")
    check_place(path)


def check_place(path: Path) -> None:
    """Refuse a path, of a file or a folder, that nothing could be made at.

    Raises:
        ConfigError: it lies below a file, or in a folder that may not be written to.
    """
    above = next(place for place in path.absolute().parents if place.exists())
    if not above.is_dir():
        raise ConfigError(f"{path}: lies below {above}, which is a file; choose another place")
    if not os.access(above, os.W_OK | os.X_OK):
        raise ConfigError(f"{path}: {above} may not be written to; choose another place")
