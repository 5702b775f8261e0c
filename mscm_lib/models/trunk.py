"""The shared trunk: the backbone's four layers with non-local blocks in layers 2 and 3."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from torch import Tensor, nn

from mscm_lib.models.non_local import NonLocal

NON_LOCAL_BLOCKS = {"layer2": 2, "layer3": 3}
"""How many of a layer's last blocks are followed by a non-local block (all where it has fewer)."""


def build_layer(blocks: Sequence[nn.Module], channels: int, non_local: int) -> nn.Sequential:
    """The blocks in a row, with a non-local block after each of the last ``non_local``.

    A layer of fewer blocks gets one after every block: ResNet-18 has two blocks a layer, so its
    layer 3 carries two where ResNet-34 and -50 carry three.
    """
    modules: OrderedDict[str, nn.Module] = OrderedDict()
    for index, block in enumerate(blocks):
        modules[f"block{index}"] = block
        if index >= len(blocks) - non_local:
            modules[f"non_local{index}"] = NonLocal(channels)
    return nn.Sequential(modules)


class Trunk(nn.Module):
    """Layers 1 to 4 of the backbone, shared by all streams; layer 4 keeps layer 3's resolution.

    Args:
        layers: the blocks of each of the four layers.
        channels: output channels of layer1 … layer4 by name.
        non_local: whether layers 2 and 3 carry non-local blocks.
    """

    def __init__(
        self, layers: Sequence[Sequence[nn.Module]], channels: dict[str, int], non_local: bool
    ) -> None:
        super().__init__()
        built = []
        for number, blocks in enumerate(layers, start=1):
            name = f"layer{number}"
            count = NON_LOCAL_BLOCKS.get(name, 0) if non_local else 0
            built.append(build_layer(blocks, channels[name], count))
        self.layer1, self.layer2, self.layer3, self.layer4 = built

    def shallow(self, stem: Tensor) -> dict[str, Tensor]:
        """The maps before layer 4, by name, from the stem's (B, C, H/4, W/4)."""
        layer1 = self.layer1(stem)
        layer2 = self.layer2(layer1)
        return {"stem": stem, "layer1": layer1, "layer2": layer2, "layer3": self.layer3(layer2)}

    def deep(self, x: Tensor) -> Tensor:
        """Layer 4: (B, C, H/16, W/16) → (B, C', H/16, W/16)."""
        return self.layer4(x)
