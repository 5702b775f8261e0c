"""Metrics of a ranking given as a matrix of distances."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mscm_lib.errors import ProtocolError
from mscm_lib.metrics.counting import RightAnswers, Tally, as_float32, drop_shared_place
from mscm_lib.metrics.labels import Labels
from mscm_lib.metrics.protocols import ProtocolName
from mscm_lib.metrics.rankings import RankMetrics, RankTable

BLOCK_ELEMENTS = 1 << 21  # distances looked at in one go


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
    queries, gallery = matrix.shape
    labels = Labels.check(
        query_ids, gallery_ids, query_cams, gallery_cams, protocol, queries, gallery
    )
    table = RankTable(labels, max_rank)
    step = max(1, BLOCK_ELEMENTS // gallery)
    for start in range(0, queries, step):
        _rank_block(matrix[start : start + step], start, labels, table)
    return table.finish()


def _rank_block(distances: Tensor, start: int, labels: Labels, table: RankTable) -> None:
    """Rank the queries from ``start`` on, whose distances (n, M) are given."""
    device = distances.device
    rows = np.arange(start, start + len(distances))
    order = torch.from_numpy(labels.order).to(device)
    exact = _as_real(distances)
    low, high = torch.aminmax(exact)
    if not (torch.isfinite(low) and torch.isfinite(high)):
        raise ProtocolError("a distance is NaN or infinite; expected finite numbers")
    rounded = as_float32(exact)
    block = rounded.clone() if labels.is_sorted else rounded.index_select(1, order)
    pairs = labels.own_pairs(rows)
    query, column = torch.from_numpy(pairs.query).to(device), torch.from_numpy(pairs.column)
    positions = order[column.to(device)]
    answers = RightAnswers(pairs, exact[query, positions], positions, len(rows))
    block[query, column.to(device)] = torch.inf
    drop_shared_place(block, labels, rows, slice(None))
    tally = Tally(answers, labels.protocol.unique_identities, labels.longest)
    tally.add(
        block, torch.from_numpy(labels.codes).to(device), order,
        None if exact.dtype is torch.float32 else lambda q: exact[q].index_select(1, order),
    )  # fmt: skip
    table.fill(rows, answers, tally)


def _as_real(distances: Tensor) -> Tensor:
    """Float32 or float64 distances in the order of the given ones."""
    if not distances.is_floating_point():
        return distances.double()
    return distances.float() if distances.element_size() < 4 else distances


def _as_matrix(distances: Any) -> Tensor:
    matrix = distances.detach() if isinstance(distances, Tensor) else _from_numpy(distances)
    if matrix.ndim != 2:
        raise ProtocolError(
            f"distances has shape {tuple(matrix.shape)}, expected (queries, gallery)"
        )
    return matrix


def _from_numpy(values: Any) -> Tensor:
    array = np.asarray(values)
    if array.dtype.kind not in "fiu":
        raise ProtocolError(f"distances has type {array.dtype}, expected numbers")
    if array.dtype == np.longdouble and array.dtype != np.float64:
        raise ProtocolError("distances has type longdouble, expected at most float64")
    if array.dtype.kind == "u":
        array = array.astype(np.float64)
    return torch.from_numpy(np.ascontiguousarray(array))
