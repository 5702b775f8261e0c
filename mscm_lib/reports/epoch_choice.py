"""Which epoch is kept: a training measured after every epoch, and what each rule makes of it."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from safetensors import safe_open
from torch import Tensor

from mscm_lib.config import RunConfig
from mscm_lib.data.packed.opened import PackedDataset, open_packed
from mscm_lib.errors import ProtocolError
from mscm_lib.evaluation import embed_table
from mscm_lib.evaluation.rankings import rank_search, trials
from mscm_lib.evaluation.switches import PLAIN
from mscm_lib.files import atomic_path, write_text
from mscm_lib.hardware import choose_hardware
from mscm_lib.models import MSCMNet
from mscm_lib.paths import resolve
from mscm_lib.reports.finished_runs import FinishedRun, stand_in_config, training_digest
from mscm_lib.training import train
from mscm_lib.training.state import FILE

RULES = {
    "last": "the last epoch",
    "validation_rank1": "best on held-out people",
    "test_rank1": "best on the test gallery",
}
SHOWN = {
    "validation_rank1": "R1, held-out people",
    "test_rank1": "R1, first gallery",
    "galleries_rank1": "R1, all galleries",
    "galleries_map": "mAP, all galleries",
}
ASKED = ["epoch", "gallery_trial", "query_id", "hit", "ap"]
RECORDING: dict[str, Any] = {
    "validation": "held-out",
    "validate_every": 1,
    "selection": "last",
    "steps_per_epoch": 10,
    "warmup_epochs": 1,
    "milestones": [],  # a rate that never falls: figures jump, as before a long training's end
}
"""Parameters of the short training that is measured after every epoch."""
GREATEST_HEIGHT = 128  # pixels; larger images are too slow for a page, and the stand-in's are taken


@dataclass(frozen=True)
class Watched:
    """A training of which retrieval is known after every epoch.

    Attributes:
        name: what it is, for people.
        history: a row an epoch; columns of `SHOWN`, those over all galleries only where it was made
            for this page.
        queries: a row an epoch, gallery and query, with `ASKED`; empty where the history is all
            that was recorded.
    """

    name: str
    history: pd.DataFrame
    queries: pd.DataFrame


def watched(run: FinishedRun, people: int, epochs: int) -> Watched:
    """The run's own history where it recorded both searches, else a short training made for it.

    The training has the run's parameters but for `RECORDING` and ``epochs``, and its people; where
    the run's images are large, those of a stand-in of ``people`` generated ones.
    """
    if not run.stand_in and {"validation_rank1", "test_rank1"} <= set(run.history):
        return Watched(f"{run.name}, by its own history", run.history, pd.DataFrame())
    config, packed, whose = run.config, run.packed, run.config.dataset
    if config.height > GREATEST_HEIGHT:
        config = stand_in_config("mscmnet", people, epochs)
        packed, whose = open_packed(Path(config.data_folder)), "the stand-in"
    config = config.replace(**RECORDING, epochs=epochs)
    steps = config.steps_per_epoch
    name = f"made for this page: {epochs} epochs of {steps} steps on people of {whose}"
    return Watched(name, *_kept(config, packed))


def _kept(config: RunConfig, packed: PackedDataset) -> tuple[pd.DataFrame, pd.DataFrame]:
    """History and queries, from ``build/`` while parameters, data and code are the same."""
    folder = resolve(f"build/epochs/{training_digest(config, packed.images.fingerprint)}")
    if not (folder / "queries.csv").is_file():
        with atomic_path(folder) as part:
            _train(config, packed, part)
    return pd.read_csv(folder / "history.csv"), pd.read_csv(folder / "queries.csv")


def _train(config: RunConfig, packed: PackedDataset, folder: Path) -> None:
    state, weights = folder / "state", dict[int, dict[str, Tensor]]()

    def keep(_line: str) -> None:  # an epoch's line is said after its state has been saved
        if (state / FILE).is_file():
            epoch, found = _weights(state / FILE)
            weights[epoch] = found

    history = train(config, folder / "run", state, log=keep).history
    shutil.rmtree(folder / "run")  # the figures are wanted, not the network
    queries = _measure(config, packed, weights)
    by_gallery = queries.groupby(["epoch", "gallery_trial"])[["hit", "ap"]].mean()
    figures = by_gallery.groupby("epoch").agg(
        test_rank1=("hit", "first"), galleries_rank1=("hit", "mean"), galleries_map=("ap", "mean")
    )
    write_text(folder / "history.csv", history.join(figures, on="epoch").to_csv(index=False))
    write_text(folder / "queries.csv", queries.to_csv(index=False, float_format="%.6f"))


def _weights(path: Path) -> tuple[int, dict[str, Tensor]]:
    """The last finished epoch of a training's state, and the network's tensors after it."""
    with safe_open(path, framework="pt") as stored:
        place = json.loads(stored.metadata()["state"])["place"]
        names = [name for name in stored.keys() if name.startswith("network.")]  # noqa: SIM118
        found = {name.removeprefix("network."): stored.get_tensor(name) for name in names}
    return place["epoch"] - 1, found


def _measure(
    config: RunConfig, packed: PackedDataset, weights: dict[int, dict[str, Tensor]]
) -> pd.DataFrame:
    """Every query of the first search in every gallery, after each epoch; see `Watched.queries`."""
    plain, dataset, hardware = config.replace(**PLAIN), packed.dataset, choose_hardware(config)
    first, *others = trials(dataset, plain)
    same = (first.search, first.scoring)
    group = [first, *(t for t in others if (t.search, t.scoring) == same)]
    wanted = {path for t in group for table in (t.query, t.gallery) for path in table.paths}
    table = dataset.images[np.array([path in wanted for path in dataset.images.paths])]
    split = config.trial if len(dataset.training_trials) > 1 else None
    identities = len(np.unique(dataset.train(config.validation, split).ids))
    net = hardware.place(MSCMNet.from_config(config, identities)).eval()
    found = []
    for epoch, tensors in weights.items():
        net.load_state_dict(tensors)
        try:
            features = embed_table(net, packed.images, table, hardware=hardware, progress=False)
            ranked = rank_search(group, plain, features, ("neck",), {}, dataset.protocol)
        except ProtocolError:  # features that are not finite, after very few steps
            continue
        rows = pd.concat(ranked.queries)
        rows = rows[rows["valid"]]
        found.append(rows.assign(epoch=epoch, hit=(rows["first_hit"] == 1).astype(float)))
    return pd.concat(found)[ASKED] if found else pd.DataFrame(columns=ASKED, dtype=float)


def choices(training: Watched) -> pd.DataFrame:
    """What each rule of choosing an epoch keeps, in percent and points.

    Returns:
        A row a rule: epoch (counted from 0), the figures of `SHOWN` that are known, and how much
        test rank-1 is above the last epoch's, on the first gallery and on all. Empty where nothing
        was recorded.
    """
    history = training.history
    known = [column for column in SHOWN if column in history]
    chosen = [rule for rule in RULES if rule == "last" or rule in history]
    measured = history.dropna(subset=known)
    rows = {}
    for rule in chosen if known and len(measured) else ():
        place = -1 if rule == "last" else int(measured[rule].to_numpy().argmax())
        rows[RULES[rule]] = measured.iloc[place][["epoch", *known]]
    if not rows:
        return pd.DataFrame(columns=["epoch"])
    table = pd.DataFrame(rows).T.astype(float)
    shown = (100 * table[known]).rename(columns=SHOWN)
    shown.insert(0, "epoch", table["epoch"].astype(int))
    for name in ("first gallery", "all galleries"):
        if (column := f"R1, {name}") in shown:
            shown[f"above last, {name}"] = shown[column] - shown[column].iloc[0]
    return shown.rename_axis("kept")
