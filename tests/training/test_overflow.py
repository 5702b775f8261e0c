"""Steps whose gradients overflow: what the fused optimizer and the diagnostics make of them."""

import copy
import math

import pytest
import torch

from mscm_lib.hardware import choose_hardware
from mscm_lib.training.distributed import Group
from mscm_lib.training.history import history_row
from mscm_lib.training.preparation import prepare
from mscm_lib.training.scope import reproducible
from mscm_lib.training.state import StateFolder
from mscm_lib.training.trainer import Trainer


@pytest.fixture
def trainer(tiny, tmp_path):
    """A trainer and its batches; ``scale`` is what the gradient scaler starts from."""

    def build(scale=None):
        hardware = choose_hardware(tiny)
        material = prepare(tiny, hardware, Group())
        state = StateFolder(tmp_path / "state", {})
        made = Trainer(tiny, material, hardware, Group(), state, lambda line: None)
        made.objective.train()
        if scale is not None:
            made.scaler = torch.amp.GradScaler("cpu", init_scale=scale)
        return made, enumerate(material.loader.epoch(0))

    return build


def _step(trainer, batches):
    number, (views, labels) = next(batches)
    trainer.train_step(number, views, labels)


def _row(trainer, steps):
    totals, _ = trainer.meter.totals()
    sums = dict(zip(trainer.meter.names, totals.tolist(), strict=True))
    return history_row(trainer.config, 0, steps, 1, sums)


def test_after_a_skipped_first_step_momentum_is_zero_and_no_weight_has_moved(trainer, monkeypatch):
    made, batches = trainer(scale=3e38)
    before = copy.deepcopy(made.network.state_dict())
    with reproducible(torch.device("cpu"), deterministic=True, seed=0):
        # what is not initialised is NaN
        monkeypatch.setattr(torch.utils.deterministic, "fill_uninitialized_memory", True)
        _step(made, batches)
    assert made.scaler.get_scale() < 3e38  # the step was skipped
    parameters = [p for group in made.optimizer.param_groups for p in group["params"]]
    assert all(not made.optimizer.state[p]["momentum_buffer"].any() for p in parameters)
    assert all(torch.equal(before[name], p) for name, p in made.network.named_parameters())


def test_momentum_from_zeros_gives_the_bits_that_it_gives_from_nothing(trainer):
    weights = []
    for emptied in (False, True):
        made, batches = trainer()
        if emptied:
            made.optimizer.state.clear()
        for _ in range(3):
            _step(made, batches)
        weights.append(made.network.state_dict())
    assert all(torch.equal(tensor, weights[1][name]) for name, tensor in weights[0].items())


def test_a_diagnosis_of_an_overflow_is_not_counted(trainer):
    made, batches = trainer(scale=3e38)
    _step(made, batches)
    assert math.isnan(_row(made, 1)["gradient_head"])  # no step could tell
    made.scaler = torch.amp.GradScaler("cpu", init_scale=1.0)
    views, labels = next(batches)[1]
    made.train_step(0, views, labels)
    row = _row(made, 2)
    assert made.meter.totals()[0][made.meter.names.index("diagnosed")] == 1
    for name in ("gradient_head", "gradient_streams", "active_separation", "cka_stem_modalities"):
        assert math.isfinite(row[name]), name
