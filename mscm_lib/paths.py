"""Where things lie: the project's own from its root, a person's from where the person is."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from mscm_lib.errors import ConfigError


def project_root() -> Path:
    """The folder that holds ``dvc.yaml``: the nearest one above the working folder, else ours.

    A notebook opened in JupyterLab runs in ``notebooks/``, papermill runs in whatever folder it was
    called from, DVC runs in the root: all three find the same files.
    """
    for folder in (Path.cwd(), *Path.cwd().parents):
        if (folder / "dvc.yaml").is_file() and (folder / "mscm_lib").is_dir():
            return folder
    return Path(__file__).resolve().parent.parent


def resolve(path: Path | str) -> Path:
    """``path`` itself when absolute, else taken from the project's root."""
    return project_root() / _expanded(path)


def from_root(path: Path) -> str:
    """An absolute path as the project writes it: from its root where it lies there."""
    root = project_root()
    return str(path.relative_to(root) if path.is_relative_to(root) else path)


def here(path: Path | str) -> Path:
    """A path that a person gave to write to: from the working folder.

    That is the shell's folder for `mscm` and for papermill, whose kernels start in it (or in its
    ``--cwd``), and the notebook's own in JupyterLab.
    """
    return Path.cwd() / _expanded(path)


def located(path: Path | str) -> Path:
    """A path that a person gave to read: as `here`, or from the root if it is only there."""
    places = _places(path)
    return _found(places) or places[0]


def existing(path: Path | str, *kinds: str) -> Path:
    """`located`, which has to be one of ``kinds``, "file" or "folder"; a file where none is named.

    Raises:
        ConfigError: it is none; the message names every place that was looked at.
    """
    found = located(path)
    kinds = kinds or ("file",)
    if not any(found.is_dir() if kind == "folder" else found.is_file() for kind in kinds):
        raise ConfigError(absent(path, " or ".join(kinds)))
    return found


def absent(path: Path | str, kind: str = "file") -> str:
    """What to say where no ``kind`` is `located`: every place that was looked at."""
    places = _places(path)
    if place := _found(places):
        return f"{place}: is no {kind}"
    found = next(filter(None, map(alike, places)), "")
    if len(places) == 1:
        return f"{places[0]}: no such {kind}{found}"
    return f"{path}: no such {kind}{found}; looked at {' and '.join(map(str, places))}"


def alike(path: Path) -> str:
    """What to say of a path that is not there: what is, of a name that differs in blanks or case."""
    above, names = path, list[str]()
    while not names and above != above.parent:
        above, name = above.parent, above.name
        with suppress(OSError):
            names = sorted(entry.name for entry in above.iterdir())
    wanted = name.strip().casefold()
    found = next((n for n in names if n != name and n.strip().casefold() == wanted), None)
    return f"; {str(above / found)!r} is there: rename it, or give it so" if found else ""


BARRED = (errno.EACCES, errno.EPERM, errno.ENAMETOOLONG)
"""What the system answers where a path that somebody gave is the trouble, and no fault of ours."""


def barred(error: OSError, path: Path | str = "") -> str:
    """What to say of a path, else the error's own, that the system does not let one come to."""
    place, reason = str(path or error.filename), error.strerror
    if error.errno == errno.ENAMETOOLONG:
        name = max(Path(place).parts, key=len)
        return f"{name[:60]}…: is too long a name ({reason}); give a shorter one"
    folders = [*reversed(Path(place).absolute().parents), Path(place)]
    closed = next((p for p in folders if not os.access(p, os.X_OK) and p.is_dir()), None)
    said = f"{closed}: cannot be entered" if closed else f"{place}: cannot be opened"
    return f"{said} ({reason}); ask its owner to let you, or give another path"


def _found(places: Sequence[Path]) -> Path | None:
    for place in places:
        try:
            if place.exists():
                return place
        except OSError as error:
            raise ConfigError(barred(error, place)) from error
    return None


def _places(path: Path | str) -> list[Path]:
    return list(dict.fromkeys([here(path), resolve(path)]))


def _expanded(path: Path | str) -> Path:
    with suppress(RuntimeError):  # ~somebody who is not known here: a name like any other
        return Path(path).expanduser()
    return Path(path)
