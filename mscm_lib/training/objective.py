"""What a step minimises: cross-entropy over all rows plus the metric loss on pooled features."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from mscm_lib.hardware import Hardware
from mscm_lib.models import MSCMNet
from mscm_lib.models.streams import arranged
from mscm_lib.training.distributed import Group, gather_rows


class Parts(NamedTuple):
    """What one step computed; no value leaves the device.

    Attributes:
        loss: () what is minimised.
        identity: () cross-entropy over this process's rows.
        metric: () metric loss over the global batch; 0 without one.
        correct: () rows of this process whose highest score is their identity's.
        pooled: (n, C) this process's pooled features.
    """

    loss: Tensor
    identity: Tensor
    metric: Tensor
    correct: Tensor
    pooled: Tensor


class Objective(nn.Module):
    """Network and losses as one module: views and labels in, loss out.

    Total = cross-entropy(classifier(g), identity) over all rows + weight · metric loss(f).

    Source: training objective of arXiv 2311.14395.

    Args:
        network: what is trained.
        metric_loss: called as ``metric_loss(pooled, labels)``; None for cross-entropy alone.
        weight: of the metric loss.
        hardware: number format of the forward pass; the losses are in float32 always.
        group: the processes that share the global batch.
    """

    def __init__(
        self,
        network: MSCMNet,
        metric_loss: nn.Module | None,
        weight: float,
        hardware: Hardware,
        group: Group,
    ) -> None:
        super().__init__()
        self.network = network
        self.metric_loss = metric_loss
        self._weight = weight
        self._hardware = hardware
        self._group = group

    def forward(self, views: tuple[Tensor, ...], labels: Tensor) -> Parts:
        """Views V_g, V_c, I_g, I_c, or fewer (`VIEWS`), each (B, 3, H, W); labels (B,)."""
        with self._hardware.autocast():
            output = self.network(*arranged(views))
        rows = labels.repeat(len(views))  # (n,), n = 4B, 3B or 2B
        logits, pooled = output.logits, output.pooled  # float32: the head leaves autocast
        identity = functional.cross_entropy(logits, rows)
        metric = torch.zeros_like(identity)
        if self.metric_loss is not None:
            everything = gather_rows(pooled, len(views), self._group)
            metric = self.metric_loss(everything, gather_rows(rows, len(views), self._group))
        return Parts(
            loss=identity + self._weight * metric,
            identity=identity.detach(),
            metric=metric.detach(),
            correct=(logits.detach().argmax(1) == rows).sum(),
            pooled=pooled.detach(),
        )
