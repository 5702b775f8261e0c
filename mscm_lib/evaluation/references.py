"""Floors and ceilings: rankings by rules, by a linear classifier, by networks before their first
step, and by a reader who sees all that there is to see."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.preprocessing import StandardScaler
from torch import Tensor
from torch.nn import functional

from mscm_lib.config import RunConfig
from mscm_lib.data.generated import oracle
from mscm_lib.data.generated.dataset import GeneratedDataset
from mscm_lib.data.generated.randomness import stream
from mscm_lib.data.packed.opened import PackedDataset, PackedImages
from mscm_lib.data.tables import ImageTable
from mscm_lib.evaluation.embedding import FEATURES, Embeddings, embed_table
from mscm_lib.evaluation.rankings import Figures, rank_all
from mscm_lib.evaluation.run import images_to_embed
from mscm_lib.hardware import Hardware, choose_hardware
from mscm_lib.models import MSCMNet

STRIPES, BINS = 6, 8  # of colour histograms
ROWS, ORIENTATIONS = 16, 9  # most cells in a column and bins of gradient histograms
CELL = 8  # pixels at least
Array = npt.NDArray[np.float32]
IN_NUMPY = Hardware(torch.device("cpu"), torch.float32, channels_last=False)


def rank_at_random(packed: PackedDataset, config: RunConfig) -> Figures:
    """Chance: every image is given a random direction, under the run's protocol."""
    table = images_to_embed(packed.dataset, config)
    drawn = stream(config.seed, "chance").standard_normal((len(table), 64))
    return _rank("chance", "random", packed, config, table, drawn)


def rank_by_histogram(packed: PackedDataset, config: RunConfig) -> Figures:
    """Rank by colour histograms of horizontal stripes, under the run's protocol."""
    table = images_to_embed(packed.dataset, config)
    found = colour_histograms(packed.images, table)
    return _rank("colour histogram", "histogram", packed, config, table, found)


def rank_by_gradients(packed: PackedDataset, config: RunConfig) -> Figures:
    """Rank by histograms of oriented gradients, as they are and by a linear classifier.

    The classifier ("HOG + LDA") is a linear discriminant analysis of the training people on the
    gradients and on each cell's mean grey, both standardised within each modality.
    """
    split = config.trial if len(packed.dataset.training_trials) > 1 else None
    train = packed.dataset.train(config.validation, split)
    table = images_to_embed(packed.dataset, config)
    parts = [[*gradients(packed.images, images)] for images in (train, table)]
    figures = _rank("HOG", "gradients", packed, config, table, parts[1][0])
    known, asked = (np.concatenate(part, axis=1) for part in parts)
    for infrared in (False, True):
        scaler = StandardScaler().fit(known[train.infrared == infrared])
        for values, images in ((known, train), (asked, table)):
            values[images.infrared == infrared] = scaler.transform(
                values[images.infrared == infrared]
            )
    model = LinearDiscriminantAnalysis(solver="eigen", shrinkage="auto").fit(known, train.ids)
    figures.extend(_rank("HOG + LDA", "gradients", packed, config, table, model.transform(asked)))
    return figures


def rank_untrained(packed: PackedDataset, config: RunConfig, progress: bool = True) -> Figures:
    """Rank by the network of ``config`` as it is before training, from the run's own seed."""
    hardware = choose_hardware(config)
    identities = len(np.unique(packed.dataset.train(config.validation).ids))
    net = hardware.place(MSCMNet.from_config(config, identities)).eval()
    table = images_to_embed(packed.dataset, config)
    embeddings = embed_table(net, packed.images, table, hardware=hardware, progress=progress)
    labels = _labels("untrained", config, hardware)
    return rank_all(packed.dataset, config, embeddings, FEATURES, labels)


def rank_oracle(packed: PackedDataset, config: RunConfig) -> Figures:
    """The ceiling: rank by what both bands show of a person, read from each image as well as the
    sensors allow (see `mscm_lib.data.generated.oracle`); nothing where the truth is not known."""
    if not isinstance(packed.dataset, GeneratedDataset):
        return Figures()
    settings, images = packed.dataset.settings, packed.images
    table = images_to_embed(packed.dataset, config)
    readings = oracle.sample(settings, images.height, images.width)
    found = oracle.embed(settings, table, readings)
    return _rank("oracle", "attributes", packed, config, table, found)


def _rank(
    name: str,
    feature: str,
    packed: PackedDataset,
    config: RunConfig,
    table: ImageTable,
    values: npt.NDArray[np.floating] | Tensor,
) -> Figures:
    unit = functional.normalize(torch.as_tensor(values).float())
    embeddings = Embeddings(table, {feature: unit})
    return rank_all(packed.dataset, config, embeddings, (feature,), _labels(name, config, IN_NUMPY))


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


def gradients(images: PackedImages, table: ImageTable, batch: int = 512) -> tuple[Array, Array]:
    """Histograms of oriented gradients (Dalal and Triggs 2005), and the mean grey of their cells.

    Cells are `CELL` pixels wide, in larger images as many as make `ROWS` rows. Nine unsigned
    orientations share out each pixel's gradient to the two nearest; blocks of 2×2 cells are
    L2-normalised, clipped at 0.2 and normalised again.

    Returns:
        (N, blocks·4·9) L2-normalised and (N, cells), float32.
    """
    rows = images.rows(table.paths)
    cell = max(CELL, images.height // ROWS)
    found = [
        _gradients(images.read(rows[start : start + batch]), cell)
        for start in range(0, len(rows), batch)
    ]
    histograms, greys = (np.concatenate(part) for part in zip(*found, strict=True))
    return histograms, greys


def _gradients(pixels: npt.NDArray[np.uint8], cell: int) -> tuple[Array, Array]:
    size, height, width = pixels.shape[:3]
    down, across = height // cell, width // cell
    grey = np.sqrt(pixels.mean(axis=3, dtype=np.float32) / 255)[:, : down * cell, : across * cell]
    dy, dx = np.gradient(grey, axis=(1, 2))
    strength, angle = np.hypot(dx, dy), np.arctan2(dy, dx) % np.pi * (ORIENTATIONS / np.pi)
    low = np.floor(angle)
    cells = np.empty((size, down, across, ORIENTATIONS), np.float32)
    for bin_ in range(ORIENTATIONS):
        weight = np.where(low % ORIENTATIONS == bin_, 1 - (angle - low), 0)
        weight += np.where((low + 1) % ORIENTATIONS == bin_, angle - low, 0)
        cells[..., bin_] = _cells(strength * weight, cell)
    blocks = np.lib.stride_tricks.sliding_window_view(cells, (2, 2), axis=(1, 2))
    flat = blocks.reshape(size, down - 1, across - 1, 4 * ORIENTATIONS)
    for _ in range(2):  # the second time after clipping
        flat = np.minimum(flat / (np.linalg.norm(flat, axis=3, keepdims=True) + 1e-5), 0.2)
    whole = flat.reshape(size, -1)
    whole = whole / (np.linalg.norm(whole, axis=1, keepdims=True) + 1e-5)
    return whole.astype(np.float32), _cells(grey, cell).reshape(size, -1)


def _cells(values: Array, cell: int) -> Array:
    """(N, H, W) → (N, H / cell, W / cell) means."""
    size, height, width = values.shape
    means = values.reshape(size, height // cell, cell, width // cell, cell).mean(axis=(2, 4))
    return means.astype(np.float32)
