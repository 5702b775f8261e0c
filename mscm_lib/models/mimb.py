"""MIMB, the multi-scale information correlation mining block between layer 3 and layer 4."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from mscm_lib.models.alb import ALB


@dataclass(frozen=True)
class Scales:
    """What a multi-scale strategy is told about the feature maps before layer 4.

    Attributes:
        channels: channels of the maps by name: stem, layer1, layer2, layer3.
        ratios: how many times finer than layer 3 each of them is.
        height: rows of layer 3's map.
        width: columns of layer 3's map.
    """

    channels: Mapping[str, int]
    ratios: Mapping[str, int]
    height: int
    width: int

    @property
    def positions(self) -> int:
        """H·W of layer 3's map."""
        return self.height * self.width


class MIMB(nn.Module):
    """ALBs in a row, each refining the layer-3 feature with one source, in the order given.

    The paper's order is stem, layer1, layer2, layer3; any subset in any order is allowed.

    Args:
        scales: the feature maps at hand.
        sources: names of the sources, one ALB each.
        head_dim: positions that one attention head sees.
    """

    def __init__(self, scales: Scales, sources: Sequence[str], head_dim: int) -> None:
        super().__init__()
        channels = scales.channels["layer3"]
        self.blocks = nn.ModuleDict()
        for name in sources:
            if name == "layer3":
                self.blocks[name] = ALB(channels, scales.positions, head_dim)
            else:
                self.blocks[name] = ALB(
                    channels, scales.positions, head_dim, scales.channels[name], scales.ratios[name]
                )

    def forward(self, maps: Mapping[str, Tensor]) -> Tensor:
        """Maps by name, layer 3's (B, C, H, W) among them → (B, C, H, W)."""
        x = maps["layer3"]
        for name, block in self.blocks.items():
            x = block(x, maps[name])
        return x
