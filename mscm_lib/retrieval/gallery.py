"""`GalleryIndex`: gallery embeddings with their labels, on disk and in use."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from mscm_lib.config import check_known
from mscm_lib.data.packed.arrays import INDEX_COLUMNS
from mscm_lib.data.packed.writing import write_index
from mscm_lib.data.tables import ImageTable
from mscm_lib.errors import DataError, ProtocolError
from mscm_lib.files import atomic_path, read_json, write_json
from mscm_lib.protocols import Protocol, ProtocolName, protocol_named
from mscm_lib.retrieval.neighbours import FloatArray, Graph, Method, exact
from mscm_lib.usable import check_usable

if TYPE_CHECKING:
    from torch import Tensor

FEATURES, IMAGES, RECORD, GRAPH = "features.npy", "images.csv", "index.json", "graph.faiss"
FORMAT = 2
AGAIN = "build the index again"


class Match(NamedTuple):
    """One gallery image in a ranked list.

    Attributes:
        rank: among the images that count, from 1; None where the camera rule leaves it out.
        path: of the image, as its dataset names it.
        identity: of the person.
        camera: that took it.
        score: cosine similarity to the query, -1 to 1.
        right: whether it shows the person asked for; None where the query's identity is unknown.
    """

    rank: int | None
    path: str
    identity: int
    camera: int
    score: float
    right: bool | None

    @property
    def excluded(self) -> bool:
        """Whether the camera rule leaves it out."""
        return self.rank is None


@dataclass(frozen=True, eq=False)
class GalleryIndex:
    """M gallery images with their unit features.

    Attributes:
        table: the images.
        features: (M, D) float32 of unit length; a memory map where the index was opened.
        protocol: whose camera rule a search may follow.
        method: "exact", or "approximate" for galleries too large for that.
        about: what made the features; kept with them.
    """

    table: ImageTable
    features: FloatArray
    protocol: Protocol
    method: Method = "exact"
    about: dict[str, Any] = field(default_factory=dict)
    _graph: Graph | None = field(default=None, repr=False)

    @classmethod
    def build(
        cls,
        table: ImageTable,
        features: Tensor | npt.NDArray[Any],
        protocol: ProtocolName = "sysu",
        method: Method = "exact",
        about: dict[str, Any] | None = None,
    ) -> GalleryIndex:
        """An index of M images, whose (M, D) features are brought to unit length here.

        ``about`` says what made the features, in values that JSON can hold.

        Raises:
            ConfigError: no such method.
            ProtocolError: there are no images, or not one usable feature for each.
        """
        check_known("method", method, get_args(Method))
        array = _array(features)
        if not len(table):
            raise ProtocolError("the gallery is empty: there is nothing to search in")
        if array.ndim != 2 or len(array) != len(table):
            raise ProtocolError(
                f"features of shape {array.shape} for {len(table)} gallery images: expected a row "
                "for each"
            )
        array = _unit(array, table.paths)
        graph = Graph.build(array) if method == "approximate" else None
        return cls(table, array, protocol_named(protocol), method, about or {}, graph)

    def __len__(self) -> int:
        return len(self.table)

    def save(self, folder: Path | str) -> None:
        """Write the index into ``folder``, whole or not at all.

        Raises:
            StorageError: the disk is full or the folder cannot be written.
        """
        with atomic_path(folder) as part:
            part.mkdir()
            self.write(part)

    def write(self, folder: Path) -> None:
        """Write the index's files into a folder that is there."""
        np.save(folder / FEATURES, self.features, allow_pickle=False)
        write_index(folder / IMAGES, self.table)
        if self._graph:
            self._graph.save(folder / GRAPH)
        record = {"format": FORMAT, "protocol": self.protocol.name, "method": self.method}
        write_json(folder / RECORD, {**record, "shape": self.features.shape, "about": self.about})

    @classmethod
    def open(cls, folder: Path | str) -> GalleryIndex:
        """Read what `save` wrote; features stay on disk until they are asked for.

        Raises:
            DataError: the folder is no index, or a file is missing, damaged or of another one.
        """
        folder = Path(folder)
        if not (folder / RECORD).is_file():
            raise DataError(
                f"{folder}: no gallery index ({RECORD} is missing); `mscm index` makes one"
            )
        record = read_json(folder / RECORD)
        if not isinstance(record, dict) or record.get("format") != FORMAT:
            raise DataError(f"{folder / RECORD}: expected a record of format {FORMAT}; {AGAIN}")
        try:
            shape, method = tuple(record["shape"]), record["method"]
            protocol, about = protocol_named(record["protocol"]), dict(record["about"])
            features = np.load(folder / FEATURES, mmap_mode="r", allow_pickle=False)
            with (folder / IMAGES).open(encoding="utf-8", newline="") as file:
                names, *rows = csv.reader(file)
            if names != INDEX_COLUMNS:
                raise ValueError(f"columns {', '.join(names)}")
            yes = ("1", "True")  # which former indices have
            table = ImageTable.from_rows(
                [(p, int(i), int(c), seen in yes) for p, i, c, seen in rows]
            )
        except (OSError, ValueError, KeyError, OverflowError) as error:
            raise DataError(f"{folder}: missing or damaged ({error}); {AGAIN}") from error
        if features.shape != shape or features.dtype != np.float32 or len(table) != shape[0]:
            raise DataError(
                f"{folder}: {RECORD} tells of features {shape}, {FEATURES} holds {features.shape} "
                f"of {features.dtype}, {IMAGES} names {len(table)} images; {AGAIN}"
            )
        graph = Graph.open(folder / GRAPH, shape) if method == "approximate" else None
        return cls(table, features, protocol, method, about, graph)

    def search(
        self,
        features: Tensor | npt.NDArray[Any],
        k: int = 10,
        cameras: Sequence[int] | None = None,
        identities: Sequence[int] | None = None,
    ) -> list[list[Match]]:
        """Ranked lists of N queries, best score first.

        With ``cameras`` the protocol's camera rule is followed: images that it leaves out are in
        the list, without a rank. Rules that drop a person's own images need ``identities`` too.

        Args:
            features: (N, D) of the queries; brought to unit length here.
            k: ranks wanted; a list is shorter where fewer images are left.
            cameras: (N,) of the queries.
            identities: (N,) of the queries, where known: matches are then right or wrong.

        Raises:
            ProtocolError: widths or counts do not match, a feature is unusable, or k < 1.
        """
        queries = _array(features)
        if queries.ndim != 2 or queries.shape[1] != self.features.shape[1]:
            raise ProtocolError(
                f"query features of shape {queries.shape}: expected (N, {self.features.shape[1]}), "
                "from the network that embedded the gallery"
            )
        if k < 1:
            raise ProtocolError(f"k = {k}: expected 1 or more")
        for name, labels in (("cameras", cameras), ("identities", identities)):
            if labels is not None and len(labels) != len(queries):
                raise ProtocolError(f"{len(labels)} {name} for {len(queries)} queries")
        queries = _unit(queries, [f"query {row}" for row in range(len(queries))])
        lists: list[list[Match]] = [[] for _ in queries]
        open_rows, count = np.arange(len(queries)), min(k, len(self))
        find = self._graph.find if self._graph else partial(exact, self.features)
        while len(open_rows):
            scores, rows = find(queries[open_rows], count)
            for place, query in enumerate(open_rows.tolist()):
                own = tuple(None if x is None else int(x[query]) for x in (cameras, identities))
                lists[query] = self._ranked(rows[place], scores[place], k, *own)
            if count == len(self):
                break
            ranks = [sum(not match.excluded for match in found) for found in lists]
            open_rows = np.array([q for q in open_rows if ranks[q] < k], dtype=np.int64)
            count = min(2 * count, len(self))  # the camera rule took some: look further down
        return lists

    def _ranked(
        self, rows: Any, scores: Any, k: int, camera: int | None, identity: int | None
    ) -> list[Match]:
        matches: list[Match] = []
        rank = 0
        for row, score in zip(rows, scores, strict=True):
            if row < 0 or rank == k:
                break
            person, cam = int(self.table.ids[row]), int(self.table.cams[row])
            own = self.protocol.own_camera and (camera, identity) == (cam, person)
            out = own or (camera, cam) in self.protocol.places
            rank += not out
            right = None if identity is None else person == identity
            path = self.table.paths[row]
            matches.append(Match(None if out else rank, path, person, cam, float(score), right))
        return matches


def _array(features: Tensor | npt.NDArray[Any]) -> npt.NDArray[Any]:
    if isinstance(features, np.ndarray):
        return features
    return np.asarray(features.detach().float().cpu().numpy())


def _unit(features: npt.NDArray[Any], names: Sequence[str]) -> FloatArray:
    """Rows of length 1 as float32; a row that has no direction is named."""
    values = np.ascontiguousarray(features, dtype=np.float32)
    lengths = check_usable(values, lambda row: f"the feature of {names[row]}")
    return np.asarray(values / lengths[:, None], dtype=np.float32)
