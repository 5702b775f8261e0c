"""Rankings that learned nothing: colour histograms, and networks before their first step."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from mscm_lib.config import RunConfig
from mscm_lib.data.packed import PackedDataset, PackedImages
from mscm_lib.data.tables import ImageTable
from mscm_lib.evaluation.embedding import FEATURES, Embeddings, embed_table
from mscm_lib.evaluation.rankings import Figures, rank_all
from mscm_lib.evaluation.run import images_to_embed
from mscm_lib.hardware import Hardware, choose_hardware
from mscm_lib.models import MSCMNet

STRIPES, BINS = 6, 8
IN_NUMPY = Hardware(torch.device("cpu"), torch.float32, channels_last=False)


def rank_by_histogram(packed: PackedDataset, config: RunConfig) -> Figures:
    """Rank by colour histograms of horizontal stripes, under the run's protocol."""
    table = images_to_embed(packed.dataset, config)
    embeddings = Embeddings(table, {"histogram": colour_histograms(packed.images, table)})
    labels = _labels("colour histogram", config, IN_NUMPY)
    return rank_all(packed.dataset, config, embeddings, ("histogram",), labels)


def rank_untrained(packed: PackedDataset, config: RunConfig, progress: bool = True) -> Figures:
    """Rank by the network of ``config`` as it is before training, from the run's own seed."""
    hardware = choose_hardware(config)
    identities = len(np.unique(packed.dataset.train(config.validation).ids))
    net = hardware.place(MSCMNet.from_config(config, identities)).eval()
    table = images_to_embed(packed.dataset, config)
    embeddings = embed_table(net, packed.images, table, hardware=hardware, progress=progress)
    labels = _labels("untrained", config, hardware)
    return rank_all(packed.dataset, config, embeddings, FEATURES, labels)


def _labels(name: str, config: RunConfig, hardware: Hardware) -> dict[str, object]:
    return {
        "variant": name,
        "trial": config.trial,
        "seed": config.seed,
        "flip": False,
        **hardware.record(),
    }


def colour_histograms(images: PackedImages, table: ImageTable, batch: int = 512) -> Tensor:
    """Square-rooted histograms of each channel in each of six horizontal stripes.

    The square root makes the inner product the Bhattacharyya coefficient, a usual likeness of
    histograms.

    Returns:
        (N, 6·3·8) float32, L2-normalised.
    """
    rows = images.rows(table.paths)
    found = []
    for start in range(0, len(rows), batch):
        pixels = images.read(rows[start : start + batch])  # (B, H, W, 3)
        stripes = np.array_split(pixels, STRIPES, axis=1)
        counts = [_counts(stripe) for stripe in stripes]  # each (B, 3·8)
        found.append(torch.from_numpy(np.concatenate(counts, axis=1)))
    return functional.normalize(torch.cat(found).float().sqrt())


def _counts(stripe: np.ndarray) -> np.ndarray:
    """(B, h, W, 3) uint8 → (B, 3·8) pixels in each bin of each channel."""
    size = len(stripe)
    bins = (stripe // (256 // BINS)).reshape(size, -1, 3).astype(np.int64)  # (B, h·W, 3)
    place = bins + BINS * np.arange(3) + 3 * BINS * np.arange(size)[:, None, None]
    return np.bincount(place.ravel(), minlength=size * 3 * BINS).reshape(size, 3 * BINS)
