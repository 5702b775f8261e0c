"""Exact ranks of a query's right answers by counting, without sorting the whole list.

The rank of a right answer is one more than the number of images listed before it, and those are
counted block by block. What stands before is decided by distance, then by place in the gallery, so
equal distances are ranked as a stable sort would rank them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from mscm_lib.metrics.labels import IntArray, Labels, OwnPairs

# Below this many right answers a query one comparison each is cheaper than sorting: a comparison
# pass costs about 0.1 ns a distance, a sort 1.1 ns with vector instructions for float32.
FEW = 6
# Rows up to this length are sorted by vector instructions alone, several times faster than longer
# ones; but a longer row needs fewer searches, which tells where there are many right answers.
SHORT_ROW = 512
MANY = 160
TIE_ELEMENTS = 1 << 22  # distances looked at in one go where ties are resolved


class RightAnswers:
    """The kept right answers of n queries, nearest first, P places wide.

    Args:
        pairs: own pairs of the queries.
        distances: (K,) of those pairs, float32 or float64.
        positions: (K,) places in the gallery of the pairs' images.
        queries: n.

    Attributes:
        number: (n,) how many a query has.
        distances: (n, P) ascending, in the type given.
        rounded: (n, P) the same in float32; -inf beyond a query's number: nothing is before those.
        positions: (n, P) places in the gallery; equal distances are in gallery order.
    """

    def __init__(self, pairs: OwnPairs, distances: Tensor, positions: Tensor, queries: int) -> None:
        device = distances.device
        counts = np.bincount(pairs.query[pairs.kept], minlength=queries)
        width = max(1, int(counts.max()))
        kept = pairs.query[pairs.kept]
        place = np.arange(len(kept)) - (np.cumsum(counts) - counts)[kept]
        slot = torch.from_numpy(kept * width + place).to(device)
        chosen = torch.from_numpy(np.flatnonzero(pairs.kept)).to(device)
        self.number = torch.from_numpy(counts).to(device)
        table = torch.full((queries * width,), torch.inf, dtype=distances.dtype, device=device)
        found = torch.zeros(queries * width, dtype=torch.int64, device=device)
        table[slot], found[slot] = distances[chosen], positions[chosen]
        # pairs come in gallery order, so a stable sort keeps equal distances in gallery order
        self.distances, places = torch.sort(table.view(queries, width), dim=1, stable=True)
        self.positions = found.view(queries, width).gather(1, places)
        absent = torch.arange(width, device=device) >= self.number[:, None]  # (n, P)
        self.rounded = as_float32(self.distances).masked_fill_(absent, -torch.inf)


def as_float32(distances: Tensor) -> Tensor:
    """Distances rounded to finite float32, which never turns an order round but may make equal."""
    if distances.dtype is torch.float32:
        return distances
    limit = torch.finfo(torch.float32).max
    return distances.clamp(-limit, limit).float()


def drop_shared_place(block: Tensor, labels: Labels, rows: IntArray, columns: slice) -> None:
    """Set distances to +inf where a query's list loses an image to the rule of the shared place.

    Args:
        block: (n, T) distances.
        labels: of all queries and the gallery.
        rows: (n,) which queries these are.
        columns: which T columns of the gallery sorted by identity.
    """
    if labels.place_shared is None:
        return
    lost, where = (
        torch.from_numpy(mark[part])
        for mark, part in zip(labels.place_shared, (rows, columns), strict=True)
    )
    # one pass over the block: 1e30 * 1e30 overflows to +inf, and 0 times anything here is 0
    query, gallery = (mark.float().mul_(1e30).to(block.device) for mark in (lost, where))
    block.addcmul_(query[:, None], gallery[None])


class Tally:
    """Counts, block by block of the gallery, what stands before each right answer of n queries.

    Args:
        answers: the right answers.
        unique: whether to count identities before the first right answer as well.
        longest: images of the gallery's largest identity.

    Attributes:
        before: (n, P) images of other identities before each right answer.
        identities: (n,) other identities that appear before the first right answer.
    """

    def __init__(self, answers: RightAnswers, unique: bool, longest: int) -> None:
        self.answers = answers
        self.unique, self.longest = unique, longest
        number, device = answers.rounded.shape[0], answers.rounded.device
        self.before = torch.zeros(answers.rounded.shape, dtype=torch.int64, device=device)
        self.identities = torch.zeros(number, dtype=torch.int64, device=device)
        self._open = torch.zeros(number, dtype=torch.bool, device=device)
        self._last = torch.full((1,), -1, dtype=torch.int64, device=device)

    def add(
        self,
        block: Tensor,
        codes: Tensor,
        positions: Tensor,
        exact: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        """Count a block of the gallery; blocks follow each other in the order of identities.

        Args:
            block: (n, T) float32 distances; +inf where an image is the query's own or dropped.
            codes: (T,) identities, numbered; an identity may go on from the block before.
            positions: (T,) places in the gallery.
            exact: rows of ``block`` before they were rounded to float32, by the queries' numbers.
        """
        n, width = self.answers.rounded.shape
        mark = torch.empty(block.shape, dtype=torch.float32, device=block.device)
        compared = 1 if width > FEW else width
        less = torch.empty((n, compared), dtype=torch.int64, device=block.device)
        tied = torch.empty((n, compared), dtype=torch.bool, device=block.device)
        first_marks = None
        for k in range(compared) if self.unique or width <= FEW else ():
            answer = self.answers.rounded[:, k : k + 1]
            # comparing into float32 is several times faster on a CPU than comparing into bool
            below = torch.lt(block, answer, out=mark).sum(1)
            if k == 0 and self.unique:
                first_marks = mark.bool()
            less[:, k] = below
            tied[:, k] = torch.le(block, answer, out=mark).sum(1) > below
        resolve = Ties(self.answers, block, positions, exact)
        if first_marks is not None:
            for q, before in resolve(tied[:, :1]):
                first_marks[q[0]] = before
            self._count_identities(first_marks, codes)
        if width > FEW:
            less, tied = self._search(block)
        for where, before in resolve(tied):
            less[where] = before.sum(1)
        self.before += less

    def _search(self, block: Tensor) -> tuple[Tensor, Tensor]:
        """(n, P) distances below each answer's, and whether any equals it, by sorting rows."""
        n, width = self.answers.rounded.shape
        length = block.shape[1]
        if length > SHORT_ROW and width <= MANY:
            rows = functional.pad(block, (0, -length % SHORT_ROW), value=torch.inf)
            rows = rows.reshape(-1, SHORT_ROW)  # (n * pieces, 512)
        else:
            rows = block.clone()
        _sort_rows(rows)
        pieces = len(rows) // n
        answers = self.answers.rounded.repeat_interleave(pieces, dim=0)  # (n * pieces, P)
        less = torch.searchsorted(rows, answers)
        equal = rows.gather(1, less.clamp(max=rows.shape[1] - 1)) == answers
        return less.view(n, pieces, width).sum(1), equal.view(n, pieces, width).any(1)

    def _count_identities(self, before: Tensor, codes: Tensor) -> None:
        """Add the identities of a block with an image before the first answer: marks (n, T)."""
        _spread_to_first(before, codes, self.longest)
        first = functional.pad(codes[1:] != codes[:-1], (1, 0), value=True)  # (T,)
        goes_on = codes[:1] == self._last
        # an identity that goes on from the block before must not be counted again
        repeated = before[:, 0] & self._open & goes_on
        self.identities += (before & first).sum(1) - repeated.long()
        # the first column of the last identity, without asking the device where it is
        last = (codes == codes[-1]).to(torch.uint8).argmax()[None]
        whole = (codes[:1] == codes[-1:]) & goes_on
        self._open = before.index_select(1, last)[:, 0] | (self._open & whole)
        self._last = codes[-1:]


@dataclass(frozen=True)
class Ties:
    """Decides, by distance and place, what is before a right answer that others are as far as.

    Attributes: as in `Tally.add`.
    """

    answers: RightAnswers
    block: Tensor
    positions: Tensor
    exact: Callable[[Tensor], Tensor] | None

    def __call__(self, tied: Tensor) -> Iterator[tuple[tuple[Tensor, Tensor], Tensor]]:
        """For the marked of (n, k) answers: (query, answer), both (m,), and (m, T) what is before.

        In portions, so that memory stays bounded when everything is tied.
        """
        query, answer = tied.nonzero(as_tuple=True)
        step = max(1, TIE_ELEMENTS // self.block.shape[1])
        for start in range(0, len(query), step):
            q, k = query[start : start + step], answer[start : start + step]
            rows = self.block[q]  # (m, T)
            values = rows if self.exact is None else self.exact(q)
            rounded, distance = self.answers.rounded[q, k, None], self.answers.distances[q, k, None]
            earlier = self.positions < self.answers.positions[q, k, None]
            nearer = (values < distance) | ((values == distance) & earlier)
            yield (q, k), (rows < rounded) | ((rows == rounded) & nearer)


def _spread_to_first(mark: Tensor, codes: Tensor, longest: int) -> None:
    """Set an identity's first column of ``mark`` (n, T) where any of its columns is set.

    After the step of width s a column holds what it and the 2s - 1 columns behind it held, as far
    as they are of its identity.
    """
    step = 1
    while step < min(longest, mark.shape[1]):
        same = codes[step:] == codes[:-step]
        mark[:, :-step] |= mark[:, step:] & same
        step *= 2


def _sort_rows(rows: Tensor) -> None:
    """Sort each row ascending in place, with as many threads as PyTorch uses."""
    if rows.device.type != "cpu":
        rows.copy_(torch.sort(rows, dim=1).values)
        return
    # NumPy sorts values alone with vector instructions, about ten times faster than torch.sort
    array = rows.numpy()
    parts = np.array_split(array, torch.get_num_threads())
    if len(parts) == 1:
        array.sort(axis=1)
        return
    with ThreadPoolExecutor(len(parts)) as pool:
        list(pool.map(lambda part: part.sort(axis=1), parts))
