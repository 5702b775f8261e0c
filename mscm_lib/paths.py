"""Where things lie: the project's root, whatever folder a notebook was started from."""

from __future__ import annotations

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
    return project_root() / Path(path).expanduser()
