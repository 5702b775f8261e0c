"""Strategies that combine the shallower maps with layer 3, side by side with MIMB.

Every strategy takes the maps before layer 4 by name and gives a map of layer 3's shape. All but
"none" work at MIMB's width of C/4 channels, end in a 1×1 convolution back to C, and, like MIMB,
have no residual around the whole, so that what differs is how the scales are combined.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from mscm_lib.config import nearest_divisor
from mscm_lib.models.alb import ALB, source_conv
from mscm_lib.models.attention import MLP, Attention
from mscm_lib.models.mimb import MIMB, Scales
from mscm_lib.models.own import build_own_multi_scale
from mscm_lib.own_parts import is_own


class NoMultiScale(nn.Module):
    """Layer 3's map, as it is."""

    def forward(self, maps: Mapping[str, Tensor]) -> Tensor:
        """Maps by name → layer 3's (B, C, H, W)."""
        return maps["layer3"]


class Concatenation(nn.Module):
    """Each source at C/4 channels and layer 3's size, layer 3 with them; 1×1 convolution to C.

    Shallower sources come through the strided convolutions of MIMB's ALBs.

    Args:
        scales: the feature maps at hand.
        sources: names of the sources; layer 3 always takes part.
    """

    def __init__(self, scales: Scales, sources: Sequence[str]) -> None:
        super().__init__()
        channels = scales.channels["layer3"]
        width = channels // 4
        self.narrow = nn.Conv2d(channels, width, kernel_size=1)
        self.sources = nn.ModuleDict(
            {
                name: source_conv(scales.channels[name], width, scales.ratios[name])
                for name in sources
                if name != "layer3"
            }
        )
        self.broad = nn.Conv2d(width * (1 + len(self.sources)), channels, kernel_size=1)

    def forward(self, maps: Mapping[str, Tensor]) -> Tensor:
        """Maps by name → (B, C, H, W)."""
        parts = [conv(maps[name]) for name, conv in self.sources.items()]
        return self.broad(torch.cat([self.narrow(maps["layer3"]), *parts], dim=1))


class PyramidSum(nn.Module):
    """Feature pyramid (Lin et al., CVPR 2017) read at layer 3: lateral 1×1 convolutions, summed.

    Maps meet at layer 3's size by average pooling, which has no weights, as a pyramid's
    upsampling has none; a 3×3 convolution smooths the sum.

    Args:
        scales: the feature maps at hand.
        sources: names of the sources; layer 3 always takes part.
    """

    def __init__(self, scales: Scales, sources: Sequence[str]) -> None:
        super().__init__()
        channels = scales.channels["layer3"]
        width = channels // 4
        names = [*(name for name in sources if name != "layer3"), "layer3"]
        self.ratios = {name: scales.ratios[name] for name in names}
        self.lateral = nn.ModuleDict(
            {name: nn.Conv2d(scales.channels[name], width, kernel_size=1) for name in names}
        )
        self.smooth = nn.Conv2d(width, width, kernel_size=3, padding=1)
        self.broad = nn.Conv2d(width, channels, kernel_size=1)

    def forward(self, maps: Mapping[str, Tensor]) -> Tensor:
        """Maps by name → (B, C, H, W)."""
        # Pooling and a 1×1 convolution commute: pooling first costs less.
        parts = [
            lateral(functional.avg_pool2d(maps[name], self.ratios[name]))
            for name, lateral in self.lateral.items()
        ]
        return self.broad(self.smooth(torch.stack(parts).sum(dim=0)))


class PositionAttentionBlock(nn.Module):
    """Ordinary cross-attention: layer 3's positions query the source's positions.

    A token is a position: H·W tokens of C/4 numbers. Pre-norm, heads of 64 numbers (or the
    divisor of C/4 nearest to it): x ← x + MHA(LN(x), LN(s), LN(s)); x ← x + MLP(LN(x)).

    Args:
        scales: the feature maps at hand.
        source: name of the source; layer 3 attends to itself.
    """

    def __init__(self, scales: Scales, source: str) -> None:
        super().__init__()
        channels = scales.channels["layer3"]
        width = channels // 4
        self.narrow = nn.Conv2d(channels, width, kernel_size=1)
        self.norm = nn.LayerNorm(width)
        self.source: nn.Conv2d | None = None
        self.source_norm: nn.LayerNorm | None = None
        if source != "layer3":
            self.source = source_conv(scales.channels[source], width, scales.ratios[source])
            self.source_norm = nn.LayerNorm(width)
        self.attention = Attention(width, width // nearest_divisor(width, 64))
        self.mlp_norm = nn.LayerNorm(width)
        self.mlp = MLP(width)
        self.broad = nn.Conv2d(width, channels, kernel_size=1)

    def forward(self, x: Tensor, source: Tensor) -> Tensor:
        """(B, C, H, W) and the source's map → (B, C, H, W)."""
        height, width = x.shape[2:]
        x = _positions(self.narrow(x))  # (B, H·W, C/4)
        if self.source is None or self.source_norm is None:
            x = x + self.attention.self_attention(self.norm(x))
        else:
            context = self.source_norm(_positions(self.source(source)))  # (B, H·W, C/4)
            x = x + self.attention.cross_attention(self.norm(x), context)
        x = x + self.mlp(self.mlp_norm(x))
        return self.broad(x.unflatten(1, (height, width)).permute(0, 3, 1, 2))  # (B, C, H, W)


class CrossAttention(nn.Module):
    """Simplified MIMB: one `PositionAttentionBlock` a source, in a row.

    Args:
        scales: the feature maps at hand.
        sources: names of the sources, in order.
    """

    def __init__(self, scales: Scales, sources: Sequence[str]) -> None:
        super().__init__()
        self.blocks = nn.ModuleDict(
            {name: PositionAttentionBlock(scales, name) for name in sources}
        )

    def forward(self, maps: Mapping[str, Tensor]) -> Tensor:
        """Maps by name → (B, C, H, W)."""
        x = maps["layer3"]
        for name, block in self.blocks.items():
            x = block(x, maps[name])
        return x


class SelfAttention(nn.Module):
    """MIMB without its sources: as many ALBs in a row, each with layer 3 as its own source.

    Tells what depth and channel attention give by themselves from what the shallow maps add.

    Args:
        scales: the feature maps at hand.
        blocks: how many ALBs.
        head_dim: positions that one attention head sees.
    """

    def __init__(self, scales: Scales, blocks: int, head_dim: int) -> None:
        super().__init__()
        channels = scales.channels["layer3"]
        self.blocks = nn.ModuleList(
            ALB(channels, scales.positions, head_dim) for _ in range(blocks)
        )

    def forward(self, maps: Mapping[str, Tensor]) -> Tensor:
        """Maps by name → (B, C, H, W)."""
        x = maps["layer3"]
        for block in self.blocks:
            x = block(x, x)
        return x


def build_multi_scale(
    strategy: str, scales: Scales, sources: Sequence[str], head_dim: int
) -> nn.Module:
    """The strategy by its name in the configuration; ``sources`` mean the same to each.

    "path/to/file.py:Name" is the user's own (`mscm_lib.own_parts`), which is told the scales alone.
    """
    if is_own(strategy):
        return build_own_multi_scale(strategy, scales)
    match strategy:
        case "none":
            return NoMultiScale()
        case "mimb":
            return MIMB(scales, sources, head_dim)
        case "self-attention":
            return SelfAttention(scales, len(sources), head_dim)
        case "concatenation":
            return Concatenation(scales, sources)
        case "pyramid":
            return PyramidSum(scales, sources)
        case _:
            return CrossAttention(scales, sources)


def _positions(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1).flatten(1, 2)  # (B, C, H, W) → (B, H·W, C)
