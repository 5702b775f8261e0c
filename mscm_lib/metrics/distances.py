"""Metrics of a ranking given as a matrix of distances."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mscm_lib.errors import ProtocolError
from mscm_lib.metrics.arithmetic import FloatBlock, NumpyArithmetic, in_threads
from mscm_lib.metrics.counting import FLOAT32_MAX, RightAnswers, Tally, exclude
from mscm_lib.metrics.labels import Labels
from mscm_lib.metrics.rankings import FloatArray, RankMetrics, RankTable
from mscm_lib.protocols import ProtocolName

BLOCK_ELEMENTS = 1 << 18  # distances looked at in one go: as many as a core's cache holds
ROUNDED = (
    1e-5  # how far from 1 a unit feature's length may be that float32, or two of them, rounded
)
COPIED_ROWS = 128  # rows transposed in one go, for the cache as well


def negative_cosines(query_features: Tensor, gallery_features: Tensor) -> Tensor:
    """(N, M) float64 distances, smaller is nearer, of (N, D) and (M, D) features.

    Pooled features of a trained network lie so nearly in one direction that float32 orders many
    neighbours by its rounding alone, of the products and of unit lengths. Features of another length
    than 1 are taken as they are: products, not cosines.
    """
    query, gallery = (
        _unit(values.detach().double()) for values in (query_features, gallery_features)
    )
    return -(query @ gallery.T)


def _unit(values: Tensor) -> Tensor:
    """(N, D) float64 of length 1, where lengths are 1 to float32's rounding."""
    lengths = values.norm(dim=1, keepdim=True)
    rounded = bool((lengths - 1).abs().max() < ROUNDED) if len(values) else False
    return values / lengths if rounded else values


def rank_metrics(
    distances: npt.ArrayLike | Tensor,
    query_ids: npt.ArrayLike | Tensor,
    gallery_ids: npt.ArrayLike | Tensor,
    query_cams: npt.ArrayLike | Tensor | None = None,
    gallery_cams: npt.ArrayLike | Tensor | None = None,
    protocol: ProtocolName = "sysu",
    max_rank: int = 20,
) -> RankMetrics:
    """CMC, mAP and mINP of N queries ranked against M gallery images, nearest first.

    ========  =====================================================  =================
    protocol  dropped from a query's list                            CMC counts
    ========  =====================================================  =================
    sysu      all camera-2 images, where the query is of camera 3    identities
    regdb     nothing                                                images
    llcm      images of the query's identity and camera              identities
    market    images of the query's identity and camera              images
    ========  =====================================================  =================

    AP and INP are of the whole remaining list. Equal distances are ranked in gallery order.

    Args:
        distances: (N, M) array or tensor on any device, smaller is nearer; of any number type,
            compared as given (half precision as float32, whole numbers as float64).
        query_ids: (N,) identities, whole numbers or text.
        gallery_ids: (M,) identities.
        query_cams: (N,) camera numbers; needed by sysu, llcm and market.
        gallery_cams: (M,) camera numbers.
        protocol: "sysu", "regdb", "llcm" or "market".
        max_rank: length of the CMC curve.

    Raises:
        ProtocolError: the protocol is unknown or lacks cameras, counts differ, a set is empty, a
            distance is not finite, or no query has a right answer.
    """
    matrix = _as_matrix(distances)
    labels = Labels.check(query_ids, gallery_ids, query_cams, gallery_cams, protocol, *matrix.shape)
    if not (matrix.min() >= -FLOAT32_MAX and matrix.max() <= FLOAT32_MAX):
        raise ProtocolError(
            f"distances are NaN, infinite or beyond ±{FLOAT32_MAX:.1e}; expected finite numbers"
        )
    table = RankTable(labels, max_rank)
    step = max(16, BLOCK_ELEMENTS // matrix.shape[1])
    starts = range(0, len(matrix), step)
    in_threads(lambda start: _rank_block(matrix, slice(start, start + step), labels, table), starts)
    return table.finish()


def _rank_block(matrix: FloatArray, part: slice, labels: Labels, table: RankTable) -> None:
    """Rank the queries ``part`` of (N, M) distances."""
    exact = matrix[part]  # (n, M)
    rows = np.arange(len(matrix))[part]
    pairs = labels.own_pairs(rows)
    positions = labels.order[pairs.column]
    answers = RightAnswers(pairs, exact[pairs.query, positions], positions, len(rows))
    block = _sorted_columns(exact, labels)
    arithmetic = NumpyArithmetic()
    exclude(block, labels, pairs, rows, 0, arithmetic)
    tally = Tally(answers, labels.protocol.unique_identities, labels.longest, arithmetic)
    tally.add(
        block, labels.codes, labels.order,
        None if exact.dtype == np.float32 else lambda q: exact[q].T[labels.order],
    )  # fmt: skip
    table.fill(rows, answers, tally)


def _sorted_columns(distances: FloatArray, labels: Labels) -> FloatBlock:
    """(n, M) distances as (M, n) float32, images sorted by identity.

    Rounding to float32 never turns an order round; what it makes equal is looked at again.
    """
    block = np.empty(distances.shape[::-1], dtype=np.float32)
    for start in range(0, len(distances), COPIED_ROWS):
        columns = slice(start, start + COPIED_ROWS)
        part = np.ascontiguousarray(distances[columns].T, dtype=np.float32)
        block[:, columns] = part if labels.is_sorted else part[labels.order]
    return block


def _as_matrix(distances: Any) -> FloatArray:
    """(N, M) float32 or float64 distances in the order of the given ones."""
    if isinstance(distances, Tensor):
        tensor = distances.detach().cpu()
        # NumPy has no bfloat16
        distances = (
            (tensor if tensor.dtype is torch.float64 else tensor.float()).numpy()
            if tensor.is_floating_point()
            else tensor.numpy()
        )
    array = np.asarray(distances)
    if array.ndim != 2:
        raise ProtocolError(f"distances has shape {array.shape}, expected (queries, gallery)")
    if array.dtype.kind not in "fiu" or array.dtype.itemsize > 8:
        raise ProtocolError(
            f"distances has type {array.dtype}, expected numbers of 64 bits at most"
        )
    if array.dtype in (np.float32, np.float64):
        return array
    return array.astype(np.float32 if array.dtype == np.float16 else np.float64)
