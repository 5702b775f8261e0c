"""DVC in a tree that git does not know: an exported or unpacked copy of the project."""

from __future__ import annotations

import io
from configparser import RawConfigParser
from pathlib import Path

from mscm_lib.files import write_text


def ensure_dvc(root: Path) -> None:
    """Let DVC work in the project at ``root``, which may be of no git repository.

    DVC refuses a folder outside of any repository until it is told that there is none.
    """
    if not any((folder / ".git").exists() for folder in (root, *root.parents)) and dvc_alone(root):
        print(
            f"{root} is of no git repository: DVC works without (.dvc/config.local, which is to be "
            "removed after a git init)",
            flush=True,
        )


def dvc_alone(root: Path) -> bool:
    """Tell DVC, in ``.dvc/config.local``, to do without git; whether that was news to it."""
    path = root / ".dvc/config.local"
    settings = RawConfigParser()
    settings.read(path, encoding="utf-8")
    if settings.get("core", "no_scm", fallback="").lower() == "true":
        return False
    settings.read_dict({"core": {"no_scm": "true"}})
    text = io.StringIO()
    settings.write(text)
    write_text(path, text.getvalue())
    return True
