"""`dvc repro` as this study calls it: again after any kill, with nothing to clean up by hand."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from mscm_lib.errors import StudyError
from mscm_lib.files import write_json
from mscm_lib.paths import project_root, resolve

STARTED_AGAIN = (
    "mend what is named above and start it again: what is finished stays, and training goes on "
    "where it was"
)


def repro(what: str, targets: Sequence[str] = ()) -> None:
    """Make the chosen study's stages, or those named.

    Args:
        what: is made, for the message.
        targets: stages; all when none is named.

    Raises:
        StudyError: a stage failed; its own message stands above.
    """
    release_dead(resolve(".dvc/tmp/rwlock"))
    if subprocess.run(["dvc", "repro", *targets], cwd=project_root()).returncode:
        raise StudyError(f"{what} stopped; {STARTED_AGAIN}")


def release_dead(path: Path) -> None:
    """Take what killed runs still hold out of DVC's lock file.

    DVC does so itself where the process is gone, but waits for one that is dead and not yet
    collected by its parent, for another program that has got its number since, and forever for a
    file that was cut off in writing.

    Args:
        path: of the lock file, which need not be there.
    """
    try:
        locks: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return
    except (json.JSONDecodeError, UnicodeDecodeError):
        path.unlink()
        return
    read = {
        place: living
        for place, holders in locks.get("read", {}).items()
        if (living := [holder for holder in holders if _runs(holder["pid"])])
    }
    write = {p: holder for p, holder in locks.get("write", {}).items() if _runs(holder["pid"])}
    left = {"read": read, "write": write}
    if left != locks:
        write_json(path, left)


def _runs(number: int) -> bool:
    """Whether the process of that number is a DVC that runs."""
    with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
        process = psutil.Process(number)
        dead = process.status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
        return not dead and any("dvc" in part for part in process.cmdline())
    return False
