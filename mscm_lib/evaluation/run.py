"""`evaluate_run`: one run's weights under its dataset's own protocol."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mscm_lib.config import RunConfig
from mscm_lib.data.base import ReidDataset
from mscm_lib.data.packed.opened import PackedDataset, open_packed
from mscm_lib.data.tables import ImageTable
from mscm_lib.evaluation.cache import save_embeddings
from mscm_lib.evaluation.embedding import Embeddings, embed_table
from mscm_lib.evaluation.rankings import Figures, rank_all, trial_numbers
from mscm_lib.evaluation.verification import error_rates, people_tested, run_thresholds
from mscm_lib.files import atomic_path, write_json, write_text
from mscm_lib.hardware import Hardware, choose_hardware
from mscm_lib.models import MSCMNet
from mscm_lib.models.weights import load_network
from mscm_lib.paths import resolve


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate_run` found and where it lies.

    Attributes:
        folder: with metrics.json, trials.csv, queries.csv, features.safetensors and, where there
            are people to choose thresholds on, verification.csv.
        rows: a row a search, scoring and feature: means over gallery trials, as fractions.
        trials: the same for each trial.
        queries: a row a query and trial.
    """

    folder: Path
    rows: list[dict[str, Any]]
    trials: list[dict[str, Any]]
    queries: pd.DataFrame


def evaluate_run(
    config: RunConfig, weights: Path | str, output: Path | str, progress: bool = True
) -> Evaluation:
    """Embed every query and gallery image once and rank all searches and trials.

    Both the pooled and the neck feature are ranked, and their mix where ``config.feature`` is
    "mix"; with ``config.flip`` also the flip-averaged ones; with ``config.rerank`` each of them
    after re-ranking as well. Every row names what was done, and the device and number format that
    the features were computed in. How well the run's own feature tells whether two images show one
    person is in verification.csv: see `mscm_lib.evaluation.verification`.

    Args:
        config: of the run; says dataset, split, draw, shots and trials.
        weights: of the run, as `mscm_lib.training.train` wrote them.
        output: folder to write, whole or not at all.
        progress: show a bar.

    Raises:
        CheckpointError: the weights belong to another dataset, split or number of identities.
        ConfigError: the dataset has no such draw, shots or trial.
        DataError: the packed images are missing or damaged.
    """
    packed = open_packed(resolve(config.data_folder))
    hardware = choose_hardware(config)
    net = load_run_network(config, packed, weights, hardware)
    table = images_to_embed(packed.dataset, config)
    figures = Figures()
    embedded: dict[bool, Embeddings] = {}
    for flip in (False, True) if config.flip else (False,):
        embedded[flip] = found = embed_table(
            net, packed.images, table, flip=flip, hardware=hardware, progress=progress
        )
        found = found.ranked_by(config)
        names = tuple(found.features)
        labels = {"flip": flip, **hardware.record()}
        figures.extend(rank_all(packed.dataset, config, found, names, labels))
    thresholds = run_thresholds(net, packed, config, hardware, progress=progress)
    found = embedded[False].ranked_by(config)
    people = people_tested(packed.dataset, config)
    verification = error_rates(thresholds, found, people, config.feature) if thresholds else None
    return _write(Path(output), figures, embedded, packed.images.fingerprint, verification)


def load_run_network(
    config: RunConfig, packed: PackedDataset, weights: Path | str, hardware: Hardware
) -> MSCMNet:
    """A run's network in evaluation mode, where ``hardware`` computes.

    Raises:
        CheckpointError: the weights belong to another dataset, split or number of identities.
    """
    split = config.trial if len(packed.dataset.training_trials) > 1 else None
    identities = len(np.unique(packed.dataset.train(config.validation, split).ids))
    expected = {
        "dataset": config.dataset,
        "trial": str(config.trial),
        "identities": str(identities),
        "dataset_fingerprint": packed.images.fingerprint,
    }
    return hardware.place(load_network(weights, expected).net).eval()


def images_to_embed(dataset: ReidDataset, config: RunConfig) -> ImageTable:
    """Every query and every image that a gallery of the run may draw from, once."""
    wanted: set[str] = set()
    for number in trial_numbers(dataset, config):
        for search in dataset.searches:
            wanted.update(dataset.query(search, number).paths)
            wanted.update(dataset.gallery_pool(search, number).paths)
    return dataset.images[np.array([path in wanted for path in dataset.images.paths])]


def _write(
    folder: Path,
    figures: Figures,
    embedded: dict[bool, Embeddings],
    fingerprint: str,
    verification: pd.DataFrame | None,
) -> Evaluation:
    queries = pd.concat(figures.queries, ignore_index=True)
    with atomic_path(folder) as part:
        part.mkdir()
        write_json(part / "metrics.json", {"rows": figures.rows})
        write_text(part / "trials.csv", pd.DataFrame(figures.trials).to_csv(index=False))
        write_text(part / "queries.csv", queries.to_csv(index=False, float_format="%.6f"))
        if verification is not None:
            text = verification.to_csv(index=False, float_format="%.6f")
            write_text(part / "verification.csv", text)
        save_embeddings(part, embedded, fingerprint)
    return Evaluation(folder, figures.rows, figures.trials, queries)
