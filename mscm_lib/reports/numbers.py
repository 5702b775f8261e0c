"""Why figures differ: two finished runs to ask, and the drawing of what they answer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mscm_lib.code_fingerprint import of_training
from mscm_lib.config import RunConfig
from mscm_lib.data.generated import GeneratedSettings, generate
from mscm_lib.data.packed import PackedDataset, open_packed
from mscm_lib.evaluation import Embeddings, evaluate_run, load_embeddings
from mscm_lib.metrics import Comparison, Interval
from mscm_lib.paths import resolve
from mscm_lib.reports.style import PALETTE
from mscm_lib.study.settings import RunName, Study, load_study, resolve_run
from mscm_lib.training import train

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


def two_runs(study: str, people: int, epochs: int) -> tuple[FinishedRun, FinishedRun]:
    """Two runs of a study on its first dataset, or two small ones made for the purpose.

    Args:
        study: its name. Its network is set beside its reference variant, or beside another seed;
            where it has one run only, beside that run's own pooled feature.
        people: where the study's runs are not here: generated identities, to train on and to
            search.
        epochs: of those trainings.

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
    generate(settings, data, definition.height, definition.width, progress=False)
    name = f"stand-in-w{world}" if world else "stand-in"
    changes = {"dataset": name, "data_folder": str(data), "epochs": epochs}
    return resolve_run(study, key, variant, STAND_IN_RUN | changes)


def _stand_in(variant: str, people: int, epochs: int, world: int = 0) -> FinishedRun:
    """A run of seconds, kept below ``build/`` while the code is the same."""
    config = stand_in_config(variant, people, epochs, world)
    described = json.dumps([config.as_dict(), of_training(config)], sort_keys=True)
    folder = Path(config.data_folder) / f"run-{hashlib.sha256(described.encode()).hexdigest()[:12]}"
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


def choices_figure(table: pd.DataFrame, title: str) -> Figure:
    """mAP of every choice with its interval, question by question; the plain choice is hollow."""
    rows = table.reset_index(drop=True)
    gaps = (rows["question"] != rows["question"].shift()).cumsum()
    heights = -(np.arange(len(rows)) + 0.8 * gaps.to_numpy())
    figure, axis = plt.subplots(figsize=(7.6, 1 + 0.27 * -heights[-1]), layout="constrained")
    colours = [PALETTE[(place - 1) % 4] for place in gaps]
    for height, colour, (_, row) in zip(heights, colours, rows.iterrows(), strict=True):
        axis.plot([100 * row["mean_ap_low"], 100 * row["mean_ap_high"]], [height] * 2, color=colour)
    first = rows["question"] != rows["question"].shift()
    faces = ["white" if plain else colour for plain, colour in zip(first, colours, strict=True)]
    axis.scatter(100 * rows["mean_ap"], heights, c=faces, edgecolors=colours, zorder=3)
    for height, (question, plain) in zip(
        heights, zip(rows["question"], first, strict=True), strict=True
    ):
        if plain:
            axis.text(0, height + 0.75, question, transform=axis.get_yaxis_transform(), fontsize=10,
                      fontweight="bold", va="center")  # fmt: skip
    axis.set_yticks(heights, rows["choice"])
    axis.set(xlabel="mAP, %, with its 95 % interval over people", title=title)
    axis.set_ylim(heights[-1] - 0.8, heights[0] + 1.3)
    return figure


def intervals_figure(intervals: Mapping[str, Interval], unit: str, title: str) -> Figure:
    """Intervals by name as lines about their means."""
    figure, axis = plt.subplots(figsize=(7.2, 0.9 + 0.42 * len(intervals)), layout="constrained")
    for place, (mean, low, high) in enumerate(intervals.values()):
        axis.plot([100 * low, 100 * high], [-place, -place], color=PALETTE[place % 10], lw=2)
        axis.plot(100 * mean, -place, "o", color=PALETTE[place % 10])
    axis.set_yticks(range(0, -len(intervals), -1), list(intervals))
    axis.set(xlabel=unit, title=title, ylim=(0.6 - len(intervals), 0.6))
    return figure


def pairs_figure(comparison: Comparison, a: str, b: str) -> Figure:
    """AP of each query on which two runs differ, one run against the other."""
    figure, axis = plt.subplots(figsize=(4.8, 4.6), layout="constrained")
    queries = comparison.queries
    colours = np.where(queries["difference"] > 0, PALETTE[0], PALETTE[3])
    axis.scatter(queries["ap_b"], queries["ap_a"], c=colours, s=14, alpha=0.6)
    axis.plot([0, 1], [0, 1], color="0.4", lw=1)
    axis.set(xlabel=f"AP of {b}", ylabel=f"AP of {a}", xlim=(0, 1.02), ylim=(0, 1.02),
             title="Each query under two runs", aspect="equal")  # fmt: skip
    return figure
