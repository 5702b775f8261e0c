"""A step at full size on fake CUDA tensors: nothing in it waits for the device.

The backward pass is left out, since PyTorch's engine wants a real device; what of it is the
library's own is traced with the network's graph.
"""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch._subclasses.fake_tensor import DataDependentOutputException

from mscm_lib.config import RunConfig
from mscm_lib.data.batches.views import FourViews
from mscm_lib.hardware import choose_hardware
from mscm_lib.losses import build_metric_loss
from mscm_lib.models import MSCMNet
from mscm_lib.training import distributed, trainer
from mscm_lib.training.distributed import GlobalBatchNorm, Group
from mscm_lib.training.scope import reproducible
from mscm_lib.training.state import StateFolder

PAIRS, IDENTITIES = 24, 395


def _views(config, device):
    views = FourViews.from_config(config)
    images = torch.zeros(2 * PAIRS, config.height, config.width, 3, dtype=torch.uint8).to(device)
    return views.apply(*images.chunk(2), views.draw(0, 0, PAIRS).to(device))


@pytest.mark.parametrize(("precision", "processes"), [("bfloat16", 1), ("float16", 2)])
def test_a_step_at_full_size_reads_nothing_back(monkeypatch, fake_gpu, precision, processes):
    config = RunConfig(weights="none", device="cuda:0", precision=precision)
    network = MSCMNet.from_config(config, IDENTITIES)
    monkeypatch.setattr(MSCMNet, "from_config", lambda *arguments: network)
    monkeypatch.setattr(trainer, "DistributedDataParallel", lambda module, **named: module)
    monkeypatch.setattr(distributed.dist, "get_world_size", lambda: processes)
    for name in ("all_gather", "all_reduce"):
        monkeypatch.setattr(distributed.dist, name, lambda *arguments: None)
    material, group = SimpleNamespace(identities=IDENTITIES), Group(0, processes)
    with fake_gpu():
        hardware = choose_hardware(config)
        with reproducible(hardware.device, deterministic=True, seed=0):
            state = StateFolder(Path(), {})
            made = trainer.Trainer(config, material, hardware, group, state, print)
            synchronised = any(isinstance(part, GlobalBatchNorm) for part in network.modules())
            assert synchronised == (processes > 1)
            _take_steps(made, monkeypatch)
            with pytest.raises(DataDependentOutputException):  # as any reading would have
                made.meter.totals()


def _take_steps(made, monkeypatch):
    def backward(loss):
        assert loss.device == made.hardware.device and loss.dtype is torch.float32
        for group in made.optimizer.param_groups:
            for parameter in group["params"]:
                parameter.grad = torch.empty_like(parameter)

    monkeypatch.setattr(torch.Tensor, "backward", backward)
    made.objective.train()
    labels = torch.arange(6).repeat_interleave(4).to(made.hardware.device)
    for step in (0, 1):  # the first is diagnosed
        made.train_step(step, _views(made.config, made.hardware.device), labels)


@pytest.fixture
def compiled():
    """``compiled(function)`` is traced whole, or raises; nothing is compiled to machine code."""
    torch._dynamo.reset()
    yield lambda function: torch.compile(function, fullgraph=True, backend="eager")
    torch._dynamo.reset()


def test_the_network_is_one_graph(compiled):
    config = RunConfig(
        backbone="resnet18", weights="none", height=64, width=32, device="cpu", precision="bfloat16"
    )
    network = MSCMNet.from_config(config, IDENTITIES).train()
    views = [torch.rand(2, 3, 64, 32) for _ in range(4)]
    with choose_hardware(config).autocast():
        output = compiled(network)(*views)
    output.logits.sum().backward()
    assert all(p.grad.any() for p in network.streams.parameters() if p.ndim == 4)


def test_the_loss_is_one_graph(compiled):
    config = RunConfig(weights="none")
    loss = build_metric_loss(config, IDENTITIES, 16)
    pooled = torch.rand(4 * PAIRS, 16, requires_grad=True)
    labels = torch.arange(6).repeat_interleave(4)
    found = compiled(loss)(pooled, labels)
    found.backward()
    assert pooled.grad.any()
    torch.testing.assert_close(found, loss(pooled, labels))
