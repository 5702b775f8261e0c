"""Exact ranks of a query's right answers by counting, without sorting the whole list.

The rank of a right answer is one more than the number of images listed before it, and those are
counted block by block. What stands before is decided by distance, then by place in the gallery, so
equal distances are ranked as a stable sort would rank them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mscm_lib.metrics.arithmetic import Arithmetic
from mscm_lib.metrics.labels import IntArray, Labels, OwnPairs

FEW = 8  # right answers of a query up to which comparing with each is cheaper than sorting
TIE_ELEMENTS = 1 << 22  # distances looked at in one go where ties are resolved
FLOAT32_MAX = float(np.finfo(np.float32).max)


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

    def __init__(
        self, pairs: OwnPairs, distances: npt.NDArray[Any], positions: IntArray, queries: int
    ) -> None:
        query = pairs.query[pairs.kept]
        self.number = np.bincount(query, minlength=queries)
        width = max(1, int(self.number.max()))
        place = np.arange(len(query)) - (np.cumsum(self.number) - self.number)[query]
        table = np.full((queries, width), np.inf, dtype=distances.dtype)
        found = np.zeros((queries, width), dtype=np.int64)
        table[query, place], found[query, place] = distances[pairs.kept], positions[pairs.kept]
        # pairs come in gallery order, so a stable sort keeps equal distances in gallery order
        order = np.argsort(table, axis=1, kind="stable")
        self.distances = np.take_along_axis(table, order, axis=1)
        self.positions = np.take_along_axis(found, order, axis=1)
        self.rounded = self.distances.astype(np.float32)
        self.rounded[np.arange(width) >= self.number[:, None]] = -np.inf


def exclude(
    block: Any,
    labels: Labels,
    pairs: OwnPairs,
    rows: IntArray,
    start: int,
    arithmetic: Arithmetic,
) -> None:
    """Set distances to +inf where an image is the query's own or its place is shared.

    Args:
        block: (T, n) distances.
        labels: of all queries and the gallery.
        pairs: own pairs of these queries, as far as they are in this block.
        rows: (n,) which queries these are.
        start: column of the block's first image in the gallery sorted by identity.
        arithmetic: of the block's library.
    """
    array = arithmetic.array
    block[array(pairs.column - start), array(pairs.query)] = np.inf
    for queries, images in labels.places_shared:
        lost = np.flatnonzero(images[start : start + len(block)])
        block[array(lost)] += array(np.where(queries[rows], np.inf, 0).astype(np.float32))


class Tally:
    """Counts, block by block of the gallery, what stands before each right answer of n queries.

    Args:
        answers: the right answers.
        unique: whether to count identities before the first right answer as well.
        longest: images of the gallery's largest identity.
        arithmetic: of the library whose arrays the blocks are.

    Attributes:
        before: (n, P) images of other identities before each right answer.
        identities: (n,) other identities that appear before the first right answer.
    """

    def __init__(
        self, answers: RightAnswers, unique: bool, longest: int, arithmetic: Arithmetic
    ) -> None:
        self.answers, self.arithmetic = answers, arithmetic
        self.unique, self.longest = unique, longest
        self.limits = arithmetic.array(answers.rounded)
        self.before = arithmetic.array(np.zeros(answers.rounded.shape, dtype=np.int64))
        self.identities = arithmetic.array(np.zeros(len(answers.number), dtype=np.int64))
        self._open = arithmetic.array(np.zeros(len(answers.number), dtype=np.bool_))
        self._last = -1

    def add(
        self,
        block: Any,
        codes: IntArray,
        positions: Any,
        exact: Callable[[Any], Any] | None = None,
    ) -> None:
        """Count a block of the gallery; blocks follow each other in the order of identities.

        Args:
            block: (T, n) float32 distances; +inf where an image is the query's own or dropped.
            codes: (T,) identities, numbered; an identity may go on from the block before.
            positions: (T,) places in the gallery.
            exact: columns of ``block`` before they were rounded to float32, by the queries'
                numbers.
        """
        width = self.limits.shape[1]
        compared = width if width <= FEW else int(self.unique)
        ties = _Ties(self.answers, self.arithmetic, block, positions, exact)
        for k in range(compared):
            marks, number = self._listed_before(block, k, ties)
            if width <= FEW:
                self.before[:, k] += number
            if k == 0 and self.unique:
                self._count_identities(marks, codes)
        if width > FEW:
            less, equal = self.arithmetic.search(block, self.limits)
            for q, k, before in ties.resolve(*self.arithmetic.marked(equal)):
                less[q, k] = before.sum(0)
            self.before += less

    def _listed_before(self, block: Any, k: int, ties: _Ties) -> tuple[Any, Any]:
        """What is before the k-th answer: marked (T, n), and how much of it (n,)."""
        marks = self.arithmetic.below(block, self.limits[:, k])
        number = self.arithmetic.count(marks)
        tied = self.arithmetic.count_up_to(block, self.limits[:, k]) > number
        query, _ = self.arithmetic.marked(tied[:, None])
        for q, _, before in ties.resolve(query, query * 0 + k):
            marks[:, q] = before
            number[q] = before.sum(0)
        return marks, number

    def _count_identities(self, marks: Any, codes: IntArray) -> None:
        """Count the identities of a block that have a mark (T, n); overwrites the marks."""
        array, count = self.arithmetic.array, self.arithmetic.count
        # Set an identity's first row where any of its rows is set: after the step of width s a row
        # holds what it and the 2s - 1 rows behind it held, as far as they are of its identity.
        step = 1
        while step < min(self.longest, len(codes)):
            same = array(codes[step:] == codes[:-step])
            marks[:-step] |= marks[step:] & same[:, None]
            step *= 2
        first = np.flatnonzero(np.diff(codes, prepend=-1))
        self.identities += count(marks[array(first)])
        goes_on = int(codes[0]) == self._last
        if goes_on:  # already counted where the block before had a mark of it
            self.identities -= count((marks[0] & self._open)[None])
        whole = goes_on and len(first) == 1
        self._open = marks[int(first[-1])] | (self._open & whole)
        self._last = int(codes[-1])


@dataclass(frozen=True)
class _Ties:
    """Decides, by distance and place, what is before an answer that others are as far as."""

    answers: RightAnswers
    arithmetic: Arithmetic
    block: Any
    positions: Any
    exact: Callable[[Any], Any] | None

    def resolve(self, query: Any, answer: Any) -> Iterator[tuple[Any, Any, Any]]:
        """For queries and answers (m,): both again and (T, m), what is before.

        In portions, so that memory stays bounded when everything is tied.
        """
        array, numpy = self.arithmetic.array, self.arithmetic.numpy
        step = max(1, TIE_ELEMENTS // len(self.block))
        for start in range(0, len(query), step):
            q, k = query[start : start + step], answer[start : start + step]
            at = numpy(q), numpy(k)
            rounded = self.block[:, q]  # (T, m)
            values = rounded if self.exact is None else self.exact(at[0])
            distance = array(self.answers.distances[at])
            earlier = self.positions[:, None] < array(self.answers.positions[at])
            limit = array(self.answers.rounded[at])
            nearer = (values < distance) | ((values == distance) & earlier)
            yield q, k, (rounded < limit) | ((rounded == limit) & nearer)
