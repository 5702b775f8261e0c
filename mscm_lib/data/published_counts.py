"""What is in a dataset, counted, beside what its authors and the field publish."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mscm_lib.data.base import ReidDataset
from mscm_lib.data.tables import ImageTable
from mscm_lib.errors import DataError, StudyError


@dataclass(frozen=True)
class Count:
    """One number: what it counts, what was found, and what is published (None: nothing is)."""

    what: str
    found: int
    published: int | None = None

    @property
    def agrees(self) -> bool:
        """Whether nothing else is published."""
        return self.published is None or self.found == self.published


def dataset_counts(dataset: ReidDataset) -> list[Count]:
    """The counts of a dataset of any layout; whatever cannot be read counts 0."""
    return _COUNTERS[dataset.name](dataset)


def _sysu(dataset: ReidDataset) -> list[Count]:
    train, test = _training(dataset), dataset.content.table("test")
    query, held = test.infrared_images, dataset.content.table("val")
    galleries = [
        Count(f"gallery, {search} search, {title}", _size(dataset, search, shots), published)
        for search, title, shots, published in (
            ("all", "single-shot", 1, 301),
            ("all", "multi-shot", 10, 3010),
            ("indoor", "single-shot", 1, 112),
            ("indoor", "multi-shot", 10, 1120),
        )
    ]
    return [
        Count("training identities", _people(train), 395),
        Count("of them held out for validation", _people(held), 99),
        Count("training images, visible", len(train.visible_images), 22258),
        Count("training images, infrared", len(train.infrared_images), 11909),
        Count("test identities", _people(test), 96),
        Count("test images, visible", len(test.visible_images)),
        Count("queries", len(query), 3803),
        Count("queries of camera 3", int(np.sum(query.cams == 3)), 1883),
        Count("queries of camera 6", int(np.sum(query.cams == 6)), 1920),
        *galleries,
        Count("valid queries, all search", _valid(dataset, query, "all"), 3803),
        Count("valid queries, indoor search", _valid(dataset, query, "indoor"), 2208),
    ]


def _regdb(dataset: ReidDataset) -> list[Count]:
    counts = [Count("complete splits", len(dataset.trials), 10)]
    for half in ("train", "test"):
        for modality in ("visible", "thermal"):
            found = [dataset.content.table(f"{half}_{modality}_{t}") for t in dataset.trials]
            half_name = {"train": "training", "test": "test"}[half]
            images = _outlier([len(table) for table in found], 2060)
            people = _outlier([_people(table) for table in found], 206)
            counts.append(Count(f"{half_name} images of each split, {modality}", images, 2060))
            counts.append(Count(f"{half_name} identities of each split, {modality}", people, 206))
    counts.append(Count("images, visible", len(dataset.images.visible_images), 4120))
    counts.append(Count("images, thermal", len(dataset.images.infrared_images), 4120))
    return counts


def _llcm(dataset: ReidDataset) -> list[Count]:
    train, test = _training(dataset), dataset.content.table("test")
    return [
        Count("training identities", _people(train), 713),
        Count("training images, visible", len(train.visible_images), 16946),
        Count("training images, infrared", len(train.infrared_images), 13975),
        Count("test identities", _people(test), 351),
        Count("test images, visible", len(test.visible_images), 8680),
        Count("test images, infrared", len(test.infrared_images), 7166),
        Count("images", len(train) + len(test), 46767),
        Count("gallery, infrared to visible", _size(dataset, "infrared-to-visible", 1)),
        Count("gallery, visible to infrared", _size(dataset, "visible-to-infrared", 1)),
    ]


def _generated(dataset: ReidDataset) -> list[Count]:
    train, test = _training(dataset), dataset.content.table("test")
    return [
        Count("training identities", _people(train)),
        Count("training images, visible", len(train.visible_images)),
        Count("training images, infrared", len(train.infrared_images)),
        Count("test identities", _people(test)),
        Count("queries", len(test.infrared_images)),
        Count("gallery, all search, single-shot", _size(dataset, "all", 1)),
    ]


def _table(dataset: ReidDataset) -> list[Count]:
    train = _training(dataset)
    counts = [
        Count("training identities", _people(train)),
        Count("training images, visible", len(train.visible_images)),
        Count("training images, infrared", len(train.infrared_images)),
        Count("cameras", len(np.unique(dataset.images.cams))),
        Count("splits to train on", len(dataset.training_trials)),
    ]
    for search in dataset.searches:
        try:
            query, pool = dataset.query(search), dataset.gallery_pool(search)
        except DataError:
            query = pool = dataset.images[[]]
        counts += [
            Count(f"queries, {search}", len(query)),
            Count(f"identities to find, {search}", _people(pool)),
            *(
                Count(f"gallery, {search}, {n} drawn", _size(dataset, search, n))
                for n in dataset.shots
            ),
        ]
    return counts


_COUNTERS: dict[str, Callable[[ReidDataset], list[Count]]] = {
    "sysu": _sysu,
    "regdb": _regdb,
    "llcm": _llcm,
    "generated": _generated,
    "table": _table,
}


def _training(dataset: ReidDataset) -> ImageTable:
    try:
        return dataset.train()
    except DataError:
        return dataset.images[[]]


def _people(table: ImageTable) -> int:
    return len(np.unique(table.ids))


def _size(dataset: ReidDataset, search: str, shots: int) -> int:
    try:
        return len(dataset.gallery(search, shots=shots))
    except StudyError:
        return 0


def _outlier(found: list[int], published: int) -> int:
    """Of the same count over all splits the one that is farthest from the published."""
    return max(found, key=lambda count: abs(count - published), default=0)


def _valid(dataset: ReidDataset, query: ImageTable, search: str) -> int:
    """Queries with a correct gallery image that SYSU-MM01's shared place does not drop."""
    try:
        pool = dataset.gallery_pool(search)
    except DataError:
        return 0
    anywhere = np.isin(query.ids, pool.ids)
    elsewhere = np.isin(query.ids, pool.ids[pool.cams != 2])  # a camera-3 query loses camera 2
    return int(np.sum(np.where(query.cams == 3, elsewhere, anywhere)))
