"""A ranked list as pictures."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mscm_lib.errors import ProtocolError
from mscm_lib.reports.style import EXCLUDED, PALETTE, RIGHT, WRONG, as_written
from mscm_lib.retrieval.gallery import Match
from mscm_lib.retrieval.search import Pixels


@as_written  # $ in a file's name
def ranked_figure(
    query: Pixels, matches: Sequence[Match], images: Sequence[Pixels], title: str
) -> Figure:
    """The query, and its matches in rows of five, each framed and marked.

    Right is a green frame with ✓, wrong an orange one with ✗, an image that the camera rule leaves
    out is pale with a dash, and without the query's identity frames are blue.

    Args:
        query: (H, W, 3), as each match's image.
        matches: best first, as `GalleryIndex.search` gives them.

    Raises:
        ProtocolError: there are no matches, or not an image for each.
    """
    across = 5
    if not matches or len(matches) != len(images):
        raise ProtocolError(f"{len(matches)} matches and {len(images)} images to draw")
    down = -(-len(matches) // across)
    size = 1.05 * (across + 1), down * (query.shape[0] / query.shape[1] + 0.62) + 0.3
    figure, axes = plt.subplots(down, across + 1, figsize=size, layout="constrained", squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    _picture(axes[0, 0], query, "black", "-")
    axes[0, 0].set_title("query", fontsize=10)
    for place, (match, image) in enumerate(zip(matches, images, strict=True)):
        _match(axes[place // across, 1 + place % across], match, image)
    figure.suptitle(title, fontsize=11)
    return figure


def _match(axis: Axes, match: Match, image: Pixels) -> None:
    colour, mark = PALETTE[0], ""
    if match.right is not None:
        colour, mark = (RIGHT, "✓ ") if match.right else (WRONG, "✗ ")
    if match.excluded:
        colour, mark = EXCLUDED, "– "
    _picture(axis, image, colour, ":" if match.excluded else "-", match.excluded)
    name = "left out" if match.excluded else f"rank {match.rank}"
    axis.set_title(mark + name, fontsize=10, color=colour if mark else "black")
    below = f"id {match.identity}, cam {match.camera}\n{match.score:.2f}"
    axis.text(0.5, -0.03, below, fontsize=8, ha="center", va="top", transform=axis.transAxes)


def _picture(axis: Axes, image: Pixels, colour: str, line: str, pale: bool = False) -> None:
    axis.set_axis_on()
    axis.imshow(image, alpha=0.4 if pale else 1)
    axis.set(xticks=[], yticks=[])
    axis.grid(visible=False)
    for spine in axis.spines.values():
        spine.set(visible=True, color=colour, linewidth=3, linestyle=line)
