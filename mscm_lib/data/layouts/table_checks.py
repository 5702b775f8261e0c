"""Whether what a CSV says fits together and lets its protocol be followed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mscm_lib.data.faults import Findings
from mscm_lib.data.tables import ImageTable
from mscm_lib.errors import DataError

if TYPE_CHECKING:
    from mscm_lib.data.layouts.table import TableDataset

Part = dict[str, ImageTable]
_PEOPLE = "number people over the whole dataset, and put each into one split"


def report_table(dataset: TableDataset, findings: Findings) -> None:
    """Findings on identities in two splits or one modality, empty searches, unknown cameras."""
    where = dataset.table_protocol.table
    for trial in dataset.training_trials:
        name = f", trial {trial}" if len(dataset.training_trials) > 1 else ""
        part = {
            key: dataset.content.table(f"{key}_{trial}") for key in ("train", "query", "gallery")
        }
        tested = np.concatenate([part["query"].ids, part["gallery"].ids])
        both = np.intersect1d(part["train"].ids, tested).tolist()
        findings.alike(
            "fatal",
            [(f"{where}{name}", f"identity {person} trains and is tested") for person in both],
            _PEOPLE,
        )
        if not len(part["train"]):
            findings.fatal(f"{where}{name}", "no image trains", "write 'train' in its split")
        _report_modalities(part["train"], f"{where}{name}", "is never drawn", findings)
    for search in dataset.searches:
        for trial in dataset.trials if len(dataset.training_trials) > 1 else dataset.trials[:1]:
            _report_search(dataset, search, trial, findings)
    _report_cameras(dataset, findings)


def _report_modalities(table: ImageTable, where: str, effect: str, findings: Findings) -> None:
    kinds = {False: table.ids[~table.infrared], True: table.ids[table.infrared]}
    for infrared, lacks in ((True, "visible"), (False, "infrared")):
        alone = np.setdiff1d(kinds[infrared], kinds[not infrared]).tolist()
        findings.alike(
            "warning",
            [
                (where, f"identity {person} has no {lacks} image, so it {effect}")
                for person in alone
            ],
            "nothing has to be done if that is so",
        )


def _report_search(dataset: TableDataset, search: str, trial: int, findings: Findings) -> None:
    where = f"{dataset.table_protocol.table}, search {search!r}"
    try:
        query, pool = dataset.query(search, trial), dataset.gallery_pool(search, trial)
    except DataError:
        findings.fatal(
            where,
            f"has no query or no gallery image in trial {trial}",
            "compare settings.searches with the modalities, cameras and splits of the CSV",
        )
        return
    valid = valid_queries(dataset, query, pool)
    if not valid.any():
        findings.fatal(
            where,
            f"none of its {len(query):,} queries has a right answer in trial {trial}",
            "compare identities of queries and gallery, and the camera rules",
        )
    elif not valid.all():
        findings.warning(
            where,
            f"{int((~valid).sum()):,} of {len(query):,} queries have no right answer in trial "
            f"{trial} and do not count",
            "nothing has to be done if that is so",
        )


def valid_queries(dataset: TableDataset, query: ImageTable, pool: ImageTable) -> np.ndarray:
    """(N,) whether the pool has an image of each query's identity that no camera rule drops."""
    rules = dataset.table_protocol
    cells = {(i, c) for i, c in zip(pool.ids.tolist(), pool.cams.tolist(), strict=True)}
    cameras: dict[int, set[int]] = {}
    for identity, camera in cells:
        cameras.setdefault(identity, set()).add(camera)
    lost: dict[int, set[int]] = {}
    for first, second in rules.places:
        lost.setdefault(first, set()).add(second)
    found = [
        bool(
            cameras.get(identity, set())
            - lost.get(camera, set())
            - ({camera} if rules.own_camera else set())
        )
        for identity, camera in zip(query.ids.tolist(), query.cams.tolist(), strict=True)
    ]
    return np.array(found, dtype=np.bool_)


def _report_cameras(dataset: TableDataset, findings: Findings) -> None:
    rules = dataset.table_protocol
    named = {camera for pair in rules.places for camera in pair}
    for search in rules.searches.values():
        named |= {*search.query_cameras, *search.gallery_cameras}
    for camera in sorted(named - set(dataset.images.cams.tolist())):
        findings.fatal(
            rules.table,
            f"has no image of camera {camera}, which the settings name",
            "compare the cameras of the settings with the CSV",
        )
