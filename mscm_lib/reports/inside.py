"""What the notebooks that look inside a network share: a network, some people, ranked lists."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from mscm_lib.data.tables import ImageTable
from mscm_lib.evaluation.rankings import Trial, trials
from mscm_lib.models import MSCMNet, load_network
from mscm_lib.paths import resolve
from mscm_lib.reports.numbers import FinishedRun
from mscm_lib.retrieval import GalleryIndex, Match

QUICK_WEIGHTS = "runs/train/quick-mscmnet-t0-s0/model.safetensors"


class Specimen(NamedTuple):
    """A network to look at.

    Attributes:
        net: on the CPU, in evaluation mode.
        origin: where its weights come from, for the reader.
        trained: whether it has been trained.
    """

    net: MSCMNet
    origin: str
    trained: bool


def specimen(weights: str | Path | None = None, seed: int = 0) -> Specimen:
    """A trained network where there is one, else an untrained one of the quick study's size.

    Args:
        weights: a run's ``model.safetensors``; None for the quick study's first MSCMNet.
        seed: of the untrained network.

    Raises:
        CheckpointError: ``weights`` is given and is missing or damaged.
    """
    path = resolve(weights or QUICK_WEIGHTS)
    if weights or path.is_file():
        return Specimen(
            load_network(path).net, f"trained weights, {weights or QUICK_WEIGHTS}", True
        )
    net = MSCMNet(64, backbone="resnet18", height=96, width=48, seed=seed).eval()
    return Specimen(net, "untrained weights; `make study` trains the quick study's", False)


def some_people(run: FinishedRun, people: int, images: int, seed: int = 0) -> ImageTable:
    """Up to ``images`` images of each modality of ``people`` searched people, drawn at random."""
    table = run.embeddings.table
    generator = np.random.default_rng(seed)
    both = np.intersect1d(table.ids[table.infrared], table.ids[~table.infrared])
    rows: list[int] = []
    for person in generator.permutation(both)[:people]:
        for infrared in (False, True):
            own = np.flatnonzero((table.ids == person) & (table.infrared == infrared))
            rows += generator.permutation(own)[:images].tolist()
    return table[sorted(rows)]


def lists_of(run: FinishedRun) -> tuple[Trial, list[list[Match]]]:
    """Every query of the first search ranked in its first gallery, by the neck feature.

    Returns:
        Who is searched in what; and of each query all matches, best first, those that the camera
        rule leaves out among them.
    """
    trial = next(iter(trials(run.packed.dataset, run.config)))
    query, gallery = (run.embeddings.of(table, "neck") for table in (trial.query, trial.gallery))
    index = GalleryIndex.build(trial.gallery, gallery, run.packed.dataset.protocol)
    own = trial.query.cams.tolist(), trial.query.ids.tolist()
    return trial, index.search(query, len(index), *own)
