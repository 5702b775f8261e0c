"""The three datasets' trees for reading: real where there is one, else a generated miniature."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from mscm_lib.data.emulate import emulate
from mscm_lib.errors import DataError
from mscm_lib.paths import resolve

Layout = Literal["sysu", "regdb", "llcm"]
TITLES: dict[Layout, str] = {"sysu": "SYSU-MM01", "regdb": "RegDB", "llcm": "LLCM"}


class LayoutTree(NamedTuple):
    """A dataset's folder and what to call it.

    Attributes:
        root: the folder.
        real: whether it is the user's own copy of the real dataset.
        label: for titles.
    """

    root: Path
    real: bool
    label: str


def real_or_miniature(
    roots: Mapping[Layout, str], scratch: Path | str, height: int = 48
) -> dict[Layout, LayoutTree]:
    """For each dataset the user's tree, or a generated miniature in its layout where there is none.

    Args:
        roots: folder by dataset name, from the project's root.
        scratch: where miniatures are written.
        height: of their images.
    """
    trees: dict[Layout, LayoutTree] = {}
    for name, given in roots.items():
        root = resolve(given)
        if root.is_dir():
            trees[name] = LayoutTree(root, True, TITLES[name])
            continue
        root = Path(scratch) / name
        emulate(name, root, "miniature", height=height, workers=1, progress=False)
        trees[name] = LayoutTree(root, False, f"{TITLES[name]} layout, miniature")
    return trees


def outline(root: Path, entries: int = 3) -> str:
    """A folder's first entries, two levels and one file deep, as an indented list.

    Raises:
        DataError: there is no such folder.
    """
    if not root.is_dir():
        raise DataError(f"{root}: no such folder")
    return "\n".join(_outline(root, "  ", entries, depth=3))


def _outline(folder: Path, indent: str, entries: int, depth: int) -> list[str]:
    found = sorted(folder.iterdir(), key=lambda path: (path.is_file(), path.name))
    # The top is shown whole; further down the first few stand for all.
    shown = found if depth == 3 else found[:entries]
    lines = []
    for place, path in enumerate(shown):
        lines.append(f"{indent}{path.name}{'/' if path.is_dir() else ''}")
        if path.is_dir() and (place == 0 or path.name in ("exp", "idx")) and depth > 1:
            lines += _outline(path, indent + "  ", entries, depth - 1)
    if len(found) > len(shown):
        lines.append(f"{indent}… {len(found) - len(shown)} more")
    return lines
