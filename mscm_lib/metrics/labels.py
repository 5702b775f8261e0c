"""Checked labels of queries and gallery, and which gallery images are a query's own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from mscm_lib.errors import ProtocolError
from mscm_lib.protocols import (
    BoolArray,
    LabelArray,
    Protocol,
    protocol_named,
)

IntArray = npt.NDArray[np.int64]


class OwnPairs(NamedTuple):
    """Every pair of a query and a gallery image of its identity, query by query.

    Attributes:
        query: (K,) row of the query, ascending.
        column: (K,) column in the gallery sorted by identity, ascending within a query.
        kept: (K,) False where the protocol drops the image from this query's list.
    """

    query: IntArray
    column: IntArray
    kept: BoolArray


@dataclass(frozen=True)
class Labels:
    """Who is on N queries and M gallery images, and what the protocol makes of it.

    The gallery is thought of sorted by identity, images of one identity in gallery order: then the
    images of an identity are neighbours, and so are the right answers of a query.
    """

    protocol: Protocol
    query_ids: LabelArray
    gallery_ids: LabelArray
    query_cams: LabelArray
    gallery_cams: LabelArray

    @classmethod
    def check(
        cls,
        query_ids: Any,
        gallery_ids: Any,
        query_cams: Any,
        gallery_cams: Any,
        protocol: str,
        queries: int,
        gallery: int,
    ) -> Labels:
        """Labels for ``queries`` × ``gallery`` pairs.

        Raises:
            ProtocolError: the protocol is unknown or lacks its camera labels, there are no queries
                or no gallery images, or there are not as many labels as images.
        """
        rules = protocol_named(protocol)
        for what, count in (("query", queries), ("gallery", gallery)):
            if count == 0:
                raise ProtocolError(f"the {what} set is empty: there is nothing to rank")
        if rules.needs_cameras and (query_cams is None or gallery_cams is None):
            raise ProtocolError(
                f"protocol {protocol!r} drops gallery images by camera: give query_cams and "
                "gallery_cams"
            )
        return cls(
            rules,
            _labels("query_ids", query_ids, queries, "iubUS"),
            _labels("gallery_ids", gallery_ids, gallery, "iubUS"),
            _labels("query_cams", query_cams, queries, "iu"),
            _labels("gallery_cams", gallery_cams, gallery, "iu"),
        )

    @cached_property
    def order(self) -> IntArray:
        """(M,) the gallery's rows sorted by identity."""
        return np.argsort(self.gallery_ids, kind="stable")

    @cached_property
    def is_sorted(self) -> bool:
        """Whether the gallery comes sorted by identity."""
        return bool((self.order[1:] > self.order[:-1]).all())

    @cached_property
    def sorted_ids(self) -> LabelArray:
        """(M,) identities in sorted order."""
        return self.gallery_ids[self.order]

    @cached_property
    def sorted_cams(self) -> LabelArray:
        """(M,) cameras in the order of `sorted_ids`."""
        return self.gallery_cams[self.order]

    @cached_property
    def codes(self) -> IntArray:
        """(M,) identities numbered 0, 1, … in sorted order."""
        changes = self.sorted_ids[1:] != self.sorted_ids[:-1]
        return np.concatenate([np.zeros(1, np.int64), np.cumsum(changes)])

    @cached_property
    def longest(self) -> int:
        """Images of the identity that has most of them."""
        return int(np.bincount(self.codes).max())

    @cached_property
    def own_range(self) -> tuple[IntArray, IntArray]:
        """(N,), (N,): a query's own images are the columns begin ≤ c < end of the sorted order."""
        begin = np.searchsorted(self.sorted_ids, self.query_ids, side="left")
        return begin, np.searchsorted(self.sorted_ids, self.query_ids, side="right")

    @cached_property
    def places_shared(self) -> list[tuple[BoolArray, BoolArray]]:
        """(N,), (M,) of each pair of cameras: a marked query loses every marked column."""
        marked = [
            (self.query_cams == query, self.sorted_cams == gallery)
            for query, gallery in self.protocol.places
        ]
        return [(rows, columns) for rows, columns in marked if rows.any() and columns.any()]

    def own_pairs(self, rows: IntArray) -> OwnPairs:
        """The own pairs of the queries ``rows``; `OwnPairs.query` numbers them 0, 1, …"""
        begin, end = (edge[rows] for edge in self.own_range)
        sizes = end - begin
        query = np.repeat(np.arange(len(rows)), sizes)
        firsts = np.cumsum(sizes) - sizes
        column = np.arange(len(query)) - firsts[query] + begin[query]
        cams = self.query_cams[rows][query], self.sorted_cams[column]
        return OwnPairs(query, column, ~self.protocol.dropped(*cams))


def _labels(name: str, values: Any, count: int, kinds: str) -> LabelArray:
    """One label an image as a NumPy array of an allowed kind; all alike where none are given."""
    if values is None:
        return np.zeros(count, dtype=np.int64)
    array = (
        values.detach().cpu().numpy() if isinstance(values, torch.Tensor) else np.asarray(values)
    )
    if array.shape != (count,):
        raise ProtocolError(
            f"{name} has shape {array.shape}, expected ({count},): one label for each image"
        )
    if array.dtype.kind not in kinds:
        wanted = "whole numbers or text" if "U" in kinds else "whole numbers"
        raise ProtocolError(f"{name} has type {array.dtype}, expected {wanted}")
    return array
