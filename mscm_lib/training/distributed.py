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
from torch.autograd.function import once_differentiable
from torch.nn import functional

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
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=PATIENCE)
        made = True
    try:
        if dist.is_initialized():
            yield Group(dist.get_rank(), dist.get_world_size())
        else:
            yield Group()
    finally:
        if made:
            dist.destroy_process_group()


def _of_all_ranks(values: Tensor) -> list[Tensor]:
    """Each rank's ``values``, in the order of ranks."""
    parts = [torch.empty_like(values) for _ in range(dist.get_world_size())]
    dist.all_gather(parts, values)
    return parts


class _GatherRows(torch.autograd.Function):
    """All ranks' rows with gradient; see `gather_rows`."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, streams: int, group: Group) -> Tensor:
        ctx.streams, ctx.group = streams, group
        # W x (S*b, D) -> (S, W*b, D): a stream's rows of all ranks side by side
        by_stream = [part.unflatten(0, (streams, -1)) for part in _of_all_ranks(rows.contiguous())]
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


class _GlobalNorm(torch.autograd.Function):
    """Batch norm by the statistics of all ranks' rows, of which each rank has equally many."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        """(B, C, …) → the same normalised, and mean and variance (C,) over all ranks."""
        # a CPU's statistics come in the format of the rows, a GPU's in float32
        wide = x.to(torch.promote_types(x.dtype, weight.dtype)) if x.is_cpu else x
        own = torch.stack(torch.batch_norm_update_stats(wide, None, None, 0.0))  # (2, C)
        means, variances = torch.stack(_of_all_ranks(own)).unbind(1)  # each (W, C)
        mean = means.mean(0)
        variance = (variances + (means - mean).square()).mean(0)
        ctx.save_for_backward(x, weight, mean, variance)
        ctx.eps = eps
        ctx.mark_non_differentiable(mean, variance)
        return functional.batch_norm(x, mean, variance, weight, bias, eps=eps), mean, variance

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        """∂x = scale · (∂y − Σ∂y/n − x̂ · Σ(∂y·x̂)/n), sums over all ranks; ∂weight, ∂bias: own."""
        x, weight, mean, variance = ctx.saved_tensors
        _, by_weight, by_bias = torch.ops.aten.native_batch_norm_backward(
            gradient, x, weight, mean, variance, None, None, False, ctx.eps, [False, True, True]
        )
        shares = torch.stack([by_weight, by_bias])
        dist.all_reduce(shares)
        scale = weight * torch.rsqrt(variance + ctx.eps)
        shares *= -scale / (dist.get_world_size() * x.numel() / x.shape[1])
        by_x = functional.batch_norm(x, mean, variance, shares[0], shares[1], eps=ctx.eps)
        # in one pass over x and written in its format, whatever that of the scale
        torch.addcmul(by_x, gradient, scale.view(1, -1, *[1] * (x.ndim - 2)), out=by_x)
        return by_x, by_weight, by_bias, None


class GlobalBatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch norm whose statistics are those of all ranks' rows, on any device.

    Every rank has as many rows. `torch.nn.SyncBatchNorm` allows for ranks without any, for which it
    waits for the device three times a layer, and has no form for CPUs.
    """

    def forward(self, input: Tensor) -> Tensor:
        """(B, C, …) normalised by the mean and variance per channel over all ranks."""
        if not self.training:
            return super().forward(input)
        out, mean, variance = _GlobalNorm.apply(input, self.weight, self.bias, self.eps)
        count = dist.get_world_size() * input.numel() // input.shape[1]
        assert self.running_mean is not None and self.running_var is not None
        assert self.momentum is not None and self.num_batches_tracked is not None
        with torch.no_grad():
            self.num_batches_tracked.add_(1)
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)
        return out

    def _check_input_dim(self, input: Tensor) -> None:
        """Any number of dimensions from two is fine."""


def synchronise_batch_norm(network: nn.Module) -> None:
    """Let every batch norm of ``network`` take its statistics over all ranks.

    Parameters and their names stay, so weights load and save as before.
    """
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.modules.batchnorm._BatchNorm):
                setattr(module, name, _globalised(child))


def _globalised(norm: nn.modules.batchnorm._BatchNorm) -> GlobalBatchNorm:
    twin = GlobalBatchNorm(norm.num_features, norm.eps, norm.momentum)
    twin.weight, twin.bias = norm.weight, norm.bias
    twin.running_mean, twin.running_var = norm.running_mean, norm.running_var
    twin.num_batches_tracked = norm.num_batches_tracked
    return twin.train(norm.training)
