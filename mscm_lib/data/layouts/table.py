"""A dataset of one's own: images listed in a CSV, under a protocol that the study file spells out.

The CSV has the columns path, identity, camera and modality, and may have split, trial and sequence.
Rows of the split ``train`` and ``val`` train (``val`` is what can be held out), rows of ``query``
and ``gallery`` are tested, and those of ``test`` are both. Without a column ``split``, a share of
the identities is tested. A row without a trial belongs to every trial.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mscm_lib.data.base import ReidDataset
from mscm_lib.data.content import Content, Subset
from mscm_lib.data.draws import agw_draw
from mscm_lib.data.faults import Findings
from mscm_lib.data.layouts.listing import report_outside, scan
from mscm_lib.data.layouts.table_checks import report_table
from mscm_lib.data.layouts.table_protocol import TableProtocol
from mscm_lib.data.layouts.table_rows import Row, read_rows
from mscm_lib.data.tables import ImageTable, IntArray

PARTS = {"train": ("train", "val"), "val": ("val",), "query": ("query", "test"),
         "gallery": ("gallery", "test")}  # fmt: skip
SEQUENCE = "sequence"


class TableDataset(ReidDataset):
    """Images of a CSV; searches, galleries and rules are those of its protocol.

    Pictures are packed as a viewer shows them: turned upright, palettes resolved.
    """

    name = "table"
    as_shown = True

    def __init__(
        self, root: Path | str, content: Content, fingerprint: str, protocol: TableProtocol
    ) -> None:
        super().__init__(root, content, fingerprint)
        self.table_protocol = protocol
        self.protocol = protocol.rules
        self.searches = tuple(protocol.searches)
        self.shots = protocol.shots

    @classmethod
    def read(cls, root: Path, findings: Findings) -> TableDataset:
        """See `ReidDataset.read`; under the default protocol."""
        return cls.read_as(TableProtocol(), root, findings)

    @classmethod
    def read_as(cls, protocol: TableProtocol, root: Path, findings: Findings) -> TableDataset:
        """The dataset whose CSV lies under ``root``; problems go to ``findings``."""
        tree = scan(root, findings)
        rows = _with_splits(read_rows(protocol, tree, findings), protocol)
        first = {row.path: row for row in reversed(rows)}  # of a path's rows the first
        ordered = list(dict.fromkeys(row.path for row in rows))
        images = ImageTable.from_rows(
            [
                (path, first[path].identity, first[path].camera, first[path].infrared)
                for path in ordered
            ]
        )
        place = {path: number for number, path in enumerate(ordered)}
        splits = protocol.trials if isinstance(protocol.trials, tuple) else (0,)
        subsets = {
            f"{part}_{trial}": _subset(rows, place, images, splits_of, trial)
            for trial in splits
            for part, splits_of in PARTS.items()
        }
        if any(row.sequence for row in rows):
            names = [
                (r.identity, r.camera, r.infrared, r.sequence) for r in map(first.get, ordered) if r
            ]
            number = {name: k for k, name in enumerate(sorted(set(names)))}
            ids = np.array([number[name] for name in names], dtype=np.int64)
            subsets[SEQUENCE] = Subset(np.arange(len(ordered)), ids)
        report_outside(tree, set(ordered), findings)
        dataset = cls(root, Content(images, subsets, split_files=(protocol.table,)), "", protocol)
        if findings.worst != "fatal":
            report_table(dataset, findings)
        return dataset

    def manifest(self) -> dict[str, Any]:
        """All that `from_manifest` needs: the content and the protocol."""
        return {**super().manifest(), "settings": self.table_protocol.as_dict()}

    @classmethod
    def from_manifest(cls, manifest: Mapping[str, Any], root: Path) -> TableDataset:
        """The dataset that `manifest` describes."""
        protocol = TableProtocol.from_mapping(manifest["settings"])
        return cls(root, Content.from_dict(manifest), manifest["fingerprint"], protocol)

    @property
    def trials(self) -> Sequence[int]:
        """The galleries that are drawn, or the splits."""
        trials = self.table_protocol.trials
        return range(trials) if isinstance(trials, int) else trials

    @property
    def training_trials(self) -> Sequence[int]:
        """The splits; one where trials are galleries."""
        trials = self.table_protocol.trials
        return (0,) if isinstance(trials, int) else trials

    def query(self, search: str | None = None, trial: int | None = None) -> ImageTable:
        """The query images of a search: all of them, or the middle one of each sequence."""
        table = self._tested("query", search, trial)
        if self.table_protocol.queries == "images":
            return table
        sequences: dict[int, list[int]] = {}
        for row, number in enumerate(self._sequences(table).tolist()):
            sequences.setdefault(number, []).append(row)
        ordered = (sorted(rows, key=lambda r: table.paths[r]) for rows in sequences.values())
        return table[[rows[len(rows) // 2] for rows in ordered]]

    def gallery_pool(self, search: str | None = None, trial: int | None = None) -> ImageTable:
        """Every image that the gallery of a search may be drawn from."""
        return self._tested("gallery", search, trial)

    def _tested(self, part: str, search: str | None, trial: int | None) -> ImageTable:
        rules = self.table_protocol.searches[self._search(search)]
        table = self._subset(f"{part}_{self._split(self._trial(trial))}")
        modality, cameras = (
            (rules.query, rules.query_cameras)
            if part == "query"
            else (rules.gallery, rules.gallery_cameras)
        )
        wanted = table.infrared == (modality == "infrared")
        if cameras:
            wanted &= np.isin(table.cams, cameras)
        return self._filled(table[wanted], f"{modality} {part}")

    def _training(self, trial: int) -> ImageTable:
        table = self._subset(f"train_{trial}")
        both = np.intersect1d(table.visible_images.ids, table.infrared_images.ids)
        return table[np.isin(table.ids, both)]  # nobody else is drawn, or has a class

    def _held_out(self, table: ImageTable, trial: int) -> IntArray:
        named = np.unique(self.content.subsets[f"val_{trial}"].ids)
        return named if len(named) else super()._held_out(table, trial)

    def _drawn(self, pool: ImageTable, trial: int, draw: str, shots: int) -> ImageTable:
        if self.table_protocol.gallery == "whole":
            return pool
        if SEQUENCE not in self.content.subsets:
            return agw_draw(pool, trial, shots)
        # a sequence is of one camera, so that drawing by sequence alone is drawing by both
        by_sequence = ImageTable(pool.paths, pool.ids, self._sequences(pool), pool.infrared)
        row_of = {path: row for row, path in enumerate(pool.paths)}
        return pool[[row_of[path] for path in agw_draw(by_sequence, trial, shots).paths]]

    def _sequences(self, table: ImageTable) -> IntArray:
        """(N,) the number of each image's sequence."""
        number = dict(
            zip(self.images.paths, self.content.subsets[SEQUENCE].ids.tolist(), strict=True)
        )
        return np.array([number[path] for path in table.paths], dtype=np.int64)

    def _split(self, trial: int) -> int:
        return trial if len(self.training_trials) > 1 else self.training_trials[0]

    def _rules(self) -> str:
        return self.table_protocol.digest()


def _subset(
    rows: Sequence[Row],
    place: Mapping[str, int],
    images: ImageTable,
    splits: tuple[str, ...],
    trial: int,
) -> Subset:
    """The images of a part of a trial."""
    chosen = [place[r.path] for r in rows if r.split in splits and r.trial in (None, trial)]
    numbers = np.array(list(dict.fromkeys(chosen)), dtype=np.int64)
    return Subset(numbers, images.ids[numbers])


def _with_splits(rows: list[Row], protocol: TableProtocol) -> list[Row]:
    """Rows without a split of their own: a share of the identities is tested, the same always."""
    people = sorted({row.identity for row in rows if not row.split})
    if not people:
        return rows
    count = max(1, round(protocol.test_share * len(people)))
    tested = set(random.Random(0).sample(people, count))
    return [
        row if row.split else row._replace(split="test" if row.identity in tested else "train")
        for row in rows
    ]
