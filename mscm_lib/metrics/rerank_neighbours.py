"""The nearest neighbours of every image of a set, exact, without the matrix of distances."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mscm_lib.metrics.labels import IntArray

BLOCK_ELEMENTS = 1 << 23  # distances held at a time: 32 MiB
PAIR_ELEMENTS = 1 << 20  # numbers gathered at a time for single pairs: 4 MiB

FloatArray = npt.NDArray[np.float32]


class Neighbours(NamedTuple):
    """What `find_neighbours` found among n images.

    Attributes:
        images: (n, k) images nearest to each, itself first; the first ``size`` of a row are the
            right ones for each of the wanted sizes, equally far ones taken in the order of the set.
        farthest: (n,) squared distance of each image to the one farthest from it.
        between: (N, n - N) squared distances of the first N images to the others.
    """

    images: IntArray
    farthest: FloatArray
    between: FloatArray


def find_neighbours(features: Tensor, first: int, sizes: Sequence[int]) -> Neighbours:
    """Nearest neighbours by squared Euclidean distance.

    Distances come from float32 matrix products. Where two of them lie so close that rounding may
    have changed who belongs to one of the wanted lists, the row's candidates are measured again in
    float64, so that the lists are those of the features as given, whatever the blocks.

    Args:
        features: (n, D) float32 or float64, finite, on the device that computes.
        first: N, how many of the images search the others.
        sizes: lengths of the lists that must be right as sets, the largest of them being k.
    """
    count = len(features)
    sizes = sorted({min(size, count) for size in sizes})
    longest = sizes[-1]
    points = _Points(features)
    nearest = _Nearest(points, min(longest + 1, count))
    between = np.empty((first, count - first), dtype=np.float32)
    step = max(1, BLOCK_ELEMENTS // count)
    for start in range(0, count, step):
        stop = min(start + step, count)
        block = points.distances(slice(start, stop), start)  # (b, n - start): the rest is known
        if start < first:
            between[start:stop] = block[: first - start, first - start :].cpu()
        block.diagonal().fill_(-1)  # an image is its own nearest
        nearest.add(block, slice(start, stop), start)
        nearest.add(block[:, stop - start :].T, slice(stop, count), start)
    index = nearest.index[:, :longest].cpu().numpy()
    unsure = _unsure(nearest.values, sizes, points.rounding)
    reach = nearest.values[:, longest - 1] + 2 * points.rounding
    for start in range(0, len(unsure), step):
        rows = unsure[start : start + step]
        # (K, 2) one of the rows, one of its candidates; ascending in both
        pairs = (points.distances(rows, 0) <= reach[rows, None]).nonzero().cpu().numpy()
        index[rows.cpu()] = _decide(features, rows.cpu().numpy(), pairs, longest)
    return Neighbours(index, nearest.farthest.cpu().numpy(), between)


def pair_distances(
    features: Tensor, rows: IntArray, columns: IntArray, dtype: torch.dtype = torch.float32
) -> npt.NDArray[np.floating]:
    """(K,) squared distances of K pairs of images, given by their places in (n, D) features."""
    found = torch.empty(len(rows), dtype=dtype, device=features.device)
    left, right = (torch.from_numpy(each).to(features.device) for each in (rows, columns))
    step = max(1, PAIR_ELEMENTS // features.shape[1])
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        gap = features[left[part]].to(dtype).sub_(features[right[part]])  # (k, D)
        torch.sum(gap.square_(), dim=1, out=found[part])
    return found.cpu().numpy()


class _Points:
    """Features moved to lie about zero: distances stay, and float32 keeps more of their digits.

    Attributes:
        rounding: (n,) how far a computed distance of each row may be off.
    """

    def __init__(self, features: Tensor) -> None:
        self.values = (features - features.mean(dim=0)).float()  # (n, D)
        self.norms = self.values.square().sum(dim=1)  # (n,)
        # Errors of a sum of D products add up as a random walk, to about √D units in the last
        # place of its terms; ten times as much and more is allowed for.
        size = self.values.shape[1] ** 0.5 * (self.norms * self.norms.max()).sqrt()
        self.rounding = 4 * torch.finfo(torch.float32).eps * (size + self.norms.max())

    def distances(self, rows: slice | Tensor, start: int) -> Tensor:
        """(b, n - start) squared distances of some rows to all images from ``start`` on."""
        block = torch.addmm(self.norms[start:], self.values[rows], self.values[start:].T, alpha=-2)
        return block.add_(self.norms[rows, None]).clamp_(min=0)


class _Nearest:
    """The k smallest distances of each image so far, and its largest."""

    def __init__(self, points: _Points, size: int) -> None:
        count, device = len(points.norms), points.norms.device
        self.values = torch.full((count, size), torch.inf, device=device)
        self.index = torch.zeros(count, size, dtype=torch.int64, device=device)
        self.farthest = torch.zeros(count, device=device)

    def add(self, block: Tensor, rows: slice, start: int) -> None:
        """Take in a block (b, m): distances of ``rows`` to the images from ``start`` on."""
        if not block.numel():
            return
        size = self.values.shape[1]
        near = block.topk(min(size, block.shape[1]), largest=False)
        values = torch.cat([self.values[rows], near.values], dim=1)
        index = torch.cat([self.index[rows], near.indices + start], dim=1)
        self.values[rows], places = values.topk(size, largest=False)
        self.index[rows] = index.gather(1, places)
        self.farthest[rows] = torch.maximum(self.farthest[rows], block.amax(dim=1))


def _unsure(values: Tensor, sizes: Sequence[int], rounding: Tensor) -> Tensor:
    """Rows of (n, k + 1) ascending distances where rounding may decide who is in a list."""
    marks = torch.zeros(len(values), dtype=torch.bool, device=values.device)
    for size in sizes:
        if size < values.shape[1]:
            marks |= values[:, size] - values[:, size - 1] <= 2 * rounding
    return marks.nonzero()[:, 0]


def _decide(features: Tensor, rows: IntArray, pairs: IntArray, size: int) -> IntArray:
    """(U, size) the nearest candidates of the images ``rows``, each itself first.

    ``pairs`` (K, 2) names candidates as in `find_neighbours`; each image has ``size`` or more.
    """
    which, candidate = pairs.T
    distances = pair_distances(features, rows[which], candidate, torch.float64)
    distances[rows[which] == candidate] = -1
    order = np.lexsort((candidate, distances, which))
    firsts = np.searchsorted(which, np.arange(len(rows)))
    return candidate[order[firsts[:, None] + np.arange(size)]]
