"""The modality gap drawn: distances within and across modalities, and who sees which bits."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from mscm_lib.data.generated import GeneratedSettings
from mscm_lib.data.tables import ImageTable
from mscm_lib.reports.style import INFRARED, PALETTE, VISIBLE

PAIRS = (
    "same person,\nsame modality",
    "other person,\nsame modality",
    "same person,\nother modality",
    "other person,\nother modality",
)


def strip_histograms(
    images: npt.NDArray[np.uint8], strips: int = 6, bins: int = 8
) -> npt.NDArray[np.float32]:
    """Histograms of each channel in horizontal strips: (N, H, W, 3) → (N, strips·3·bins).

    Each histogram sums to 1; the square root makes Euclidean distance Hellinger's.
    """
    levels = (images.astype(np.int64) * bins) // 256  # (N, H, W, 3)
    parts = []
    for strip in np.array_split(levels, strips, axis=1):
        for channel in range(3):
            values = strip[..., channel].reshape(len(images), -1)
            parts.append(np.stack([(values == level).mean(1) for level in range(bins)], axis=1))
    return np.sqrt(np.concatenate(parts, axis=1)).astype(np.float32)


def pair_distances(features: npt.NDArray[np.float32], table: ImageTable) -> pd.DataFrame:
    """Distances of all pairs of images from different cameras, by kind of pair.

    Columns: distance (in units of the mean over all pairs), pair (of `PAIRS`).
    """
    first, second = np.triu_indices(len(table), k=1)
    apart = table.cams[first] != table.cams[second]
    first, second = first[apart], second[apart]
    distance = np.linalg.norm(features[first] - features[second], axis=1)
    other_person = (table.ids[first] != table.ids[second]).astype(int)
    other_modality = (table.infrared[first] != table.infrared[second]).astype(int)
    kinds = np.array(PAIRS)[other_person + 2 * other_modality]
    return pd.DataFrame({"distance": distance / distance.mean(), "pair": kinds})


def pair_figure(distances: pd.DataFrame, title: str) -> Figure:
    """A box for each kind of pair."""
    figure, axis = plt.subplots(figsize=(7.2, 3.6), layout="constrained")
    sns.boxplot(
        data=distances, x="pair", y="distance", order=list(PAIRS), hue="pair",
        hue_order=list(PAIRS), palette=[VISIBLE, PALETTE[9], INFRARED, PALETTE[1]], legend=False,
        width=0.55, fliersize=1.5, whis=(5, 95), showfliers=False, ax=axis,
    )  # fmt: skip
    axis.set(title=title, xlabel="", ylabel="distance / mean distance")
    return figure


def information_figure(settings: GeneratedSettings, shares: Sequence[float]) -> Figure:
    """Bits that both bands, the visible alone and the infrared alone show, for each share."""
    parts = [settings.replace(shared=share).information for share in shares]
    names = [f"{share:.2f}" for share in shares]
    layers = {
        "shared": ([p.shared for p in parts], PALETTE[2], ""),
        "visible only": ([p.visible_only for p in parts], VISIBLE, "//"),
        "infrared only": ([p.infrared_only for p in parts], INFRARED, ".."),
    }
    figure, axis = plt.subplots(figsize=(7.2, 3.4), layout="constrained")
    floor = np.zeros(len(parts))
    for name, (bits, colour, hatch) in layers.items():
        bars = axis.bar(
            names, bits, bottom=floor, label=name, color=colour, hatch=hatch, edgecolor="white"
        )
        labels = [str(b) if b > 2 else "" for b in bits]  # thinner layers have no room
        patches = {"facecolor": colour, "edgecolor": "none", "boxstyle": "round,pad=0.2"}
        axis.bar_label(
            bars, labels, label_type="center", color="white", fontweight="bold", bbox=patches
        )
        floor += bits
    axis.set(title="Who sees which bits of an identity", xlabel="knob `shared`", ylabel="bits")
    axis.grid(axis="x", visible=False)
    axis.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure
