"""Ranked lists as tiles and as pictures, invented features to rank, the spread of drawn galleries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from mscm_lib.data.tables import ImageTable
from mscm_lib.errors import ProtocolError
from mscm_lib.reports.style import EXCLUDED, PALETTE, RIGHT, WRONG
from mscm_lib.retrieval.gallery import Match

Pixels = npt.NDArray[np.uint8]


class RankedList(NamedTuple):
    """One query's list, nearest first.

    Attributes:
        title: what stands before the list.
        ids: identity of each gallery image.
        query: the query's identity.
        notes: a line below each image, for example its camera.
        dropped: which images the protocol leaves out; they get no rank.
    """

    title: str
    ids: Sequence[int]
    query: int
    notes: Sequence[str] = ()
    dropped: Sequence[bool] = ()


def ranked_lists(lists: Sequence[RankedList], title: str) -> Figure:
    """Lists as rows of tiles: right (tick), wrong (cross), left out (dash), with their ranks."""
    longest = max(len(ranking.ids) for ranking in lists)
    size = 0.2 + 0.78 * longest, 0.45 + 1.2 * len(lists)
    figure, axis = plt.subplots(figsize=size, layout="constrained")
    for row, ranking in enumerate(lists):
        rank = 0
        dropped = ranking.dropped or [False] * len(ranking.ids)
        for place, (identity, out) in enumerate(zip(ranking.ids, dropped, strict=True)):
            rank += not out
            right = identity == ranking.query
            colour = EXCLUDED if out else RIGHT if right else WRONG
            mark = "–" if out else "✓" if right else "✗"
            tile = FancyBboxPatch(
                (place + 0.08, -row - 0.72), 0.84, 0.5, "round,pad=0,rounding_size=0.1",
                facecolor=colour, edgecolor="none", alpha=0.28 if out else 1,
            )  # fmt: skip
            axis.add_patch(tile)
            axis.text(
                place + 0.5, -row - 0.47, f"{mark} id {identity}", ha="center", va="center",
                color="#555555" if out else "white", fontsize=10, fontweight="bold",
            )  # fmt: skip
            label = "out" if out else f"rank {rank}"
            label += f"\n{ranking.notes[place]}" if ranking.notes else ""
            axis.text(place + 0.5, -row - 0.78, label, ha="center", va="top", fontsize=9)
        axis.text(0.08, -row - 0.17, ranking.title, ha="left", va="bottom", fontsize=10)
    axis.set(xlim=(0, longest), ylim=(-len(lists) - 0.08, 0.02))
    axis.set_axis_off()
    axis.set_title(title)
    return figure


def ranked_figure(
    query: Pixels,
    matches: Sequence[Match],
    images: Sequence[Pixels],
    title: str,
    across: int = 5,
) -> Figure:
    """The query, and its matches in rows of ``across``, each framed and marked.

    Right is a green frame with ✓, wrong an orange one with ✗, an image that the camera rule leaves
    out is pale with a dash, and without the query's identity frames are blue.

    Args:
        query: (H, W, 3), as each match's image.
        matches: best first, as `GalleryIndex.search` gives them.

    Raises:
        ProtocolError: there are no matches, or not an image for each.
    """
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


def invented_features(
    table: ImageTable,
    seed: int,
    dimensions: int = 64,
    private: float = 0.6,
    camera: float = 0.5,
    noise: float = 1.15,
) -> npt.NDArray[np.float32]:
    """(N, dimensions) of unit length, as a middling network might give, for the images of ``table``.

    ``shared(identity) + private · own(identity, modality) + camera · offset(camera) + noise``, all
    standard normal vectors of which the last three have the sizes given. Invented, so that the
    protocols can be studied on as many images as one likes.
    """
    generator = np.random.default_rng(seed)
    people, person = np.unique(table.ids, return_inverse=True)
    eyes, eye = np.unique(table.cams, return_inverse=True)
    modality = table.infrared.astype(np.int64)
    shared = generator.standard_normal((len(people), dimensions))
    own = generator.standard_normal((2, len(people), dimensions))
    offset = generator.standard_normal((len(eyes), dimensions))
    features = shared[person] + private * own[modality, person] + camera * offset[eye]
    features += noise * generator.standard_normal(features.shape)
    return (features / np.linalg.norm(features, axis=1, keepdims=True)).astype(np.float32)


def draw_spread(draws: Mapping[str, npt.ArrayLike], unit: str, title: str) -> Figure:
    """A row for each way of drawing: every draw as a dot, the mean as a line."""
    long = pd.DataFrame(
        [(name, value) for name, values in draws.items() for value in np.asarray(values)],
        columns=["draw", "value"],
    )
    figure, axis = plt.subplots(figsize=(7.4, 0.9 + 0.75 * len(draws)), layout="constrained")
    sns.swarmplot(long, x="value", y="draw", ax=axis, size=3.6, color=PALETTE[0], warn_thresh=1)
    for row, mean in enumerate(long.groupby("draw", sort=False)["value"].mean()):
        axis.plot([mean, mean], [row - 0.38, row + 0.38], color="black", lw=2)
        axis.annotate(f"{mean:.1f}", (mean, row - 0.4), ha="center", va="bottom", fontsize=10)
    axis.set(xlabel=unit, ylabel="", title=title)
    axis.margins(y=0.15)
    return figure


def cmc_figure(curves: Mapping[str, npt.ArrayLike], title: str) -> Figure:
    """CMC curves over ranks, in percent."""
    figure, axis = plt.subplots(figsize=(6.4, 3.4), layout="constrained")
    for place, (name, curve) in enumerate(curves.items()):
        values = 100 * np.asarray(curve)
        ranks, marker = np.arange(1, len(values) + 1), "os^D"[place % 4]
        axis.plot(ranks, values, label=name, marker=marker, ms=5, color=PALETTE[place])
    axis.set(title=title, xlabel="rank", ylabel="queries found, %", ylim=(0, 104))
    axis.legend(loc="lower right")
    return figure
