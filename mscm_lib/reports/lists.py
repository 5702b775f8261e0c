"""A finished run's ranked lists, query by query, as pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mscm_lib.errors import DataError
from mscm_lib.evaluation.rankings import Trial, trials
from mscm_lib.reports.numbers import FinishedRun
from mscm_lib.reports.ranked import ranked_figure
from mscm_lib.retrieval import GalleryIndex, Match


@dataclass(frozen=True, eq=False)
class Lists:
    """Every query's whole list in one gallery.

    Attributes:
        run: whose features are compared.
        trial: who is searched in what.
        matches: of each query, best first, those that the camera rule leaves out among them.
    """

    run: FinishedRun
    trial: Trial
    matches: list[list[Match]]

    def table(self) -> pd.DataFrame:
        """A row a query that has something to find: place, path, query_id, query_cam, right (how
        many right images there are), first (rank of the first), ap; hardest first."""
        rows = []
        for place, matches in enumerate(self.matches):
            ranks = [m.rank for m in matches if m.right and m.rank is not None]
            if ranks:
                ap = float(np.mean([(k + 1) / rank for k, rank in enumerate(ranks)]))
                query = self.trial.query
                own = query.paths[place], int(query.ids[place]), int(query.cams[place])
                rows.append([place, *own, len(ranks), ranks[0], ap])
        names = ["place", "path", "query_id", "query_cam", "right", "first", "ap"]
        return pd.DataFrame(rows, columns=names).sort_values(["ap", "place"]).reset_index(drop=True)

    def draw(self, place: int, ranks: int = 10) -> Figure:
        """The first ``ranks`` ranks of one query as a picture.

        Raises:
            DataError: there is no such query.
        """
        if not 0 <= place < len(self.matches):
            raise DataError(f"query {place}: this search has queries 0 to {len(self.matches) - 1}")
        matches = self._top(self.matches[place], ranks)
        images = self.run.packed.images
        path = self.trial.query.paths[place]
        query, *found = images.read(images.rows([path, *(match.path for match in matches)]))
        person, camera = self.trial.query.ids[place], self.trial.query.cams[place]
        return ranked_figure(query, matches, found, f"person {person}, camera {camera}")

    @staticmethod
    def _top(matches: Sequence[Match], ranks: int) -> list[Match]:
        last = next((n for n, m in enumerate(matches, 1) if m.rank == ranks), len(matches))
        return list(matches[:last])


def lists_of(run: FinishedRun, search: str | None = None) -> Lists:
    """Rank every query in the first gallery of a search, by the neck feature.

    Args:
        run: a finished one.
        search: of its dataset; None: the first.

    Raises:
        DataError: the dataset has no such search.
    """
    found = list(trials(run.packed.dataset, run.config))
    known = list(dict.fromkeys(trial.search for trial in found))
    if search is not None and search not in known:
        raise DataError(f"search = {search!r}: {run.packed.dataset.name} has {', '.join(known)}")
    trial = next(t for t in found if search in (None, t.search))
    query, gallery = (run.embeddings.of(table, "neck") for table in (trial.query, trial.gallery))
    index = GalleryIndex.build(trial.gallery, gallery, run.packed.dataset.protocol)
    own = trial.query.cams.tolist(), trial.query.ids.tolist()
    return Lists(run, trial, index.search(query, len(index), *own))
