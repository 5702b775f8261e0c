"""Where things lie: the project's own from its root, a person's from where the person is."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path


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


def given(path: Path | str) -> Path:
    """A path that a person gave: from the working folder, or from the root if it is only there.

    The working folder is the shell's for `mscm` and for papermill, whose kernels start in it (or in
    its ``--cwd``), and the notebook's own in JupyterLab.
    """
    places = _places(path)
    return next((place for place in places if place.exists()), places[0])


def absent(path: Path | str, kind: str = "file") -> str:
    """What to say where `given` finds nothing of that kind: every place that was looked at."""
    places = _places(path)
    if places[0].exists():
        return f"{places[0]}: is no {kind}"
    looked = " and ".join(map(str, places))
    return f"{path}: no such {kind}; looked at {looked}"


def _places(path: Path | str) -> list[Path]:
    path = _expanded(path)
    return list(dict.fromkeys([Path.cwd() / path, project_root() / path]))


def _expanded(path: Path | str) -> Path:
    with suppress(RuntimeError):  # ~somebody who is not known here: a name like any other
        return Path(path).expanduser()
    return Path(path)
