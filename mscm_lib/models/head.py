"""The head: GeM pooling, BN neck, classifier."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from mscm_lib.models.precision import without_autocast


class Output(NamedTuple):
    """What the network computes for n rows.

    Attributes:
        pooled: (n, C) GeM-pooled feature f, on which metric losses work.
        neck: (n, C) BN-neck feature g, for which results are reported.
        logits: (n, identities) classifier scores.
    """

    pooled: Tensor
    neck: Tensor
    logits: Tensor


class GeM(torch.autograd.Function):
    """Generalised-mean pooling, p = 3: ``f = (mean(x³) + 1e-12)^(1/3)``, in float32 or wider.

    The gradient is ``x² / (N f²)`` with N = H·W. Written out because layer 4 gives the widest map
    of all: only that map itself, in whatever precision it came, is kept for the backward pass,
    where autograd would keep a float32 copy and make four more.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """(B, C, H, W), not negative, as after a ReLU → (B, C), float32 or wider."""
        wide = _at_least_float32(x)
        pooled = ((wide * wide).mul_(wide).mean(dim=(2, 3)) + 1e-12).pow(1 / 3)  # (B, C)
        ctx.save_for_backward(x, pooled)
        return pooled

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        """Gradient by f, (B, C) → by x, (B, C, H, W)."""
        x, pooled = ctx.saved_tensors
        factor = gradient / (pooled.square() * x[0, 0].numel())  # (B, C)
        return _at_least_float32(x).square().mul_(factor[:, :, None, None]).to(x.dtype)


def _at_least_float32(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))


class Head(nn.Module):
    """GeM pooling → f; batch norm without a trained bias → g; linear classifier without bias on g.

    The neck's weights start at N(1, 0.01), the classifier's at N(0, 0.001). The neck's bias stays
    where it is, at 0 unless a loaded network brings another one.

    Source: head of arXiv 2311.14395 (BN neck after Luo et al., 2019).

    Args:
        channels: C of layer 4.
        identities: classes of the classifier.
    """

    def __init__(self, channels: int, identities: int) -> None:
        super().__init__()
        self.neck = nn.BatchNorm1d(channels)
        self.neck.bias.requires_grad_(False)
        self.classifier = nn.Linear(channels, identities, bias=False)
        nn.init.normal_(self.neck.weight, mean=1.0, std=0.01)
        nn.init.normal_(self.classifier.weight, std=0.001)

    def forward(self, x: Tensor) -> Output:
        """(n, C, H, W) → pooled (n, C), neck (n, C), logits (n, identities)."""
        # Pooling, neck and logits stay out of half precision: they are small and feed the losses.
        with without_autocast(x.device.type):
            pooled = GeM.apply(x).to(self.neck.weight.dtype)  # (n, C)
            neck = self.neck(pooled)
            return Output(pooled, neck, self.classifier(neck))
