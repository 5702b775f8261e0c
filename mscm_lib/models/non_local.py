"""Non-local block with dot-product affinity, as AGW places it in the trunk."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class NonLocal(nn.Module):
    """Every position gathers from every other: ``out = x + BN(W y)``, ``y = θᵀφ/N · g``.

    θ, φ and g are 1×1 convolutions C → C/2, W is one back to C, N = H·W, and no softmax is taken.
    W's batch norm starts at weight 0 and bias 0, so that the block starts as the identity and a
    pretrained trunk computes what it was pretrained to compute.

    Source: trunk of arXiv 2311.14395, after AGW (Ye et al., TPAMI 2021).

    Args:
        channels: C, the channels of the input and the output.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.inner = channels // 2
        # One convolution for θ, φ and g, in this order: the input is read once.
        self.project = nn.Conv2d(channels, 3 * self.inner, kernel_size=1)
        self.expand = nn.Conv2d(self.inner, channels, kernel_size=1)
        self.norm = nn.BatchNorm2d(channels)
        nn.init.zeros_(self.norm.weight)
        nn.init.zeros_(self.norm.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → (B, C, H, W)."""
        height, width = x.shape[2:]
        tokens = self.project(x).permute(0, 2, 3, 1).flatten(1, 2)  # (B, N, 3·C/2)
        theta, phi, g = tokens.chunk(3, dim=2)  # each (B, N, C/2)
        y = affinity_product(theta, phi, g)
        y = y.unflatten(1, (height, width)).permute(0, 3, 1, 2)  # (B, C/2, H, W)
        return x + self.norm(self.expand(y))


def affinity_product(theta: Tensor, phi: Tensor, g: Tensor) -> Tensor:
    """``(θ φᵀ / N) g`` for θ, φ, g of shape (B, N, D), in the cheaper order of its two products.

    Without a softmax the product is associative: ``θ (φᵀ g / N)`` is the same value by way of a
    D×D matrix instead of an N×N one, and wins wherever D < N (layer 2 at 384×192: 256 against
    1152). The division rides on the first product, inside its float32 accumulation, so that half
    precision does not overflow.
    """
    positions, width = theta.shape[1:]
    unused = theta.new_zeros(1, 1, 1)  # beta = 0: never read
    if width < positions:
        mixing = torch.baddbmm(unused, phi.mT, g, beta=0, alpha=1 / positions)  # (B, D, D)
        return theta @ mixing
    affinity = torch.baddbmm(unused, theta, phi.mT, beta=0, alpha=1 / positions)  # (B, N, N)
    return affinity @ g
