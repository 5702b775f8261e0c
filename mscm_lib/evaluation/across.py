"""Networks tested on datasets that they were not trained on: the one place that takes such weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from mscm_lib.config import RunConfig
from mscm_lib.data.packed.opened import PackedDataset, open_packed
from mscm_lib.errors import CheckpointError
from mscm_lib.evaluation.embedding import embed_table
from mscm_lib.evaluation.rankings import rank_all
from mscm_lib.evaluation.run import images_to_embed, load_run_network
from mscm_lib.hardware import Hardware, choose_hardware
from mscm_lib.models import MSCMNet
from mscm_lib.models.weights import load_network, read_metadata


def evaluate_across(
    runs: Mapping[str, tuple[RunConfig, Path]], datasets: Mapping[str, Path], progress: bool = True
) -> pd.DataFrame:
    """Every run tested on every dataset, under the dataset's own protocol and by the run's feature.

    A dataset that a run was trained on keeps its own checks: weights of another split, or of another
    choice of training people, would be tested on people whom they have seen, and are refused.

    Args:
        runs: by name, the parameters and the weights.
        datasets: by name, their packed folders.
        progress: show a bar a pair.

    Returns:
        A row a run, dataset, search and scoring: run, trained_on, tested_on, home (whether these
        are one dataset), and the columns of `mscm_lib.evaluation.rankings.Figures.rows`.

    Raises:
        CheckpointError: weights are missing, damaged, for images of another size, or were trained
            on another split of the dataset that they are tested on.
        ConfigError: the dataset has no such draw or shots as a run asks for.
        DataError: a dataset is not packed.
    """
    opened = {name: open_packed(folder) for name, folder in datasets.items()}
    rows: list[dict[str, Any]] = []
    for name, (config, weights) in runs.items():
        for tested, packed in opened.items():
            rows += _tested(name, config, weights, tested, packed, progress)
    return pd.DataFrame(rows)


def matrix(found: pd.DataFrame, figure: str) -> pd.DataFrame:
    """A figure by dataset trained on (row) and tested on, with its search (column): means over runs.

    Args:
        found: what `evaluate_across` gives.
        figure: one of its columns, such as "rank1" or "mean_ap".
    """
    told = found.assign(
        tested=found["tested_on"] + " " + found["search"] + (" " + found["scoring"]).fillna("")
    )
    return told.pivot_table(
        index="trained_on", columns="tested", values=figure, sort=False, aggfunc="mean"
    )


def _tested(
    name: str,
    config: RunConfig,
    weights: Path,
    tested: str,
    packed: PackedDataset,
    progress: bool,
) -> list[dict[str, Any]]:
    home = read_metadata(weights).get("dataset_fingerprint") == packed.images.fingerprint
    splits = len(packed.dataset.training_trials) > 1
    if not home:
        config = config.replace(trial=packed.dataset.trials[0] if splits else 0)
    hardware = choose_hardware(config)
    net = (
        load_run_network(config, packed, weights, hardware)
        if home
        else _foreign(config, packed, weights, hardware)
    )
    table = images_to_embed(packed.dataset, config)
    embeddings = embed_table(
        net, packed.images, table, flip=config.flip, hardware=hardware, progress=progress
    )
    labels = {"run": name, "trained_on": config.dataset, "tested_on": tested, "home": home,
              "seed": config.seed, "flip": config.flip, **hardware.record()}  # fmt: skip
    return rank_all(
        packed.dataset, config, embeddings.ranked_by(config), (config.feature,), labels
    ).rows


def _foreign(
    config: RunConfig, packed: PackedDataset, weights: Path, hardware: Hardware
) -> MSCMNet:
    size, known = (packed.images.height, packed.images.width), (config.height, config.width)
    if size != known:
        raise CheckpointError(
            f"{weights}: takes images of {known[0]}x{known[1]}, {packed.dataset.root} holds "
            f"{size[0]}x{size[1]}; pack the dataset at the network's size"
        )
    return hardware.place(load_network(weights).net).eval()
