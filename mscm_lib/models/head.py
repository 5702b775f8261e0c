"""The head: GeM pooling, BN neck, classifier."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn


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


def gem(x: Tensor) -> Tensor:
    """Generalised-mean pooling, p = 3: ``(mean(x³) + 1e-12)^(1/3)``, in float32.

    Args:
        x: (B, C, H, W), not negative, as after a ReLU.

    Returns:
        (B, C) float32.
    """
    return (x.float().pow(3).mean(dim=(2, 3)) + 1e-12).pow(1 / 3)


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
        if torch.is_autocast_enabled(x.device.type):
            with torch.autocast(x.device.type, enabled=False):
                return self._describe(x)
        return self._describe(x)

    def _describe(self, x: Tensor) -> Output:
        pooled = gem(x).to(self.neck.weight.dtype)
        neck = self.neck(pooled)
        return Output(pooled, neck, self.classifier(neck))
