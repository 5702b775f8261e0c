"""`train`: one run from its parameters to its files."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from mscm_lib.code_fingerprint import of_training
from mscm_lib.config import RunConfig
from mscm_lib.errors import TrainingError
from mscm_lib.files import read_json, write_json, write_text
from mscm_lib.hardware import Hardware, choose_hardware
from mscm_lib.models import MSCMNet
from mscm_lib.models.weights import save_network
from mscm_lib.own_parts import digests
from mscm_lib.paths import resolve
from mscm_lib.provenance import provenance, versions
from mscm_lib.training.board import Board
from mscm_lib.training.distributed import Group, process_group
from mscm_lib.training.history import columns
from mscm_lib.training.preparation import Material, prepare
from mscm_lib.training.scope import Interruption, reproducible
from mscm_lib.training.state import StateFolder
from mscm_lib.training.trainer import Trainer

TIMINGS = ["epoch", "steps", "seconds", "waited"]
WEIGHTS, HISTORY, RECORD, TIMING = "model.safetensors", "history.csv", "run.json", "timing.csv"


@dataclass(frozen=True)
class TrainingResult:
    """What a run left.

    Attributes:
        folder: the output folder.
        weights: ``model.safetensors``, with the run's parameters in its header.
        history: a row of figures for each epoch; see `mscm_lib.training.history.history_row`.
        record: what ``run.json`` says.
    """

    folder: Path
    weights: Path
    history: pd.DataFrame
    record: dict[str, Any]

    @property
    def summary(self) -> str:
        """One line about the run."""
        epoch = self.record["selected_epoch"]
        if epoch < 0:
            return f"untrained network, seed {self.record['seed']}, in {self.weights}"
        last = self.history.iloc[-1]
        return (
            f"{len(self.history)} epochs, loss {last['loss']:.4f}, training accuracy "
            f"{100 * last['accuracy']:.1f} %; weights of epoch {epoch + 1} in {self.weights}"
        )


def train(
    config: RunConfig,
    output: Path | str,
    state: Path | str | None = None,
    log: Callable[[str], None] = print,
) -> TrainingResult:
    """Train the network that ``config`` describes; resume if the run was cut short.

    The same configuration on the same machine with the same number of threads writes the same
    bytes of ``model.safetensors`` and ``history.csv``, however often the run was interrupted.
    Under ``torchrun`` every process calls this; the first one writes. Global random states are
    afterwards as they were before.

    Args:
        config: the run's parameters. ``epochs = 0`` writes the untrained network.
        output: folder for ``model.safetensors``, ``history.csv``, ``run.json`` (provenance) and
            ``timing.csv`` (clock readings, on which nothing else depends); where the run asks for
            it, ``tensorboard/`` with event files, written while the run lasts.
        state: folder of the resumable state while the run lasts; None takes
            ``build/state/<output>``. It is removed when the run has ended, so that a
            run started anew really trains. Several nodes must see the same folder.
        log: takes each line of progress.

    Raises:
        ConfigError: parameters that this data or this machine cannot serve, before any work.
        DataError: packed images are missing or damaged.
        CheckpointError: the state is damaged.
        TrainingError: a loss was not finite.
        KeyboardInterrupt, SystemExit: SIGINT or SIGTERM came; the state is saved first.
    """
    output = Path(output)
    hardware = choose_hardware(config)
    with process_group(hardware.device) as group:
        say = log if group.writes else _silent
        material = prepare(config, hardware, group)
        folder = state_folder(config, state or _state_of(output), material, hardware, group)
        with (
            reproducible(hardware.device, config.deterministic, config.seed),
            _board(config, output, group) as board,
        ):
            trainer = Trainer(config, material, hardware, group, folder, say, board)
            say(_opening(config, material, hardware, group))
            with Interruption() as interruption:
                trainer.fit(interruption)
            if group.writes:
                _write(trainer, output)
                folder.finish()
        group.wait()
    result = _read(output)
    say(result.summary)
    return result


def state_folder(
    config: RunConfig, path: Path | str, material: Material, hardware: Hardware, group: Group
) -> StateFolder:
    """The run's state folder, and what must agree before a state in it is gone on with."""
    identity = {
        "parameters": config.training(),
        "data": material.fingerprint,
        "code": of_training(config),
        "own_parts": digests(config),
        "versions": versions(),
        "processes": group.size,
        **hardware.record(),
    }
    return StateFolder(resolve(path), identity)


def _state_of(output: Path) -> str:
    """The state's folder of a run whose results go to ``output``."""
    place, root = output.absolute(), resolve("")
    name = str(place.relative_to(root) if place.is_relative_to(root) else place)
    return f"build/state/{re.sub(r'[^A-Za-z0-9.-]+', '-', name).strip('-')}"


def _opening(config: RunConfig, material: Material, hardware: Hardware, group: Group) -> str:
    processes = f" in each of {group.size} processes" if group.many else ""
    return (
        f"{config.dataset}, {config.variant}, seed {config.seed}: {material.identities} "
        f"identities, {config.views * material.pairs} images a step, {material.steps} steps an "
        f"epoch, {config.epochs} epochs; {hardware.precision} on {hardware.name}{processes}"
    )


@contextmanager
def _board(config: RunConfig, output: Path, group: Group) -> Iterator[Board | None]:
    """TensorBoard's event files while the block lasts, where the run asks for them."""
    if not (config.tensorboard and group.writes):
        yield None
        return
    with closing(Board(output)) as board:
        yield board


def _write(trainer: Trainer, output: Path) -> None:
    """The run's files; the record comes last, so that a folder with one is whole."""
    config, material, place = trainer.config, trainer.material, trainer.place
    selected, network = config.epochs - 1, trainer.network
    if config.selection != "last" and config.epochs:
        if place.best_epoch < 0:
            raise TrainingError(
                f"selection = {config.selection!r}: no epoch gave finite features, so none is best; "
                "the log says why. Lower the rates or train for more steps"
            )
        selected = place.best_epoch
        network.load_state_dict(trainer.state.load_best())
    output.mkdir(parents=True, exist_ok=True)
    _write_table(output / HISTORY, place.history, columns(config, trainer.meter.names))
    _write_table(output / TIMING, place.timing, TIMINGS)
    save_network(
        output / WEIGHTS,
        network,
        {
            "config": json.dumps(config.training(), sort_keys=True),
            "dataset": config.dataset,
            "trial": str(config.trial),
            "dataset_fingerprint": material.fingerprint,
            "epoch": str(selected),
            "selection": config.selection,
        },
    )
    record = provenance(config.training(), material.fingerprint, device=trainer.hardware.device)
    write_json(output / RECORD, record | _facts(trainer, network, selected))


def _facts(trainer: Trainer, network: MSCMNet, selected: int) -> dict[str, Any]:
    return {
        **trainer.hardware.record(),
        "processes": trainer.group.size,
        "steps_per_epoch": trainer.material.steps,
        "identities": trainer.material.identities,
        "selected_epoch": selected,
        "selection": trainer.config.selection,
        "own_parts": digests(trainer.config),
        "parameter_count": sum(p.numel() for p in network.parameters()),
        "initialisation": network.initialisation.as_dict(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
    }


def _write_table(path: Path, rows: list[dict[str, float]], first: list[str]) -> None:
    """Write ``rows`` with the columns ``first``, then what else some rows have."""
    others = [name for name in pd.DataFrame(rows).columns if name not in first]
    table = pd.DataFrame(rows, columns=[*first, *others]).astype({"epoch": int})
    write_text(path, table.to_csv(index=False, lineterminator="\n"))


def _read(output: Path) -> TrainingResult:
    record = read_json(output / RECORD)
    return TrainingResult(output, output / WEIGHTS, pd.read_csv(output / HISTORY), record)


def _silent(_line: str) -> None:
    """Say nothing: what the processes that do not write do with a line."""
