"""The best-scoring gallery rows of each query: by product, by FAISS, or approximately."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from mscm_lib.errors import DataError


def _faiss() -> Any:
    """FAISS, which small galleries do not wait for."""
    import faiss

    return faiss


FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]
Method = Literal["exact", "approximate"]
Found = tuple[FloatArray, IntArray]

SWITCH = 100_000
"""Gallery images from which on FAISS searches.

The product is the faster of the two at every size measured (results/benchmarks/retrieval.csv), but
holds the scores of its queries against the whole gallery: 1 KiB an image, 100 MiB here. FAISS's
memory does not grow with the gallery.
"""

_LINKS, _BUILD_EFFORT, _SEARCH_EFFORT = 32, 80, 256  # of the graph: neighbours, candidates
_PRODUCT_QUERIES = 256  # at one time, so that scores stay small
_ROUNDED = 1e-5  # by which float32 may miss a product of unit features, generously


def exact(features: FloatArray, queries: FloatArray, count: int) -> Found:
    """The ``count`` highest scores of (N, D) queries among (M, D) unit features, best first.

    Returns:
        (N, count) scores and gallery rows.
    """
    return (by_product if len(features) < SWITCH else by_faiss)(features, queries, count)


def by_product(features: FloatArray, queries: FloatArray, count: int) -> Found:
    """One matrix product and a partial sort; equal scores come in gallery order, exactly.

    What float32 cannot put in order, as neighbours by a pooled feature often are, float64 does.
    """
    scores = np.empty((len(queries), count), np.float32)
    rows = np.empty((len(queries), count), np.int64)
    for start in range(0, len(queries), _PRODUCT_QUERIES):
        products = queries[start : start + _PRODUCT_QUERIES] @ features.T  # (n, M)
        for place, line in enumerate(products, start):
            last = np.partition(line, len(line) - count)[len(line) - count]
            candidates = np.flatnonzero(line >= last - _ROUNDED)
            near = features[candidates].astype(np.float64)  # (K, D)
            cosines = (near * queries[place]).sum(1) / np.sqrt((near * near).sum(1))
            best = np.argsort(-cosines, kind="stable")[:count]
            rows[place], scores[place] = candidates[best], cosines[best]
    return scores, rows


def by_faiss(features: FloatArray, queries: FloatArray, count: int) -> Found:
    """FAISS's exhaustive search: every score is computed, the matrix of scores is never held.

    Scores may differ from `by_product`'s in the last bits. Where equal scores straddle the end of
    the list, FAISS says which of them are in it.
    """
    queries, product = np.ascontiguousarray(queries), _faiss().METRIC_INNER_PRODUCT
    return _ordered(*_faiss().knn(queries, features, count, metric=product))


class Graph:
    """FAISS's navigable small-world graph: quick in large galleries, and may miss neighbours."""

    def __init__(self, index: Any) -> None:
        self.index = index

    @classmethod
    def build(cls, features: FloatArray) -> Graph:
        """The graph of (M, D) unit features; takes minutes from hundreds of thousands on."""
        index = _faiss().IndexHNSWFlat(features.shape[1], _LINKS, _faiss().METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = _BUILD_EFFORT
        index.add(np.ascontiguousarray(features))
        return cls(index)

    def find(self, queries: FloatArray, count: int) -> Found:
        """As `exact`; a row of -1 where the graph gave out."""
        self.index.hnsw.efSearch = max(_SEARCH_EFFORT, 2 * count)
        return _ordered(*self.index.search(np.ascontiguousarray(queries), count))

    def save(self, path: Path) -> None:
        """Write the graph into a folder that is written as a whole."""
        _faiss().write_index(self.index, str(path))

    @classmethod
    def open(cls, path: Path, shape: tuple[int, int]) -> Graph:
        """Read the graph of ``shape`` (M, D) features.

        Raises:
            DataError: the file is missing, damaged, or of other features.
        """
        try:
            index = _faiss().read_index(str(path))
        except RuntimeError as error:
            reason = f"missing or damaged ({str(error).splitlines()[0]})"
            raise DataError(f"{path}: {reason}; build the index again") from error
        if (index.ntotal, index.d) != shape or not isinstance(index, _faiss().IndexHNSWFlat):
            raise DataError(
                f"{path}: a {type(index).__name__} of {index.ntotal} features of {index.d} "
                f"numbers, expected an IndexHNSWFlat of {shape[0]} of {shape[1]}; build the index "
                "again"
            )
        return cls(index)


def _ordered(scores: FloatArray, rows: IntArray) -> Found:
    """Highest score first, equal ones in gallery order."""
    order = np.lexsort((rows, -scores), axis=1)
    return np.take_along_axis(scores, order, 1), np.take_along_axis(rows, order, 1)
