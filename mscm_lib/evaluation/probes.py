"""What a feature keeps: linear probes of attributes, modality and camera.

A probe is a ridge regression from the feature to the one-hot classes, fitted on half of the people
and scored on the others, then the other way round: nobody is fitted and scored on. Only what can be
told by a straight cut through the features counts as kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.linear_model import RidgeCV
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import PredefinedSplit, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mscm_lib.data.tables import ImageTable
from mscm_lib.errors import DataError

Features = npt.NDArray[np.floating[Any]]
PENALTIES = np.logspace(0, 5, 6)
FEWEST = 4  # people: two to each half
COLUMNS = ["images", "target", "kind", "classes", "score", "above_chance"]


class Target(NamedTuple):
    """One thing to read: its name, which kind of thing, and each image's class."""

    name: str
    kind: str
    classes: npt.NDArray[Any]


def probe(
    features: Features,
    table: ImageTable,
    ledger: pd.DataFrame | None = None,
    bands: dict[str, str] | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """How well linear probes read each attribute of a person, the modality and the camera.

    Args:
        features: (N, D) of the images of ``table``.
        table: N images of both modalities.
        ledger: a row a person: ``identity`` and the value of each attribute; a real dataset has
            none, and its modality and camera alone are read.
        bands: by attribute which kind of camera shows it: "both", "visible" or "infrared".
        seed: of the drawing of halves.

    Returns:
        Columns `COLUMNS`: which images were read ("visible", "infrared", "all"), the target, its
        kind ("shared", "own" or "other": shown by both kinds of camera, by these images' own, by the
        other; "modality", "camera"), the number of classes, balanced accuracy, and that accuracy
        with chance moved to 0.

    Raises:
        DataError: the ledger lacks a person or an attribute, or there are fewer than four people.
    """
    ledger, bands = (pd.DataFrame() if ledger is None else ledger), bands or {}
    people = np.unique(table.ids)
    if len(people) < FEWEST:
        raise DataError(f"{len(people)} people to probe: expected at least {FEWEST}")
    missing = bands and (
        set(people.tolist()) - set(ledger["identity"]) or set(bands) - set(ledger.columns)
    )
    if missing:
        raise DataError(f"the ledger lacks {sorted(map(str, missing))[:5]}; pack the dataset again")
    first = np.random.default_rng(seed).permutation(people)[: len(people) // 2]
    half = np.isin(table.ids, first)
    own = ledger.set_index("identity").loc[table.ids] if bands else ledger
    values = {attribute: own[attribute].to_numpy() for attribute in bands}
    modality = np.where(table.infrared, "infrared", "visible")
    rows = list(_read("all", features, [Target("modality", "modality", modality)], half))
    for name in ("visible", "infrared"):
        here = modality == name
        targets = [
            Target(attribute, _kind(band, name), values[attribute][here])
            for attribute, band in bands.items()
        ]
        targets.append(Target("camera", "camera", table.cams[here]))
        rows += _read(name, features[here], targets, half[here])
    return pd.DataFrame(rows, columns=COLUMNS)


def _kind(band: str, modality: str) -> str:
    return "shared" if band == "both" else "own" if band == modality else "other"


def _read(
    images: str, features: Features, targets: list[Target], half: npt.NDArray[np.bool_]
) -> Iterator[list[Any]]:
    """A row a target. All targets are fitted at once: they have the same features."""
    names = [np.unique(target.classes) for target in targets]
    truth = [np.searchsorted(n, t.classes) for n, t in zip(names, targets, strict=True)]
    wanted = np.hstack([_balanced(t, len(n)) for n, t in zip(names, truth, strict=True)])
    model = make_pipeline(StandardScaler(), RidgeCV(PENALTIES))
    scores = cross_val_predict(model, features, wanted, cv=PredefinedSplit(half.astype(int)))
    scores = scores.reshape(len(half), -1)  # flat where there is one class in all
    parts = np.split(scores, np.cumsum([len(n) for n in names])[:-1], axis=1)
    for target, name, known, part in zip(targets, names, truth, parts, strict=True):
        told = part.argmax(axis=1)
        score = float(balanced_accuracy_score(known, told)) if len(name) > 1 else 1.0
        chance = 1 / len(name)
        above = (score - chance) / (1 - chance) if len(name) > 1 else 0.0
        yield [images, target.name, target.kind, len(name), score, above]


def _balanced(classes: npt.NDArray[np.integer[Any]], count: int) -> npt.NDArray[np.float64]:
    """(n, count) one-hot classes less their means, scaled so that rare ones weigh as much."""
    hot = np.eye(count)[classes]
    share = hot.mean(axis=0)
    return np.asarray((hot - share) / np.maximum(share, 1e-12))
