"""ALB, the information adoptive lossless block of MIMB."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mscm_lib.models.attention import MLP, Attention

SOURCE_CONV = {4: (6, 4, 2), 2: (4, 2, 1)}
"""Kernel, stride and padding that bring a source 4 or 2 times finer to layer 3's resolution."""


def source_conv(channels: int, width: int, ratio: int) -> nn.Conv2d:
    """Strided convolution from ``channels`` to ``width``, each side ``ratio`` times smaller."""
    kernel, stride, padding = SOURCE_CONV[ratio]
    return nn.Conv2d(channels, width, kernel, stride=stride, padding=padding)


class ALB(nn.Module):
    """Refines the layer-3 feature by the channel correlations of one shallower source.

    A token is a channel: C/4 tokens of H·W numbers, and attention runs between channels.

    1. x ← 1×1 conv, C → C/4; s ← strided conv of the source to C/4 channels at x's size.
    2. Tokens: (B, C/4, H·W).
    3. x ← LN(x), s ← LN(s). No skip runs around this norm.
    4. x ← x + 0.1·s; x ← x + MHA(query = s, key = s, value = x).
       Layer 3 as its own source: x ← x + MHA(x, x, x).
    5. x ← x + MLP(LN(x)).
    6. Back to (B, C/4, H, W), then 1×1 conv C/4 → C; no residual around the block.

    Source: ALB of arXiv 2311.14395 as its public release computes it.

    Args:
        channels: C, the channels of layer 3.
        positions: H·W of layer 3, the numbers in a token.
        head_dim: positions that one head sees; must divide ``positions``.
        source_channels: channels of the source, or 0 where layer 3 is its own source.
        ratio: how many times finer than layer 3 the source is, 4 or 2; unused for layer 3 itself.
    """

    def __init__(
        self, channels: int, positions: int, head_dim: int, source_channels: int = 0, ratio: int = 1
    ) -> None:
        super().__init__()
        width = channels // 4
        self.narrow = nn.Conv2d(channels, width, kernel_size=1)
        self.norm = nn.LayerNorm(positions)
        self.source: nn.Conv2d | None = None
        self.source_norm: nn.LayerNorm | None = None
        if source_channels:
            self.source = source_conv(source_channels, width, ratio)
            self.source_norm = nn.LayerNorm(positions)
        self.attention = Attention(positions, positions // head_dim)
        self.mlp_norm = nn.LayerNorm(positions)
        self.mlp = MLP(positions)
        self.broad = nn.Conv2d(width, channels, kernel_size=1)

    def tokens(self, x: Tensor, source: Tensor) -> tuple[Tensor, Tensor]:
        """Steps 1 to 3: the normalised tokens of x and of the source, each (B, C/4, H·W)."""
        x = self.norm(self.narrow(x).flatten(2))  # (B, C/4, H·W)
        if self.source is None or self.source_norm is None:
            return x, x
        return x, self.source_norm(self.source(source).flatten(2))  # (B, C/4, H·W)

    def forward(self, x: Tensor, source: Tensor) -> Tensor:
        """(B, C, H, W) and the source's map → (B, C, H, W); an own-source block takes x for it."""
        height, width = x.shape[2:]
        x, guide = self.tokens(x, source)
        if guide is x:
            x = x + self.attention.self_attention(x)
        else:
            x = torch.add(x, guide, alpha=0.1)
            x = x + self.attention.guided_attention(guide, x)
        x = x + self.mlp(self.mlp_norm(x))
        return self.broad(x.unflatten(2, (height, width)))  # (B, C/4, H·W) → (B, C, H, W)
