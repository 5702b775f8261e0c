"""k-reciprocal re-ranking, exact, in memory that grows with neighbours."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy import sparse
from torch import Tensor

from mscm_lib.errors import ProtocolError
from mscm_lib.metrics.arithmetic import full_precision
from mscm_lib.metrics.labels import IntArray
from mscm_lib.metrics.rerank_neighbours import find_neighbours, pair_distances
from mscm_lib.usable import check_usable

OVERLAP_ELEMENTS = 1 << 17  # pairs of weights compared at a time: as many as a cache holds


def rerank(
    query_features: npt.ArrayLike | Tensor,
    gallery_features: npt.ArrayLike | Tensor,
    k1: int = 20,
    k2: int = 6,
    lambda_: float = 0.3,
) -> npt.NDArray[np.float32]:
    """Distances of N queries to M gallery images after k-reciprocal re-ranking.

    With all n = N + M images in one set, queries first:

    - d(p, j): squared Euclidean distance, divided by p's largest one;
    - N(p, k): p itself and its k nearest others; R(p, k): those of them that have p in theirs;
    - R*(p): R(p, k1) joined by R(c, k1/2) of every c in R(p, k1) of which more than two thirds
      are in R(p, k1) (the paper writes at least; its authors' code, and all figures that stand on
      it, take more);
    - p's weights: exp(-d(p, j)) for j in R*(p), else 0, scaled to the sum 1; then the mean of the
      weights of the k2 images nearest to p, itself one of them;
    - Jaccard distance of p and g: 1 - (sum of the smaller) / (sum of the larger of their weights);
    - the result: λ · d(p, g) + (1 - λ) · Jaccard distance.

    An image is its own nearest; images equally far are ordered as in the set. Half of k1 is
    rounded, .5 to even. Lists longer than the set are the whole set. Who is in a list is decided
    by the features as given, in float64 where float32 does not tell.

    Every image's place in the list depends on all queries, so figures after re-ranking stand
    beside those before it and never in their stead.

    Args:
        query_features: (N, D) numbers; a tensor may be on any device, where neighbours are found.
        gallery_features: (M, D).
        k1: neighbours that must be mutual.
        k2: neighbours that weights are averaged over.
        lambda_: share of the original distance, 0 to 1.

    Returns:
        (N, M) float32, smaller is nearer.

    Raises:
        ProtocolError: a set is empty, shapes do not fit, a feature is not finite or too long for
            float32, or a parameter is out of range.

    Source: Zhong, Zheng, Cao, Li, "Re-ranking person re-identification with k-reciprocal encoding",
    CVPR 2017, formulas 1 to 12.
    """
    _check_parameters(k1, k2, lambda_)
    query, gallery = (
        _as_features(query_features, "query"),
        _as_features(gallery_features, "gallery"),
    )
    if query.shape[1] != gallery.shape[1]:
        raise ProtocolError(
            f"query features have {query.shape[1]} dimensions and gallery features "
            f"{gallery.shape[1]}: expected the same feature of both"
        )
    features = torch.cat([query, gallery.to(query)])  # (n, D)
    # A common factor changes nothing, and a power of two no digit: float32 then squares all well.
    features *= 2.0 ** min(-int(features.abs().max().frexp().exponent), 120)
    half = int(np.around(k1 / 2))
    with full_precision():
        near = find_neighbours(features, len(query), (k1 + 1, half + 1, k2))
    scale = np.where(near.farthest > 0, near.farthest, 1).astype(np.float32)
    members = _expanded(_reciprocal(near.images, k1 + 1), _reciprocal(near.images, half + 1))
    weights = _average(near.images, k2) @ _weights(features, members, scale)
    distances = near.between
    distances *= lambda_ / scale[: len(query), None]
    _add_jaccard(distances, weights[: len(query)], weights[len(query) :].tocsc(), 1 - lambda_)
    return distances


def _reciprocal(index: IntArray, size: int) -> sparse.csr_array:
    """R(p, k) as the ones of a row, for k + 1 = ``size``: neighbours that have each other."""
    forward = _rows_of(index[:, :size], 1.0)
    return sparse.csr_array(forward.multiply(forward.T))


def _average(index: IntArray, size: int) -> sparse.csr_array:
    """A matrix whose product with weights gives means over each image's ``size`` nearest."""
    nearest = index[:, :size]
    return _rows_of(nearest, 1 / nearest.shape[1])


def _rows_of(columns: IntArray, value: float) -> sparse.csr_array:
    """(n, n) with ``value`` in row p at each of the (n, k) ``columns[p]``."""
    count, size = columns.shape
    starts = np.arange(0, columns.size + 1, size)
    data = np.full(columns.size, value)
    return sparse.csr_array((data, columns.ravel(), starts), shape=(count, count))


def _expanded(whole: sparse.csr_array, half: sparse.csr_array) -> sparse.csr_array:
    """R* from R(·, k1) and R(·, k1/2), all as ones of rows."""
    shared = sparse.csr_array((whole @ half.T).multiply(whole))  # |R(c, k1/2) ∩ R(p, k1)| at (p, c)
    sizes = half.sum(axis=1)  # |R(c, k1/2)|
    shared.data = (3 * shared.data > 2 * sizes[shared.indices]).astype(np.float64)
    shared.eliminate_zeros()
    return sparse.csr_array(whole + shared @ half)


def _weights(
    features: Tensor, members: sparse.csr_array, scale: npt.NDArray[np.float32]
) -> sparse.csr_array:
    """exp(-d) at each image's members, rows scaled to the sum 1."""
    pairs = members.tocoo()
    rows, columns = pairs.row.astype(np.int64), pairs.col.astype(np.int64)
    distances = pair_distances(features, rows, columns) / scale[rows]
    values = np.exp(-distances.astype(np.float64))
    values /= np.bincount(rows, weights=values)[rows]
    return sparse.csr_array((values, (rows, columns)), shape=members.shape)


def _add_jaccard(
    distances: npt.NDArray[np.float32],
    queries: sparse.csr_array,
    gallery: sparse.csc_array,
    share: float,
) -> None:
    """Add ``share`` of the Jaccard distances of (N, n) and (M, n) weights to (N, M) distances.

    Rows sum to 1, so the sum of the larger weights is 2 less the sum s of the smaller ones, and
    the distance 1 - s / (2 - s). Only the dimensions in which both have weight are visited.
    """
    width = distances.shape[1]
    meetings = np.diff(gallery.indptr)[queries.indices]  # gallery images met at each query weight
    ends = np.concatenate([[0], np.cumsum(meetings)])[queries.indptr]  # of each query's meetings
    start = 0
    while start < len(distances):
        limit = ends[start] + OVERLAP_ELEMENTS
        stop = max(start + 1, int(np.searchsorted(ends, limit, side="right")) - 1)
        stop = min(stop, start + max(1, OVERLAP_ELEMENTS // width))
        part = slice(queries.indptr[start], queries.indptr[stop])
        counts = meetings[part]
        firsts = gallery.indptr[queries.indices[part]] - (np.cumsum(counts) - counts)
        place = np.arange(counts.sum()) + np.repeat(firsts, counts)
        smaller = np.minimum(gallery.data[place], np.repeat(queries.data[part], counts))
        row = np.repeat(np.arange(stop - start), np.diff(queries.indptr[start : stop + 1]))
        cell = np.repeat(row * width, counts) + gallery.indices[place]
        total = np.bincount(cell, weights=smaller, minlength=(stop - start) * width)
        jaccard = np.maximum(1 - total / (2 - total), 0)  # a sum of weights may round above 1
        distances[start:stop] += (share * jaccard).reshape(-1, width).astype(np.float32)
        start = stop


def _check_parameters(k1: int, k2: int, lambda_: float) -> None:
    for name, value in (("k1", k1), ("k2", k2)):
        if value < 1 or value != int(value):
            raise ProtocolError(f"{name} = {value!r}: expected a whole number of 1 or more")
    if not 0 <= lambda_ <= 1:
        raise ProtocolError(f"lambda_ = {lambda_!r}: expected a number from 0 to 1")


def _as_features(values: Any, name: str) -> Tensor:
    """(N, D) float32 or float64 on its own device; half precision becomes float32."""
    features = values.detach() if isinstance(values, Tensor) else torch.from_numpy(np.array(values))
    if features.dtype is not torch.float64:
        features = features.float()
    if features.ndim != 2 or 0 in features.shape:
        raise ProtocolError(
            f"{name} features have shape {tuple(features.shape)}: expected (images, dimensions), "
            "one image or more"
        )
    check_usable(features, lambda row: f"{name} feature {row}", direction=False)
    return features
