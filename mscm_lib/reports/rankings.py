"""Ranked lists drawn for reading, invented features to rank, and the spread of drawn galleries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from mscm_lib.data.tables import ImageTable
from mscm_lib.reports.style import EXCLUDED, PALETTE, RIGHT, WRONG


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
    figure, axis = plt.subplots(
        figsize=(0.2 + 0.78 * longest, 0.45 + 1.2 * len(lists)), layout="constrained"
    )
    for row, ranking in enumerate(lists):
        rank = 0
        dropped = ranking.dropped or [False] * len(ranking.ids)
        for place, (identity, out) in enumerate(zip(ranking.ids, dropped, strict=True)):
            rank += not out
            right = identity == ranking.query
            colour = EXCLUDED if out else RIGHT if right else WRONG
            mark = "–" if out else "✓" if right else "✗"
            axis.add_patch(
                FancyBboxPatch(
                    (place + 0.08, -row - 0.72), 0.84, 0.5,
                    boxstyle="round,pad=0,rounding_size=0.1", facecolor=colour,
                    alpha=0.28 if out else 1, edgecolor="none",
                )
            )  # fmt: skip
            ink = "#555555" if out else "white"
            axis.text(
                place + 0.5, -row - 0.47, f"{mark} id {identity}", ha="center", va="center",
                color=ink, fontsize=10, fontweight="bold",
            )  # fmt: skip
            label = "out" if out else f"rank {rank}"
            if ranking.notes:
                label += f"\n{ranking.notes[place]}"
            axis.text(place + 0.5, -row - 0.78, label, ha="center", va="top", fontsize=9)
        axis.text(0.08, -row - 0.17, ranking.title, ha="left", va="bottom", fontsize=10)
    axis.set(xlim=(0, longest), ylim=(-len(lists) - 0.08, 0.02))
    axis.set_axis_off()
    axis.set_title(title)
    return figure


def invented_features(
    table: ImageTable,
    seed: int,
    dimensions: int = 64,
    private: float = 0.6,
    camera: float = 0.5,
    noise: float = 1.15,
) -> npt.NDArray[np.float32]:
    """Features as a middling network might give: what is shared, what is private, and noise.

    ``shared(identity) + private · own(identity, modality) + camera · offset(camera) + noise``, all
    standard normal vectors, then scaled to unit length. Invented, so that the protocols can be
    studied on as many images as one likes.

    Args:
        table: of the images.
        seed: of all vectors.
        dimensions: of a feature.
        private: size of the part that only one modality has.
        camera: size of what a camera adds to all its images.
        noise: size of what every image has for itself.

    Returns:
        (N, dimensions) of unit length.
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
    """A row for each way of drawing: every draw as a dot, the mean as a line.

    Args:
        draws: values by name of the way.
        unit: of the horizontal axis.
        title: of the figure.
    """
    long = pd.DataFrame(
        [(name, value) for name, values in draws.items() for value in np.asarray(values)],
        columns=["draw", "value"],
    )
    figure, axis = plt.subplots(figsize=(7.4, 0.9 + 0.75 * len(draws)), layout="constrained")
    sns.swarmplot(
        data=long, x="value", y="draw", ax=axis, size=3.6, color=PALETTE[0], warn_thresh=1
    )
    for row, values in enumerate(draws.values()):
        mean = float(np.mean(np.asarray(values)))
        axis.plot([mean, mean], [row - 0.38, row + 0.38], color="black", lw=2)
        axis.annotate(f"{mean:.1f}", (mean, row - 0.4), ha="center", va="bottom", fontsize=10)
    axis.set(xlabel=unit, ylabel="", title=title)
    axis.margins(y=0.15)
    return figure


def cmc_figure(curves: Mapping[str, npt.ArrayLike], title: str) -> Figure:
    """CMC curves over ranks, in percent."""
    figure, axis = plt.subplots(figsize=(6.4, 3.4), layout="constrained")
    markers = ("o", "s", "^", "D")
    for place, (name, curve) in enumerate(curves.items()):
        values = 100 * np.asarray(curve)
        ranks = np.arange(1, len(values) + 1)
        axis.plot(ranks, values, label=name, marker=markers[place % 4], ms=5, color=PALETTE[place])
    axis.set(title=title, xlabel="rank", ylabel="queries found, %", ylim=(0, 104))
    axis.legend(loc="lower right")
    return figure
