"""The loop: epochs of steps, a saved state after each, and exactly the same ending if resumed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import NoReturn

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from mscm_lib.config import RunConfig
from mscm_lib.errors import ProtocolError, TrainingError
from mscm_lib.hardware import Hardware
from mscm_lib.losses import build_metric_loss
from mscm_lib.models import MSCMNet
from mscm_lib.training import diagnostics, snapshot
from mscm_lib.training.board import Board
from mscm_lib.training.distributed import Group, gather_rows, synchronise_batch_norm
from mscm_lib.training.history import MEASURES, history_row
from mscm_lib.training.meter import POLL_STEPS, Meter
from mscm_lib.training.objective import Objective, Parts
from mscm_lib.training.preparation import Material
from mscm_lib.training.progress import epoch_line
from mscm_lib.training.retrieval import Retrieval
from mscm_lib.training.schedule import rate_factor
from mscm_lib.training.scope import Interruption
from mscm_lib.training.state import Place, StateFolder

DIAGNOSE_STEPS = 10
"""Steps between diagnostics, which cost a few per cent of a step."""

SAVE_SECONDS = 300.0
"""A state is saved inside an epoch too when the last one is older than this."""


class Trainer:
    """One process's part in one training.

    Args:
        config: the run's parameters.
        material: data, sampler and loader, checked.
        hardware: device and number format.
        group: the processes of this training.
        state: where the resumable state lies.
        log: takes a line of text.
        board: takes each epoch's figures; None shows them nowhere.
    """

    def __init__(
        self,
        config: RunConfig,
        material: Material,
        hardware: Hardware,
        group: Group,
        state: StateFolder,
        log: Callable[[str], None],
        board: Board | None = None,
    ) -> None:
        self.config, self.material, self.hardware = config, material, hardware
        self.group, self.state, self.log = group, state, log
        self.board = board
        self.network = MSCMNet.from_config(config, material.identities)
        self.metric_loss = _metric_loss(config, material.identities, self.network.channels)
        self.place = Place()
        self._assemble()
        self.optimizer = self._build_optimizer()
        self.scaler = torch.amp.GradScaler(hardware.device.type, enabled=hardware.scaled)
        self.meter = self._new_meter()
        self._saved_at = time.monotonic()

    def _assemble(self) -> None:
        """Move to the device, synchronise, compile, and share the gradients' average."""
        if self.group.many and self.config.sync_batch_norm:
            synchronise_batch_norm(self.network)
        self.network = self.hardware.place(self.network)
        if self.metric_loss is not None:
            self.metric_loss.to(self.hardware.device)
        if self.config.compile:
            self.network.compile()
        objective: nn.Module = Objective(
            self.network, self.metric_loss, self.config.metric_weight, self.hardware, self.group
        )
        if self.group.many:
            gpu = self.hardware.device.type == "cuda"
            objective = DistributedDataParallel(
                objective,
                device_ids=[self.hardware.device.index] if gpu else None,
                gradient_as_bucket_view=True,
            )
        self.objective = objective

    def _build_optimizer(self) -> torch.optim.SGD:
        head = list(self.network.head_parameters())
        if self.metric_loss is not None:  # learned centers start from nothing, as the head does
            head += list(self.metric_loss.parameters())
        groups = [
            {"params": list(self.network.trunk_parameters()), "base": self.config.trunk_rate},
            {"params": head, "base": self.config.head_rate},
        ]
        optimizer = torch.optim.SGD(
            groups,
            lr=self.config.trunk_rate,
            momentum=self.config.momentum,
            nesterov=self.config.momentum > 0,
            weight_decay=self.config.weight_decay,
            fused=True,
        )
        for parameter in [p for group in optimizer.param_groups for p in group["params"]]:
            # left to itself, the fused step takes what memory holds if the scaler skips the first
            optimizer.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
        return optimizer

    def _new_meter(self) -> Meter:
        parts = [name for name, part in self.network.named_children() if [*part.parameters()]]
        names = MEASURES + [f"gradient_{part}" for part in parts]
        return Meter(names, self.hardware.device, self.group)

    def fit(self, interruption: Interruption) -> None:
        """Train to the last epoch, from the saved state if there is one.

        Raises:
            TrainingError: a loss was not finite.
            KeyboardInterrupt, SystemExit: a signal came; the state is saved.
        """
        self._resume()
        if self.board is not None:
            for row, timing in zip(self.place.history, self.place.timing, strict=True):
                self.board.add(row, self._speed(timing))
        self.objective.train()
        for epoch in range(self.place.epoch, self.config.epochs):
            self._run_epoch(epoch, interruption)

    # --- one epoch

    def _run_epoch(self, epoch: int, interruption: Interruption) -> None:
        factor = rate_factor(self.config, epoch)
        for group in self.optimizer.param_groups:
            group["lr"] = group["base"] * factor
        began, first, steps = time.monotonic(), self.place.step, self.material.steps
        loader = self.material.loader
        with closing(loader.epoch(epoch, first)) as batches:
            for step in range(first, steps):
                self.train_step(step, *next(batches))
                self.place.step = step + 1
                bad = self.meter.first_bad(step)
                if bad is not None:
                    self._stop(epoch, bad)
                self._save_or_leave(step, interruption)
        self._close_epoch(epoch, steps - first, began, loader.waited)

    def _save_or_leave(self, step: int, interruption: Interruption) -> None:
        """Save inside an epoch when a signal has come or the last state is old.

        Several processes must do so together, and agree on it only every `POLL_STEPS` steps.
        """
        if self.group.many and step % POLL_STEPS:
            return
        old = time.monotonic() - self._saved_at > SAVE_SECONDS
        signal_number, old = self.group.share((interruption.number, old))
        if signal_number is not None or old:
            self.save(self._check(self.place.epoch, step))
        if signal_number is not None:
            self.log(f"interrupted; the state is in {self.state.path}")
            interruption.leave(signal_number)

    def train_step(self, step: int, views: tuple[Tensor, ...], labels: Tensor) -> None:
        """One step of the optimizer on one batch; nothing in it waits for the device.

        Args:
            step: its number in the epoch.
            views: V_g, V_c, I_g, I_c or V_g, I_g, each (B, 3, H, W), on the device.
            labels: (B,) classes.
        """
        parts: Parts = self.objective(views, labels)
        self.scaler.scale(parts.loss).backward()
        measures = {
            "identity_loss": parts.identity,
            "metric_loss": parts.metric,
            "correct": parts.correct,
        }
        if step % DIAGNOSE_STEPS == 0:
            measures |= self._diagnose(views, parts.pooled)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        self.meter.add(measures)
        self.meter.note(parts.loss, step)

    @torch.no_grad()
    def _diagnose(self, views: tuple[Tensor, ...], pooled: Tensor) -> dict[str, Tensor]:
        self.scaler.unscale_(self.optimizer)
        everything = gather_rows(pooled, len(views), self.group)
        with self.hardware.autocast():
            stems = diagnostics.stem_maps(self.network.streams, views)
        found = {
            **diagnostics.gradient_norms(self.network),
            **diagnostics.stream_similarities(stems, everything, len(views)),
            "active_separation": diagnostics.active_separation(
                everything, len(views), self.config.images_per_identity, self.config.margin
            ),
        }
        return diagnostics.counted(found)

    def _close_epoch(self, epoch: int, steps: int, began: float, waited: float) -> None:
        totals = self._check(epoch, self.material.steps - 1)
        seconds = time.monotonic() - began
        sums = dict(zip(self.meter.names, totals.tolist(), strict=True))
        row = history_row(self.config, epoch, self.material.steps, self.group.size, sums)
        timing = {"epoch": epoch, "steps": steps, "seconds": seconds, "waited": waited}
        retrieval = self.material.retrieval
        if retrieval is not None and retrieval.due(epoch):
            row |= self._retrieve(retrieval, epoch)
        self.place.history.append(row)
        self.place.timing.append(timing)
        self.place.epoch, self.place.step = epoch + 1, 0
        self.meter = self._new_meter()
        self.save(self.meter.sums)
        speed = self._speed(timing)
        left = self._images(self.material.steps) / speed * (self.config.epochs - epoch - 1)
        self.log(epoch_line(row, self.config.epochs, speed, left))
        if self.board is not None:
            self.board.add(row, speed)

    def _images(self, steps: float) -> float:
        """Views that go through the trunk in so many steps, over all processes."""
        return steps * self.config.views * self.material.pairs

    def _speed(self, timing: Mapping[str, float]) -> float:
        """Images per second; an epoch resumed after its last step has none to measure by."""
        return self._images(max(timing["steps"], 1)) / timing["seconds"]

    def _retrieve(self, retrieval: Retrieval, epoch: int) -> dict[str, float]:
        """Retrieval figures of this epoch; keeps its weights if they are the best so far."""
        figures: dict[str, float] = {}
        if self.group.writes:
            try:
                figures = retrieval.measure(self.network, self.hardware)
            except ProtocolError as error:
                # after very few steps running statistics are still far off, and non-local blocks
                # cube what is too large; that is no reason to stop
                self.log(f"no retrieval after epoch {epoch + 1}: {error}")
            self.objective.train()
        figures = self.group.share(figures)
        if figures and (score := retrieval.score(figures)) > self.place.best_score:
            self.place.best_epoch, self.place.best_score = epoch, score
            if self.group.writes and self.config.selection != "last":
                self.state.save_best(self.network.state_dict())
        return figures

    def _check(self, epoch: int, step: int) -> Tensor:
        """The epoch's sums so far, over all processes, if nothing after ``step`` is non-finite."""
        sums, bad = self.meter.totals()
        if bad is not None:
            self._stop(epoch, bad)
        if not snapshot.finite(self.network):  # a finite loss may have had other gradients
            self._stop(epoch, step, "the weights were")
        return sums

    def _stop(self, epoch: int, step: int, what: str = "the loss was") -> NoReturn:
        kept = self.state.path / "state.safetensors"
        last = f"the last good state is {kept}" if kept.is_file() else "no state was saved before"
        raise TrainingError(
            f"{what} not finite in epoch {epoch}, step {step}, whose batch held the "
            f"identities {self.material.identities_of(epoch, step)}; {last}. "
            "Lower head_rate and trunk_rate, lengthen warmup_epochs, or set precision = 'float32'"
        )

    # --- state

    def save(self, sums: Tensor) -> None:
        """Save everything that the rest of the run depends on.

        Args:
            sums: the running epoch's, over all processes.
        """
        if self.group.writes:
            self.place.scaler = self.scaler.state_dict()
            self.state.save(self.place, {**snapshot.take(*self._parts()), "meter": sums})
        self._saved_at = time.monotonic()

    def _parts(self) -> tuple[nn.Module, nn.Module | None, torch.optim.SGD, torch.device]:
        return self.network, self.metric_loss, self.optimizer, self.hardware.device

    def _resume(self) -> None:
        stored = self.state.load(self.log)
        if stored is None:
            return
        self.place, tensors = stored
        snapshot.put_back(tensors, *self._parts())
        self.scaler.load_state_dict(self.place.scaler)
        if self.group.writes:  # the sums of all processes go on in one of them
            self.meter.sums.copy_(tensors["meter"])
        self.log(f"going on from epoch {self.place.epoch}, step {self.place.step}")


def _metric_loss(config: RunConfig, identities: int, channels: int) -> nn.Module | None:
    if config.metric_weight == 0:  # learned centers without a gradient would have no use
        return None
    return build_metric_loss(config, identities, channels)
