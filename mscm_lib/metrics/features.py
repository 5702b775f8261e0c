"""Metrics of a ranking given as features: exact, tile by tile, never holding all distances.

The rank of a right answer is one more than the number of images before it, so nothing is sorted:
tiles of distances are computed, counted against the right answers' distances, and forgotten.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from threadpoolctl import ThreadpoolController
from torch import Tensor
from torch.nn import functional

from mscm_lib.config import unknown_key
from mscm_lib.errors import ProtocolError
from mscm_lib.metrics.arithmetic import (
    Arithmetic,
    NumpyArithmetic,
    TorchArithmetic,
    full_precision,
    in_threads,
    product,
)
from mscm_lib.metrics.counting import RightAnswers, Tally, exclude
from mscm_lib.metrics.labels import IntArray, Labels, OwnPairs
from mscm_lib.metrics.rankings import RankMetrics, RankTable
from mscm_lib.protocols import ProtocolName
from mscm_lib.usable import check_usable

Metric = Literal["cosine", "euclidean"]
Features = npt.NDArray[Any] | Tensor


class Tile(NamedTuple):
    """Gallery images and queries of one matrix product. Every product has this very shape, filled
    up with zeros, so that a pair's score does not depend on what else is computed with it."""

    gallery: int
    queries: int


CPU_TILE = Tile(1024, 256)  # a tile stays in a core's cache while it is counted
GPU_TILE = Tile(16384, 2048)
CENTRE_ROWS = 4096  # gallery images whose mean distances are measured from
CROWDED = 0.9  # length of unit features' mean from which on float32 no longer tells their cosines
CANCELLED = 1e-4  # share of two squared lengths below which their distance lost too many digits
PAIR_ELEMENTS = 1 << 20  # numbers gathered at a time for single pairs


def rank_features(
    query_features: Features,
    gallery_features: Features,
    query_ids: npt.ArrayLike | Tensor,
    gallery_ids: npt.ArrayLike | Tensor,
    query_cams: npt.ArrayLike | Tensor | None = None,
    gallery_cams: npt.ArrayLike | Tensor | None = None,
    protocol: ProtocolName = "sysu",
    max_rank: int = 20,
    metric: Metric = "cosine",
    query_chunk: int = 8192,
    gallery_chunk: int = 16384,
    device: torch.device | str | None = None,
) -> RankMetrics:
    """CMC, mAP and mINP as `rank_metrics` defines them, from features instead of distances.

    Cosines are float32 whatever the features' type, and Euclidean distances float64; so are cosines
    of features that lie about one direction, as pooled features of a trained network do, by way of
    Euclidean distances at unit length. Equal ones are ranked in gallery order. The result is the same
    for every choice of chunks. Beyond the features themselves memory holds one chunk of each set and
    some tiles, never the matrix of distances.

    Args:
        query_features: (N, D) array, memory-mapped array or tensor of floating-point numbers.
        gallery_features: (M, D).
        query_ids: (N,) identities, whole numbers or text.
        gallery_ids: (M,) identities.
        query_cams: (N,) camera numbers; needed by sysu, llcm and market.
        gallery_cams: (M,) camera numbers.
        protocol: "sysu", "regdb", "llcm" or "market".
        max_rank: length of the CMC curve.
        metric: "cosine" (features are normalised here) or "euclidean".
        query_chunk: queries taken up at one time.
        gallery_chunk: gallery images converted at one time.
        device: where scores are computed; None: where the gallery's features are.

    Raises:
        ProtocolError: the protocol is unknown or lacks cameras, shapes or counts do not match, a
            set is empty, a feature is not usable (not finite, too long for float32, or of length 0
            where the metric is cosine), or no query has a right answer.
    """
    if metric not in ("cosine", "euclidean"):
        raise ProtocolError(unknown_key("metric", metric, ["cosine", "euclidean"]))
    for name, chunk in (("query_chunk", query_chunk), ("gallery_chunk", gallery_chunk)):
        if chunk < 1:
            raise ProtocolError(f"{name} = {chunk!r}: expected 1 or more")
    if device is None:
        device = gallery_features.device if isinstance(gallery_features, Tensor) else "cpu"
    queries = _Source("query_features", query_features, metric, torch.device(device))
    gallery = _Source("gallery_features", gallery_features, metric, torch.device(device))
    if queries.width != gallery.width:
        raise ProtocolError(
            f"query features have {queries.width} numbers each and gallery features "
            f"{gallery.width}: both must come from the same network"
        )
    labels = Labels.check(
        query_ids, gallery_ids, query_cams, gallery_cams, protocol, len(queries), len(gallery)
    )
    if metric == "euclidean" or gallery.is_crowded():
        queries.dtype = gallery.dtype = torch.float64
        queries.centre = gallery.centre = gallery.middle()
    table = RankTable(labels, max_rank)
    by_identity = np.argsort(labels.query_ids, kind="stable")  # neighbours share right answers
    # Threads each have their own queries; inside a product one thread is then enough.
    with _blas().limit(limits=1, user_api="blas"), full_precision():
        for start in range(0, len(queries), query_chunk):
            rows = by_identity[start : start + query_chunk]
            _rank_chunk(rows, queries, gallery, labels, table, gallery_chunk)
    return table.finish()


@lru_cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController()


def _rank_chunk(
    rows: IntArray,
    queries: _Source,
    gallery: _Source,
    labels: Labels,
    table: RankTable,
    gallery_chunk: int,
) -> None:
    """Rank the queries ``rows`` against the whole gallery."""
    size = gallery.tile.queries
    parts = [_Part(rows[s : s + size], queries, gallery, labels) for s in range(0, len(rows), size)]
    step = -(-gallery_chunk // gallery.tile.gallery) * gallery.tile.gallery
    for start in range(0, len(gallery), step):
        columns = np.arange(start, min(start + step, len(gallery)))
        images = gallery.take(labels.order[columns])
        if gallery.on_cpu:
            in_threads(lambda part: part.count(images, start), parts)  # noqa: B023
        else:
            for part in parts:
                part.count(images, start)
    for part in parts:
        table.fill(part.rows, part.answers, part.tally)


class _Source:
    """One set's features, a few rows at a time where scores are computed.

    Attributes:
        unit: whether features are brought to length 1.
        centre: (D,) that features are measured from where distances are Euclidean; None where they
            are negative products.
    """

    centre: Tensor | None = None
    dtype = torch.float32

    def __init__(self, name: str, features: Features, metric: Metric, device: torch.device) -> None:
        self.name, self.features, self.device = name, features, device
        self.unit = metric == "cosine"
        self.on_cpu = device.type == "cpu"
        self.tile = CPU_TILE if self.on_cpu else GPU_TILE
        if len(features.shape) != 2:
            raise ProtocolError(
                f"{name} has shape {tuple(features.shape)}, expected (images, numbers)"
            )
        floating = (
            features.is_floating_point()
            if isinstance(features, Tensor)
            else np.issubdtype(features.dtype, np.floating)
        )
        if not floating:
            raise ProtocolError(f"{name} has type {features.dtype}, expected floating point")
        self.width = int(features.shape[1])

    def __len__(self) -> int:
        return int(self.features.shape[0])

    def take(self, rows: IntArray) -> Tensor:
        """(K, D) features of ``rows``, at length 1 and from the centre where that is asked for.

        Raises:
            ProtocolError: one of them is not usable.
        """
        found = self._rows(rows)
        lengths = check_usable(found, lambda row: f"{self.name}: row {rows[row]}", self.unit)
        if self.unit:
            found.div_(lengths[:, None])
        return found if self.centre is None else found.sub_(self.centre)

    def is_crowded(self) -> bool:
        """Whether features lie about one direction."""
        return bool(self._some().mean(0).norm() > CROWDED)

    def middle(self) -> Tensor:
        """(D,) about the mean feature, which distances do not depend on and their digits do.

        It has 8 significant bits, so that features of few digits still have few after subtraction,
        and their distances are exact.
        """
        mantissa, exponent = self._some().mean(0).frexp()
        return (mantissa * 256).round().ldexp(exponent - 8).to(torch.float64)

    def _some(self) -> Tensor:
        return self.take(np.arange(0, len(self), max(1, len(self) // CENTRE_ROWS)))

    def _rows(self, rows: IntArray) -> Tensor:
        if isinstance(self.features, Tensor):
            index = torch.from_numpy(rows).to(self.features.device)
            return self.features.detach()[index].to(self.device, self.dtype)
        dtype = np.float32 if self.dtype is torch.float32 else np.float64
        return torch.from_numpy(self.features[rows].astype(dtype)).to(self.device)

    def distances(self, images: Tensor, queries: Tensor, count: int) -> Tensor:
        """(T, n), smaller is nearer: (T, D) gallery images, at most a tile's, and n queries.

        Args:
            images: what `take` gave of the gallery.
            queries: (D, Q) the same of queries, turned, filled up to a tile's width; negative where
                there is no centre.
            count: n.
        """
        tile = functional.pad(images, (0, 0, 0, self.tile.gallery - len(images)))
        block = product(tile, queries)
        if self.centre is None:
            return block[: len(images), :count]
        return _squared_distances(images, queries[:, :count], block[: len(images), :count])


def _squared_distances(images: Tensor, queries: Tensor, products: Tensor) -> Tensor:
    """(T, n) squared distances of (T, D) images to (D, n) queries, from their products (T, n).

    Where the two are so near that their squared lengths cancel, from the differences themselves.
    """
    squares = images.square().sum(1, keepdim=True) + queries.square().sum(0)  # (T, n)
    block = torch.add(squares, products, alpha=-2)
    row, column = (block <= CANCELLED * squares).nonzero(as_tuple=True)
    step = max(1, PAIR_ELEMENTS // images.shape[1])
    for start in range(0, len(row), step):
        part = slice(start, start + step)
        gaps = images[row[part]] - queries.T[column[part]]  # (k, D)
        block[row[part], column[part]] = gaps.square_().sum(1)
    return block


class _Part:
    """A tile's width of queries: their right answers, and what has been counted before those."""

    def __init__(self, rows: IntArray, queries: _Source, gallery: _Source, labels: Labels) -> None:
        self.rows, self.gallery, self.labels = rows, gallery, labels
        self.arithmetic: Arithmetic = (
            NumpyArithmetic() if gallery.on_cpu else TorchArithmetic(gallery.device)
        )
        found = functional.pad(queries.take(rows), (0, 0, 0, gallery.tile.queries - len(rows)))
        if queries.centre is None:
            found = -found  # nearer is smaller
        self.queries = found.T.contiguous()  # (D, Q)
        self.pairs = labels.own_pairs(rows)
        self.answers = RightAnswers(
            self.pairs, self._own_distances(), labels.order[self.pairs.column], len(rows)
        )
        self.tally = Tally(
            self.answers, labels.protocol.unique_identities, labels.longest, self.arithmetic
        )

    def count(self, images: Tensor, start: int) -> None:
        """Count (K, D) gallery images, the ones from column ``start`` of the sorted gallery."""
        step = self.gallery.tile.gallery
        for first in range(0, len(images), step):
            exact = self.gallery.distances(
                images[first : first + step], self.queries, len(self.rows)
            )
            block = self._own_array(exact.float().contiguous())
            begin = start + first
            end = begin + len(block)
            pairs = self.pairs
            inside = (pairs.column >= begin) & (pairs.column < end)
            own = OwnPairs(pairs.query[inside], pairs.column[inside], pairs.kept[inside])
            exclude(block, self.labels, own, self.rows, begin, self.arithmetic)
            positions = self.arithmetic.array(self.labels.order[begin:end])
            columns = None if exact.dtype is torch.float32 else self._columns_of(exact)
            self.tally.add(block, self.labels.codes[begin:end], positions, columns)

    def _own_distances(self) -> npt.NDArray[np.floating]:
        """(K,) of the own pairs, each with the same arithmetic as when others are counted."""
        columns, place = np.unique(self.pairs.column, return_inverse=True)
        distances = np.empty(len(place), dtype=str(self.gallery.dtype).removeprefix("torch."))
        step = self.gallery.tile.gallery
        for start in range(0, len(columns), step):
            images = self.gallery.take(self.labels.order[columns[start : start + step]])
            block = self.gallery.distances(images, self.queries, len(self.rows)).cpu().numpy()
            inside = (place >= start) & (place < start + step)
            distances[inside] = block[place[inside] - start, self.pairs.query[inside]]
        return distances

    def _own_array(self, values: Tensor) -> Any:
        """A tensor as an array of the library that counts."""
        return values.numpy() if self.gallery.on_cpu else values

    def _columns_of(self, exact: Tensor) -> Callable[[IntArray], Any]:
        return lambda q: self._own_array(exact[:, torch.from_numpy(q).to(exact.device)])
