"""Everything of a training that is a tensor: taken for the state file, and put back from it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from mscm_lib.training.state import random_states, restore_random_states

Tensors = dict[str, Tensor]


def take(
    network: nn.Module,
    metric_loss: nn.Module | None,
    optimizer: torch.optim.SGD,
    device: torch.device,
) -> Tensors:
    """Weights, running statistics, learned centers, momentum and random states, by name."""
    tensors = {f"network.{name}": t for name, t in network.state_dict().items()}
    if metric_loss is not None:
        tensors |= {f"metric_loss.{name}": t for name, t in metric_loss.state_dict().items()}
    for index, slots in optimizer.state_dict()["state"].items():
        tensors[f"momentum.{index}"] = slots["momentum_buffer"]
    return tensors | random_states(device)


def put_back(
    tensors: Tensors,
    network: nn.Module,
    metric_loss: nn.Module | None,
    optimizer: torch.optim.SGD,
    device: torch.device,
) -> None:
    """Make all of them what `take` found."""
    network.load_state_dict(_below("network.", tensors))
    if metric_loss is not None:
        metric_loss.load_state_dict(_below("metric_loss.", tensors))
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for index, stored in _below("momentum.", tensors).items():
        optimizer.state[parameters[int(index)]]["momentum_buffer"].copy_(stored)
    restore_random_states(tensors, device)


@torch.no_grad()
def finite(network: nn.Module) -> bool:
    """Whether every trained weight is finite; waits for the device."""
    norms = torch._foreach_norm([p for p in network.parameters() if p.requires_grad])
    return bool(torch.stack(norms).isfinite().all())


def _below(prefix: str, tensors: dict[str, Any]) -> dict[str, Any]:
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
