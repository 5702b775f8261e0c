"""A step at full size on fake CUDA tensors: nothing in it waits for the device.

A fake tensor has a shape, a number format and a device and no values: whatever reads one raises.
The backward pass is left out, since PyTorch's engine wants a real device; what of it is the
library's own is called by hand or traced when the network is compiled.
"""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch._subclasses import FakeTensorMode
from torch._subclasses.fake_tensor import DataDependentOutputException

from mscm_lib.config import RunConfig
from mscm_lib.data import pixels
from mscm_lib.data.views import FourViews
from mscm_lib.hardware import Hardware, choose_hardware
from mscm_lib.losses import build_metric_loss
from mscm_lib.models import MSCMNet
from mscm_lib.training import distributed, trainer
from mscm_lib.training.distributed import GlobalBatchNorm, Group
from mscm_lib.training.scope import reproducible
from mscm_lib.training.state import StateFolder

PAIRS, IDENTITIES = 24, 395


def _placed(self, network):
    """`Hardware.place` for fake tensors, which `nn.Module.to` does not take."""
    for module in network.modules():
        for held in (module._parameters, module._buffers):
            for name, value in held.items():
                if value is None:
                    continue
                made = torch.empty(value.shape, dtype=value.dtype, device=self.device)
                if made.ndim == 4:
                    made = made.to(memory_format=torch.channels_last)
                trained = isinstance(value, nn.Parameter)
                held[name] = nn.Parameter(made, value.requires_grad) if trained else made
    return network


@pytest.fixture
def fake_gpu(monkeypatch):
    """Tensors are fake, and there is a GPU as far as the library can see."""
    with torch.library._scoped_library("aten", "IMPL") as library:
        library.impl("_fused_sgd_", lambda *given, **named: None, "Meta")
        library.impl("batch_norm_update_stats", _statistics, "Meta")
        pixels._constants.cache_clear()
        with FakeTensorMode():
            for name, answer in {
                "is_available": lambda: True,
                "device_count": lambda: 1,
                "set_device": lambda device: None,
                "get_device_capability": lambda device: (9, 0),
                "get_device_name": lambda device: "fake",
                "is_bf16_supported": lambda including_emulation=True: True,
                "get_rng_state": lambda device: None,
                "set_rng_state": lambda state, device: None,
                "manual_seed": lambda seed: None,
            }.items():
                monkeypatch.setattr(torch.cuda, name, answer)
            yield
        pixels._constants.cache_clear()


def _statistics(x, running_mean, running_var, momentum):
    return torch.empty(2, x.shape[1], dtype=torch.float32, device=x.device).unbind(0)


def _views(config, device):
    views = FourViews.from_config(config)
    images = torch.zeros(2 * PAIRS, config.height, config.width, 3, dtype=torch.uint8).to(device)
    return views.apply(*images.chunk(2), views.draw(0, 0, PAIRS).to(device))


@pytest.mark.parametrize(("precision", "processes"), [("bfloat16", 1), ("float16", 2)])
def test_a_step_at_full_size_reads_nothing_back(monkeypatch, request, precision, processes):
    config = RunConfig(weights="none", device="cuda:0", precision=precision)
    network = MSCMNet.from_config(config, IDENTITIES)  # real, and made fake where it is placed
    monkeypatch.setattr(MSCMNet, "from_config", lambda *arguments: network)
    monkeypatch.setattr(Hardware, "place", _placed)
    monkeypatch.setattr(trainer, "DistributedDataParallel", lambda module, **named: module)
    for name, answer in {
        "get_world_size": lambda: processes,
        "all_gather": lambda *arguments: None,
        "all_reduce": lambda *arguments: None,
    }.items():
        monkeypatch.setattr(distributed.dist, name, answer)
    request.getfixturevalue("fake_gpu")
    hardware, group = choose_hardware(config), Group(0, processes)
    material = SimpleNamespace(identities=IDENTITIES)
    with reproducible(hardware.device, deterministic=True, seed=0):
        made = trainer.Trainer(config, material, hardware, group, StateFolder(Path(), {}), print)
        made.objective.train()
        synchronised = [m for m in network.modules() if isinstance(m, GlobalBatchNorm)]
        assert bool(synchronised) == (processes > 1)
        parameters = [p for group in made.optimizer.param_groups for p in group["params"]]

        def backward(loss):
            assert loss.device == hardware.device and loss.dtype is torch.float32
            for parameter in parameters:
                parameter.grad = torch.empty_like(parameter)

        monkeypatch.setattr(torch.Tensor, "backward", backward)
        labels = torch.arange(6).repeat_interleave(4).to(hardware.device)
        for step in (0, 1):  # the first is diagnosed
            made.train_step(step, _views(config, hardware.device), labels)
        with pytest.raises(DataDependentOutputException):  # as any reading would have
            made.meter.totals()


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
