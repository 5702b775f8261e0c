"""Which dataset a folder holds, if any, told by a few of its files before anything is read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from mscm_lib.data.faults import Findings
from mscm_lib.data.layouts.listing import loosely
from mscm_lib.errors import DataError
from mscm_lib.files import read_json

MARKER = "emulated.json"
TITLES = {"sysu": "SYSU-MM01", "regdb": "RegDB", "llcm": "LLCM"}
OWN = "your own dataset"  # what a reader's CSV is called where the others have names
SPLIT_FOLDERS = {"sysu": "exp", "regdb": "idx", "llcm": "idx"}
_HOLDS = {
    "sysu": "folders exp and cam1 to cam6",
    "regdb": "a folder idx with lists such as train_visible_1.txt",
    "llcm": "folders idx, test_vis and test_nir",
}
# One of the first kind is enough, of the second two: an "exp" alone can be anybody's.
_LISTS = {
    "sysu": re.compile(r"exp/(train|val|test)_id\.txt"),
    "regdb": re.compile(r"idx/(train|test)_(visible|thermal)_\d+\.txt"),
    "llcm": re.compile(r"idx/(train_(vis|nir)|test_id)\.txt"),
}
_FOLDERS = {
    "sysu": re.compile(r"cam[1-6]"),
    "regdb": re.compile(r"visible|thermal"),
    "llcm": re.compile(r"test_(vis|nir)"),
}
_LOOKED_INTO = 200  # folders, where the dataset is looked for further down


def emulated_scale(root: Path) -> str:
    """The scale of the emulated tree that ``root`` holds; "" where it holds none."""
    try:
        return str(read_json(root / MARKER)["scale"])
    except (OSError, DataError, KeyError, TypeError):
        return ""


def held_by(folder: Path) -> list[str]:
    """Names of the datasets whose files lie in ``folder``.

    Raises:
        OSError: it cannot be listed.
    """
    entries = {loosely(entry.name): entry for entry in folder.iterdir()}
    lists = [
        f"{name}/{loosely(entry.name)}"
        for name in ("exp", "idx")
        if name in entries and entries[name].is_dir()
        for entry in entries[name].iterdir()
    ]
    return [
        name
        for name in TITLES
        if any(map(_LISTS[name].fullmatch, lists))
        or sum(bool(_FOLDERS[name].fullmatch(n)) and entries[n].is_dir() for n in entries) > 1
    ]


def report_stranger(name: str, root: Path, findings: Findings) -> bool:
    """One fatal finding where ``root`` does not hold the dataset ``name``, with what may be meant.

    Returns:
        Whether there is one.
    """
    try:
        held = held_by(root)
    except OSError as error:
        findings.fatal(".", f"cannot be listed ({error.strerror})", "give yourself permission")
        return True
    if name in held:
        return False
    title = TITLES[name]
    if held:
        found = f"is no {title} but {TITLES[held[0]]}"
        findings.fatal(".", found, f"read it as what it is: mscm doctor {held[0]} {root}")
        return True
    for folder in _further_down(root):
        if name in _held(folder):
            missing = f"has no folder {SPLIT_FOLDERS[name]!r} with the lists of {title}"
            findings.fatal(".", missing, f"{folder} has one: give that folder")
            return True
    for folder in list(root.resolve().parents)[:2]:
        if name in _held(folder):
            findings.fatal(".", f"is a folder within {title}", f"give the whole: {folder}")
            return True
    names = sorted(e.name for e in root.iterdir() if not e.name.startswith("."))
    shown = ", ".join(names[:6]) + (f" and {len(names) - 6:,} more" if len(names) > 6 else "")
    findings.fatal(
        ".",
        f"is no {title}: expected {_HOLDS[name]}, found {shown or 'nothing'}",
        "give the folder that the dataset was unpacked to",
    )
    return True


def _held(folder: Path) -> list[str]:
    try:
        return held_by(folder)
    except OSError:
        return []


def _further_down(root: Path) -> Iterator[Path]:
    """Folders one and two levels below ``root``, the nearer ones first."""
    found = [root]
    for _ in range(2):
        below = []
        for folder in found:
            try:
                below += sorted(entry for entry in folder.iterdir() if entry.is_dir())
            except OSError:
                continue
        found = below[:_LOOKED_INTO]
        yield from found
