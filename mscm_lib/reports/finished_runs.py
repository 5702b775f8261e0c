"""Finished runs to look into: a study's own, or small ones made for want of them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from filelock import FileLock

from mscm_lib.code_fingerprint import of_training
from mscm_lib.config import RunConfig
from mscm_lib.data.generated import GeneratedSettings, generate
from mscm_lib.data.packed.opened import PackedDataset, open_packed
from mscm_lib.data.tables import ImageTable
from mscm_lib.evaluation import Embeddings, evaluate_run, load_embeddings
from mscm_lib.evaluation.rankings import Trial, trials
from mscm_lib.models import MSCMNet, load_network
from mscm_lib.paths import resolve
from mscm_lib.retrieval import GalleryIndex, Match
from mscm_lib.study.comparison import ACCURACY
from mscm_lib.study.settings import RunName, Study, load_study, resolve_run
from mscm_lib.training import train

QUICK_WEIGHTS = "runs/train/quick-mscmnet-t0-s0/model.safetensors"
STAND_IN_DATA: dict[str, Any] = {"shots": 3}
STAND_IN_RUN: dict[str, Any] = {
    "identities_per_batch": 4,
    "steps_per_epoch": 20,
    "warmup_epochs": 1,
    "milestones": [],
    "validation": "held-out",
    "validate_every": 1,
    "selection": "best-test",  # so that retrieval on the test gallery is recorded
}


@dataclass(frozen=True)
class FinishedRun:
    """A run that has been trained and evaluated.

    Attributes:
        name: variant and seed, for people.
        config: its parameters.
        packed: its dataset.
        embeddings: cached, of every query and gallery image.
        queries: of the neck feature, nothing done afterwards; a row a query and gallery.
        history: a row an epoch.
        weights: of its network.
        stand_in: whether it was made for want of the study's own.
    """

    name: str
    config: RunConfig
    packed: PackedDataset
    embeddings: Embeddings
    queries: pd.DataFrame
    history: pd.DataFrame
    weights: Path
    stand_in: bool = False

    @property
    def learnt(self) -> str:
        """How well the network knows its own people at its end, beside what a verdict asks for."""
        accuracy = self.history["accuracy"].iloc[-1]
        asked = "enough" if accuracy >= ACCURACY else f"{ACCURACY:g} would be enough"
        return f"{self.name}: training accuracy {accuracy:.2f}; for a verdict on methods {asked}"


def two_runs(study: str, people: int, epochs: int) -> tuple[FinishedRun, FinishedRun]:
    """Two runs of a study on its first dataset, or two small ones made for the purpose.

    The study's network stands beside its reference variant, or beside another seed; where it has one
    run only, beside that run's own pooled feature.

    Where its runs are not here, the small ones have ``people`` generated identities to train on and
    as many to search, and ``epochs``.

    Raises:
        ConfigError: no such study.
    """
    found = load_study(study)
    names = _two_names(found)
    if not all(resolve(f"runs/evaluate/{name.name}/metrics.json").is_file() for name in names):
        return _stand_in("mscmnet", people, epochs), _stand_in("baseline", people, epochs)
    runs = [finished_run(found, name) for name in names]
    return runs[0], runs[1] if len(runs) > 1 else finished_run(found, names[0], feature="pooled")


def _two_names(study: Study) -> list[RunName]:
    """The study's network and what it is compared with, trained alike."""
    runs = [run for run in study.runs() if run.dataset == next(iter(study.data))]
    others = [run for run in runs if run.variant != study.reference] or runs
    first = next((run for run in others if run.variant == "mscmnet"), others[-1])
    same = [run for run in runs if run != first and run.trial == first.trial]
    same.sort(key=lambda run: (run.variant != study.reference, run.seed != first.seed))
    return [first, *same[:1]]


def finished_run(study: Study, name: RunName, feature: str = "neck") -> FinishedRun:
    """A run of a study as it lies below ``runs/``; ``feature`` is that of its queries."""
    config = study.config(name)
    trained, evaluated = (resolve(f"runs/{kind}/{name.name}") for kind in ("train", "evaluate"))
    return _read(f"{name.variant}, seed {name.seed}", config, trained, evaluated, feature)


def runs_of_worlds(study: str, people: int, epochs: int) -> list[FinishedRun]:
    """The same network trained on each of a study's datasets, or on two small worlds made for it.

    Arguments and errors as `two_runs`; the small ones stand in where the study has one dataset, too.
    """
    found = load_study(study)
    variant = _two_names(found)[0].variant
    names = {run.dataset: run for run in reversed([*found.runs()]) if run.variant == variant}
    done = [resolve(f"runs/evaluate/{name.name}/metrics.json").is_file() for name in names.values()]
    if len(names) < 2 or not all(done):
        return [_stand_in("mscmnet", people, epochs, world) for world in (0, 1)]
    return [finished_run(found, names[dataset]) for dataset in found.data]


def stand_in_config(variant: str, people: int, epochs: int, world: int = 0) -> RunConfig:
    """Parameters of a run of seconds on a few generated people, whose pictures are made if need be.

    People of another ``world`` are others, and show other things to both kinds of camera.
    """
    study = load_study("quick")
    key, definition = next(iter(study.data.items()))
    changed = {"train_identities": people, "test_identities": people, "seed": world}
    settings = GeneratedSettings.preset(**{**definition.settings, **STAND_IN_DATA, **changed})
    data = resolve(f"build/stand-in/{settings.digest()[:12]}")
    with FileLock(data.with_suffix(".lock")):  # of several notebooks at once, one makes it
        generate(settings, data, definition.height, definition.width, progress=False)
    name = f"stand-in-w{world}" if world else "stand-in"
    changes = {"dataset": name, "data_folder": str(data), "epochs": epochs}
    return resolve_run(study, key, variant, STAND_IN_RUN | changes)


def _stand_in(variant: str, people: int, epochs: int, world: int = 0) -> FinishedRun:
    """A run of seconds, kept below ``build/`` while the code is the same."""
    config = stand_in_config(variant, people, epochs, world)
    described = json.dumps([config.as_dict(), of_training(config)], sort_keys=True)
    digest = hashlib.sha256(described.encode()).hexdigest()[:12]
    folder = Path(config.data_folder) / f"run-{digest}"
    with FileLock(folder.with_suffix(".lock")):
        if not (folder / "evaluation/metrics.json").is_file():
            trained = train(config, folder, log=lambda line: None)
            evaluate_run(config, trained.weights, folder / "evaluation", progress=False)
    return _read(f"{variant}, stand-in", config, folder, folder / "evaluation", stand_in=True)


def _read(
    name: str,
    config: RunConfig,
    trained: Path,
    evaluated: Path,
    feature: str = "neck",
    stand_in: bool = False,
) -> FinishedRun:
    packed = open_packed(resolve(config.data_folder))
    queries = pd.read_csv(evaluated / "queries.csv")
    plain = (queries["feature"] == feature) & ~queries["flip"] & ~queries["rerank"]
    return FinishedRun(
        name if feature == "neck" else f"{name}, {feature}",
        config,
        packed,
        load_embeddings(evaluated, packed),
        queries[plain & (queries["search"] == packed.dataset.searches[0])],
        pd.read_csv(trained / "history.csv"),
        trained / "model.safetensors",
        stand_in,
    )


class Specimen(NamedTuple):
    """A network to look at, on the CPU and in evaluation mode, and where its weights come from."""

    net: MSCMNet
    origin: str
    trained: bool


def specimen(weights: str | Path | None = None, seed: int = 0) -> Specimen:
    """A run's network, the quick study's first MSCMNet by default; untrained where that is not here.

    Args:
        weights: a run's ``model.safetensors``.
        seed: of the untrained network, which has the quick study's size.

    Raises:
        CheckpointError: ``weights`` is given and is missing or damaged.
    """
    path = weights or QUICK_WEIGHTS
    if weights or resolve(path).is_file():
        origin, history = f"trained weights, {path}", resolve(path).with_name("history.csv")
        if history.is_file():
            accuracy = pd.read_csv(history)["accuracy"].iloc[-1]
            origin += f", training accuracy {accuracy:.2f}"
        return Specimen(load_network(resolve(path)).net, origin, True)
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
