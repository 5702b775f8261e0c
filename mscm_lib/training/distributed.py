"""One training over several processes, so that it computes what a single process computes.

Each process ("rank") holds the P / W identities of a global batch that are dealt to it. The loss of
the global batch is L = CE + w · M: cross-entropy is a mean over rows, so the mean over ranks of
their own means is the global one; the metric loss M needs every feature, so each rank gathers
them all and computes the same M. Gradients are averaged over ranks. For M a rank's own features
carry only its share of the sum, so `gather_rows` multiplies their gradient by W, and the average
is again the gradient of M.

Source of the engine: `torch.distributed` as started by ``torchrun``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

PATIENCE = timedelta(minutes=30)
"""How long a process waits for the others: as long as a validation by the writer may take."""


@dataclass(frozen=True)
class Group:
    """The processes of one training.

    Attributes:
        rank: this process's number, from 0; rank 0 writes all files.
        size: how many processes there are.
    """

    rank: int = 0
    size: int = 1

    @property
    def writes(self) -> bool:
        """Whether this process is the one that writes and prints."""
        return self.rank == 0

    @property
    def many(self) -> bool:
        """Whether there is more than one process."""
        return self.size > 1

    def sum(self, values: Tensor) -> Tensor:
        """The element-wise sum of ``values`` over all processes."""
        if self.many:
            dist.all_reduce(values)
        return values

    def lowest(self, values: Tensor) -> Tensor:
        """The element-wise minimum of ``values`` over all processes."""
        if self.many:
            dist.all_reduce(values, dist.ReduceOp.MIN)
        return values

    def wait(self) -> None:
        """Return when every process has come here."""
        if self.many:
            dist.barrier()

    def share(self, value: Any) -> Any:
        """The writer's ``value``, on every process."""
        if not self.many:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0)
        return box[0]


@contextmanager
def process_group(device: torch.device) -> Iterator[Group]:
    """The group that torchrun started this process in; a group of one without torchrun.

    Messages go over NCCL between GPUs and over gloo between CPUs. A group that the caller has made
    is used and left open.
    """
    made = False
    if not dist.is_initialized() and int(os.environ.get("WORLD_SIZE", "1")) > 1:
        backend = "nccl" if device.type == "cuda" else "gloo"
        if device.type == "cuda":
            torch.cuda.set_device(device)
        dist.init_process_group(backend, timeout=PATIENCE)
        made = True
    try:
        if dist.is_initialized():
            yield Group(dist.get_rank(), dist.get_world_size())
        else:
            yield Group()
    finally:
        if made:
            dist.destroy_process_group()


class _GatherRows(torch.autograd.Function):
    """All ranks' rows with gradient; see `gather_rows`."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, streams: int, group: Group) -> Tensor:
        ctx.streams, ctx.group = streams, group
        parts = [torch.empty_like(rows) for _ in range(group.size)]
        dist.all_gather(parts, rows.contiguous())
        # W x (S*b, D) -> (S, W*b, D): a stream's rows of all ranks side by side
        by_stream = [part.unflatten(0, (streams, -1)) for part in parts]
        return torch.cat(by_stream, dim=1).flatten(0, 1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        by_stream = gradients[0].unflatten(0, (ctx.streams, ctx.group.size, -1))  # (S, W, b, D)
        return by_stream[:, ctx.group.rank].flatten(0, 1) * ctx.group.size, None, None


def gather_rows(rows: Tensor, streams: int, group: Group) -> Tensor:
    """The global batch's rows, in the stream order that a single process has them in.

    Args:
        rows: (S·b, D) or (S·b,), this rank's rows stream by stream.
        streams: S, 4 for V_g, V_c, I_g, I_c and 2 for V_g, I_g.
        group: W processes, each with as many rows.

    Returns:
        (S·W·b, …), stream by stream, within a stream rank by rank. A gradient comes back to this
        rank's rows multiplied by W, which the averaging of gradients over ranks undoes.
    """
    if not group.many:
        return rows
    gathered: Tensor = _GatherRows.apply(rows, streams, group)
    return gathered


class _SumOverRanks(torch.autograd.Function):
    """Sum over ranks; a gradient is summed over ranks as well."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        total = values.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone()
        dist.all_reduce(total)
        return total


class GlobalBatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch norm whose statistics are those of all ranks' rows, on any device.

    Computes in the number format of its weights, float32 under autocast too.

    `torch.nn.SyncBatchNorm` is the same thing written for GPUs, and has no form for CPUs.
    """

    def forward(self, input: Tensor) -> Tensor:
        """(B, C, …) normalised by the mean and variance per channel over all ranks."""
        if not self.training:
            return super().forward(input)
        x = input.to(self.weight.dtype)
        axes = [0, *range(2, x.ndim)]
        shape = [1, -1] + [1] * (x.ndim - 2)
        count = x.new_full((1,), x.numel() / x.shape[1])
        # two passes, as a single process does it: squares of raw values would cancel
        sums = _SumOverRanks.apply(torch.cat([x.sum(axes), count]))
        mean = sums[:-1] / sums[-1]
        centered = x - mean.view(shape)
        variance = _SumOverRanks.apply(centered.square().sum(axes)) / sums[-1]
        self._remember(mean.detach(), variance.detach(), sums[-1].detach())
        scale = self.weight * torch.rsqrt(variance + self.eps)
        out = centered * scale.view(shape) + self.bias.view(shape)
        return out.to(input.dtype)

    def _check_input_dim(self, input: Tensor) -> None:
        """Any number of dimensions from two is fine."""

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor, count: Tensor) -> None:
        assert self.running_mean is not None and self.running_var is not None
        assert self.momentum is not None and self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * count / (count - 1), self.momentum)


def synchronise_batch_norm(network: nn.Module, device: torch.device) -> nn.Module:
    """``network`` with every batch norm taking its statistics over all ranks.

    Parameters and their names stay, so weights load and save as before.
    """
    if device.type == "cuda":
        return nn.SyncBatchNorm.convert_sync_batchnorm(network)
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.modules.batchnorm._BatchNorm):
                setattr(module, name, _globalised(child))
    return network


def _globalised(norm: nn.modules.batchnorm._BatchNorm) -> GlobalBatchNorm:
    twin = GlobalBatchNorm(norm.num_features, norm.eps, norm.momentum)
    twin.weight, twin.bias = norm.weight, norm.bias
    twin.running_mean, twin.running_var = norm.running_mean, norm.running_var
    twin.num_batches_tracked = norm.num_batches_tracked
    return twin.train(norm.training)
