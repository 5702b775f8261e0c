"""PyTorch's fused SGD of a CPU walks weights, gradients and momentum as they lie in memory.

Where a gradient lies in another order than its weight, it updates other weights, and nothing says so.
"""

from pathlib import Path
from types import SimpleNamespace

import torch

from mscm_lib.hardware import choose_hardware
from mscm_lib.training.distributed import Group
from mscm_lib.training.state import StateFolder
from mscm_lib.training.trainer import Trainer


def test_a_fused_step_of_channels_last_weights_is_the_plain_one(tiny):
    hardware = choose_hardware(tiny)
    made = Trainer(
        tiny, SimpleNamespace(identities=10), hardware, Group(), StateFolder(Path(), {}), print
    )
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(4).repeat_interleave(2)
    weights = [p for group in made.optimizer.param_groups for p in group["params"]]
    assert any(not p.is_contiguous() for p in weights)  # channels last in memory
    twins = [torch.nn.Parameter(p.detach().clone().contiguous()) for p in weights]
    plain = torch.optim.SGD(
        twins, lr=0.05, momentum=0.9, nesterov=True, weight_decay=tiny.weight_decay, fused=False
    )
    for group in made.optimizer.param_groups:
        group["lr"] = 0.05
    for _ in range(3):
        views = tuple(torch.randn(8, 3, 32, 16, generator=generator) for _ in range(4))
        made.objective.train()(views, labels).loss.backward()
        for weight, twin in zip(weights, twins, strict=True):
            assert weight.grad.stride() == weight.stride()
            twin.grad = weight.grad.clone().contiguous()
        made.optimizer.step()
        made.optimizer.zero_grad()
        plain.step()
    for weight, twin in zip(weights, twins, strict=True):
        torch.testing.assert_close(weight.detach(), twin.detach(), rtol=1e-4, atol=1e-6)
