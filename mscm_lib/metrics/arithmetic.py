"""The few costly operations of counting, for NumPy on a CPU and for PyTorch on a GPU.

Both see a block of distances as (T, n): gallery images by queries. Sums over the gallery then add
whole rows, which processors do with vector instructions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

Item = TypeVar("Item")
FloatBlock = npt.NDArray[np.float32]

# Rows up to this length are sorted by vector instructions alone, at about 1 ns a number where long
# rows take 10; but a longer row needs fewer searches, which tells where there are many of them.
SHORT_ROW = 512
MANY = 160


class Arithmetic(Protocol):
    """What `Tally` asks of an array library; arrays are the library's own."""

    def array(self, values: npt.NDArray[Any]) -> Any:
        """``values`` where the library computes."""

    def numpy(self, values: Any) -> npt.NDArray[Any]:
        """The reverse of `array`."""

    def below(self, block: Any, limit: Any) -> Any:
        """(T, n) bool: which distances of a block are below their query's limit (n,)."""

    def count(self, marks: Any) -> Any:
        """(n,) how many of (T, n) marks are set."""

    def count_up_to(self, block: Any, limit: Any) -> Any:
        """(n,) how many distances of a block are at most their query's limit (n,)."""

    def search(self, block: Any, limits: Any) -> tuple[Any, Any]:
        """(n, P) how many distances are below each of many limits, and whether any equals it."""

    def marked(self, marks: Any) -> tuple[Any, Any]:
        """Row and column of the set marks of a matrix."""


class NumpyArithmetic:
    """See `Arithmetic`. NumPy computes in the thread that calls, so blocks can run side by side."""

    def array(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """See `Arithmetic`."""
        return values

    numpy = array

    def below(self, block: FloatBlock, limit: FloatBlock) -> npt.NDArray[np.bool_]:
        """See `Arithmetic`."""
        return np.less(block, limit)

    def count(self, marks: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
        """See `Arithmetic`."""
        total = np.zeros(marks.shape[1], dtype=np.int64)
        for start in range(0, len(marks), 255):  # as many as a byte can count
            part = marks[start : start + 255].view(np.uint8)
            total += np.add.reduce(part, axis=0, dtype=np.uint8)
        return total

    def count_up_to(self, block: FloatBlock, limit: FloatBlock) -> npt.NDArray[np.int64]:
        """See `Arithmetic`."""
        return self.count(np.less_equal(block, limit))

    def search(
        self, block: FloatBlock, limits: FloatBlock
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """See `Arithmetic`."""
        rows = _rows_to_sort(torch.from_numpy(block), limits.shape[1])
        rows.numpy().sort(axis=1)  # ten times faster than torch.sort, which carries indices along
        less, equal = _search_rows(rows, torch.from_numpy(limits))
        return less.numpy(), equal.numpy()

    def marked(
        self, marks: npt.NDArray[np.bool_]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """See `Arithmetic`."""
        row, column = np.nonzero(marks)
        return row, column


class TorchArithmetic:
    """See `Arithmetic`.

    Args:
        device: where blocks lie.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def array(self, values: npt.NDArray[Any]) -> Tensor:
        """See `Arithmetic`."""
        return torch.from_numpy(np.ascontiguousarray(values)).to(self.device)

    def numpy(self, values: Tensor) -> npt.NDArray[Any]:
        """See `Arithmetic`."""
        return np.asarray(values.cpu())

    def below(self, block: Tensor, limit: Tensor) -> Tensor:
        """See `Arithmetic`."""
        return block < limit

    def count(self, marks: Tensor) -> Tensor:
        """See `Arithmetic`."""
        return marks.sum(0)

    def count_up_to(self, block: Tensor, limit: Tensor) -> Tensor:
        """See `Arithmetic`."""
        return (block <= limit).sum(0)

    def search(self, block: Tensor, limits: Tensor) -> tuple[Tensor, Tensor]:
        """See `Arithmetic`."""
        rows = torch.sort(_rows_to_sort(block, limits.shape[1]), dim=1).values
        return _search_rows(rows, limits)

    def marked(self, marks: Tensor) -> tuple[Tensor, Tensor]:
        """See `Arithmetic`."""
        row, column = marks.nonzero(as_tuple=True)
        return row, column


@contextmanager
def full_precision() -> Iterator[None]:
    """A block in which float32 products are float32's, whatever the caller lets PyTorch round to
    (TF32 on a GPU, bfloat16 on a CPU, autocast on both); the caller's choice stands again after it.
    """
    backends: tuple[Any, ...] = (torch.backends.cuda, torch.backends.mkldnn)
    products = [backend.matmul for backend in backends]
    before = [product.fp32_precision for product in products]
    try:
        for product in products:
            product.fp32_precision = "ieee"
        with torch.autocast("cuda", enabled=False), torch.autocast("cpu", enabled=False):
            yield
    finally:
        for product, precision in zip(products, before, strict=True):
            product.fp32_precision = precision


def product(tile: Tensor, queries: Tensor) -> Tensor:
    """(T, Q) products of (T, D) images with (D, Q) queries, whose bits do not depend on their places."""
    if tile.device.type == "cpu":  # in NumPy's BLAS one thread is enough
        images, others = tile.numpy(), queries.numpy()
        if images.dtype == np.float32 and not _steady():
            exact = images.astype(np.float64) @ others.astype(np.float64)
            return torch.from_numpy(exact.astype(np.float32))
        return torch.from_numpy(images @ others)
    return tile @ queries


@lru_cache
def _steady() -> bool:
    """Whether float32 products of NumPy's BLAS have the same bits wherever a row or column stands.

    Those of OpenBLAS for AVX2 have not, so that equal pictures would not be ranked in gallery order.
    """
    generator = np.random.default_rng(0)
    images, others = (generator.standard_normal(s, np.float32) for s in ((1024, 64), (64, 256)))
    found = images @ others
    return all(
        np.array_equal(np.roll(images, by, 0) @ others, np.roll(found, by, 0))
        and np.array_equal(images @ np.roll(others, by, 1), np.roll(found, by, 1))
        for by in (1, 3, 100)
    )


def in_threads(work: Callable[[Item], None], items: Sequence[Item]) -> None:
    """Call ``work`` for each item, as many at a time as PyTorch may use threads."""
    threads = min(torch.get_num_threads(), len(items))
    if threads <= 1:
        for item in items:
            work(item)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, items))


def _rows_to_sort(block: Tensor, limits: int) -> Tensor:
    """A block (T, n) as rows of one query each, padded with +inf: (n, T) or (n·T/512, 512)."""
    rows = block.T.contiguous()  # (n, T)
    if len(block) <= SHORT_ROW or limits > MANY:
        return rows.clone() if rows.data_ptr() == block.data_ptr() else rows
    return functional.pad(rows, (0, -len(block) % SHORT_ROW), value=torch.inf).view(-1, SHORT_ROW)


def _search_rows(rows: Tensor, limits: Tensor) -> tuple[Tensor, Tensor]:
    """What `Arithmetic.search` gives, from the sorted rows of `_rows_to_sort`."""
    n, width = limits.shape
    pieces = len(rows) // n
    wanted = limits.repeat_interleave(pieces, dim=0)  # (n·pieces, P)
    less = torch.searchsorted(rows, wanted)
    equal = rows.gather(1, less.clamp(max=rows.shape[1] - 1)) == wanted
    return less.view(n, pieces, width).sum(1), equal.view(n, pieces, width).any(1)
