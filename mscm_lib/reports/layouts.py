"""The three datasets' trees for reading: real where there is one, else a generated miniature."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from mscm_lib.data.doctor import Diagnosis
from mscm_lib.data.emulate import emulate
from mscm_lib.errors import DataError
from mscm_lib.paths import resolve
from mscm_lib.reports.style import PALETTE

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


def counts_figure(diagnoses: Mapping[str, Diagnosis]) -> Figure:
    """A panel for each diagnosis: what was counted (dots) beside what is published (rings).

    Args:
        diagnoses: by title. Counts of which nothing is published are left out.
    """
    shown = {title: [c for c in d.counts if c.published] for title, d in diagnoses.items()}
    heights = [len(counts) + 1.2 for counts in shown.values()]
    figure, axes = plt.subplots(
        len(shown), 1, figsize=(7.4, 0.5 + 0.24 * sum(heights)), sharex=True, squeeze=False,
        height_ratios=heights, layout="constrained",
    )  # fmt: skip
    for axis, (title, counts) in zip(axes[:, 0], shown.items(), strict=True):
        rows = range(len(counts))
        published = [count.published or 0 for count in counts]
        found = [count.found for count in counts]
        axis.hlines(rows, found, published, color="#bbbbbb", lw=1.2, zorder=1)
        axis.scatter(
            published, rows, s=70, facecolor="none", edgecolor="black", label="published", zorder=2
        )
        axis.scatter(found, rows, s=24, color=PALETTE[0], label="found", zorder=3)
        axis.set_yticks(rows, [count.what for count in counts], fontsize=9)
        axis.invert_yaxis()
        axis.set_xscale("symlog", linthresh=1)
        axis.set_title(title)
    largest = max(max(c.found, c.published or 0) for counts in shown.values() for c in counts)
    axes[0, 0].set_xlim(-0.3, 2 * largest)
    axes[-1, 0].set_xlabel("number")
    axes[0, 0].legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure
