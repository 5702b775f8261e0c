"""The resumable state of a run: one safetensors file, replaced as a whole, without pickle.

Tensors (weights, momentum, running sums of the epoch, states of the random generators) are the
file's tensors; everything else (place in the schedule, history, gradient scale, the best epoch so
far) is JSON in its header. A kill while it is written leaves the state before it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from mscm_lib.errors import CheckpointError
from mscm_lib.files import atomic_path, read_json, write_json

FILE = "state.safetensors"
BEST = "best.safetensors"
FINISHED = "finished.json"


@dataclass
class Place:
    """Where a run stands, and what it has seen; plain values only.

    Attributes:
        epoch: the epoch that the next step belongs to.
        step: steps of that epoch that are done.
        history: a row of figures for each finished epoch.
        timing: a row of clock readings for each finished epoch.
        best_epoch: the epoch whose weights the selection rule prefers so far; -1 for none.
        best_score: its rank-1.
        scaler: the gradient scaler's state; empty without one.
    """

    epoch: int = 0
    step: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    timing: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = -1
    best_score: float = -1.0
    scaler: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class StateFolder:
    """The folder that a run's state is kept in while it lasts.

    Attributes:
        path: the folder; made when the first state is saved.
        identity: what must agree for a state to be gone on with. ``identity["parameters"]`` is the
            run's configuration; the rest is what could change under it: data, code, versions.
    """

    path: Path
    identity: dict[str, Any]

    def save(self, place: Place, tensors: dict[str, Tensor]) -> None:
        """Replace the state by this one.

        Raises:
            StorageError: it could not be written; the state before it is whole.
        """
        header = {"identity": self.identity, "place": vars(place)}
        with atomic_path(self.path / FILE) as part:
            save_file(_plain(tensors), part, metadata={"state": json.dumps(header)})

    def load(self, log: Callable[[str], None] = print) -> tuple[Place, dict[str, Tensor]] | None:
        """The saved state, on the CPU; None where there is none of this identity.

        A state of other parameters, data, code or versions does not count: going on from it would
        give a result that no undisturbed run gives. It is kept in ``<folder>.aside``, and ``log``
        is told what differs; so it is where a finished run is asked for with other parameters.

        Raises:
            CheckpointError: the file is damaged.
        """
        path = self.path / FILE
        for leftover in self.path.glob(".*"):  # of a write that a kill cut short
            leftover.unlink(missing_ok=True)
        if not path.is_file():
            self._told_of_finished(log)
            return None
        try:
            with safe_open(path, framework="pt") as stored:
                header = json.loads((stored.metadata() or {})["state"])
                tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
        except (SafetensorError, KeyError, ValueError) as error:
            raise CheckpointError(
                f"{path}: not a readable training state ({error}); delete the folder to start over"
            ) from error
        if not (differing := self._differing(header["identity"])):
            return Place(**header["place"]), tensors
        aside = self.path.with_name(f"{self.path.name}.aside")
        with suppress(OSError):  # another process of the same training may have been faster
            shutil.rmtree(aside, ignore_errors=True)
            self.path.rename(aside)
        log(f"starting anew: the state that was there has {differing}; it is kept in {aside}")
        return None

    def _told_of_finished(self, log: Callable[[str], None]) -> None:
        if not (self.path / FINISHED).is_file():
            return
        if differing := self._differing(read_json(self.path / FINISHED)):
            log(f"starting anew: the finished run had {differing}, from its first step on")

    def _differing(self, found: dict[str, Any]) -> str:
        """What of ``found`` is not as it is here, in words; "" if nothing is."""
        told = []
        for part, here in self.identity.items():
            there = found.get(part)
            if isinstance(here, dict) and isinstance(there, dict):
                keys = sorted(k for k in here.keys() | there.keys() if here.get(k) != there.get(k))
                told += [
                    f"another {key}"
                    if part == "code"
                    else f"{key} = {there.get(key)!r} (here {here.get(key)!r})"
                    for key in keys
                ]
            elif here != there:
                told.append(f"{part} = {there!r} (here {here!r})")
        more = f" and {len(told) - 5} more" if len(told) > 5 else ""
        return ", ".join(told[:5]) + more

    def save_best(self, weights: dict[str, Tensor]) -> None:
        """Keep the weights that the selection rule prefers so far."""
        with atomic_path(self.path / BEST) as part:
            save_file(_plain(weights), part)

    def load_best(self) -> dict[str, Tensor]:
        """The weights that `save_best` kept."""
        with safe_open(self.path / BEST, framework="pt") as stored:
            return {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118

    def finish(self) -> None:
        """Delete the state: the run is over, and a run started anew must really train.

        What the run was stays, so that the next one can say in what it differs.
        """
        shutil.rmtree(self.path, ignore_errors=True)
        write_json(self.path / FINISHED, self.identity)


def _plain(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Copies on the CPU in the default layout: safetensors takes no views and no shared memory."""
    return {n: torch.empty(t.shape, dtype=t.dtype).copy_(t.detach()) for n, t in tensors.items()}


def random_states(device: torch.device) -> dict[str, Tensor]:
    """The states of PyTorch's global generators that a layer may draw from."""
    states = {"random.cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["random.cuda"] = torch.cuda.get_rng_state(device)
    return states


def restore_random_states(tensors: dict[str, Tensor], device: torch.device) -> None:
    """Set the global generators as `random_states` found them."""
    torch.set_rng_state(tensors["random.cpu"])
    if device.type == "cuda":
        torch.cuda.set_rng_state(tensors["random.cuda"], device)
