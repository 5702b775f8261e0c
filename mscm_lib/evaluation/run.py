"""`evaluate_run`: one run's weights under its dataset's own protocol."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mscm_lib.config import RunConfig
from mscm_lib.data.base import ReidDataset
from mscm_lib.data.packed import PackedDataset, open_packed
from mscm_lib.data.tables import ImageTable
from mscm_lib.evaluation.cache import save_embeddings
from mscm_lib.evaluation.embedding import Embeddings, embed_table
from mscm_lib.evaluation.rankings import Figures, rank_all, trials
from mscm_lib.files import atomic_path, write_json, write_text
from mscm_lib.hardware import choose_hardware
from mscm_lib.models.weights import load_network
from mscm_lib.paths import resolve


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate_run` found and where it lies.

    Attributes:
        folder: with metrics.json, trials.csv, queries.csv and features.safetensors.
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
    after re-ranking as well. Every row names what was done.

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
    identities = len(np.unique(packed.dataset.train(config.validation, _trial(config, packed)).ids))
    expected = {
        "dataset": config.dataset,
        "trial": str(config.trial),
        "identities": str(identities),
        "dataset_fingerprint": packed.images.fingerprint,
    }
    hardware = choose_hardware(config)
    net = hardware.place(load_network(weights, expected).net).eval()
    table = images_to_embed(packed.dataset, config)
    figures = Figures()
    embedded: dict[bool, Embeddings] = {}
    for flip in (False, True) if config.flip else (False,):
        embedded[flip] = found = embed_table(
            net, packed.images, table, flip=flip, hardware=hardware, progress=progress
        )
        if config.feature == "mix":
            found = found.with_mix(config.mix_weight)
        names = tuple(found.features)
        figures.extend(rank_all(packed.dataset, config, found, names, {"flip": flip}))
    return _write(Path(output), figures, embedded, packed.images.fingerprint)


def images_to_embed(dataset: ReidDataset, config: RunConfig) -> ImageTable:
    """Every image that any trial of the run names, once."""
    rows: dict[str, tuple[str, int, int, bool]] = {}
    for trial in trials(dataset, config):
        for table in (trial.query, trial.gallery):
            labels = (table.ids.tolist(), table.cams.tolist(), table.infrared.tolist())
            rows.update({row[0]: row for row in zip(table.paths, *labels, strict=True)})
    return ImageTable.from_rows([rows[path] for path in sorted(rows)])


def _trial(config: RunConfig, packed: PackedDataset) -> int | None:
    return config.trial if len(packed.dataset.training_trials) > 1 else None


def _write(
    folder: Path, figures: Figures, embedded: dict[bool, Embeddings], fingerprint: str
) -> Evaluation:
    queries = pd.concat(figures.queries, ignore_index=True)
    with atomic_path(folder) as part:
        part.mkdir()
        write_json(part / "metrics.json", {"rows": figures.rows})
        write_text(part / "trials.csv", pd.DataFrame(figures.trials).to_csv(index=False))
        write_text(part / "queries.csv", queries.to_csv(index=False, float_format="%.6f"))
        save_embeddings(part, embedded, fingerprint)
    return Evaluation(folder, figures.rows, figures.trials, queries)
