"""What goes on inside a network: a specimen to look at, and an ALB taken apart."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from mscm_lib.errors import ConfigError
from mscm_lib.models import ALB, MIMB, MSCMNet, load_network
from mscm_lib.models.streams import Modality
from mscm_lib.paths import resolve

QUICK_WEIGHTS = "runs/train/quick-mscmnet-t0-s0/model.safetensors"


class Specimen(NamedTuple):
    """A network to look at.

    Attributes:
        net: on the CPU, in evaluation mode.
        origin: where its weights come from, for the reader.
        trained: whether it has been trained.
    """

    net: MSCMNet
    origin: str
    trained: bool


def specimen(weights: str | Path | None = None, seed: int = 0) -> Specimen:
    """A trained network where there is one, else an untrained one of the quick study's size.

    Args:
        weights: a run's ``model.safetensors``; None for the quick study's first MSCMNet.
        seed: of the untrained network.

    Raises:
        CheckpointError: ``weights`` is given and is missing or damaged.
    """
    path = resolve(weights or QUICK_WEIGHTS)
    if weights or path.is_file():
        return Specimen(
            load_network(path).net, f"trained weights, {weights or QUICK_WEIGHTS}", True
        )
    net = MSCMNet(64, backbone="resnet18", height=96, width=48, seed=seed).eval()
    return Specimen(net, "untrained weights; `make study` trains the quick study's", False)


def shallow_maps(net: MSCMNet, images: Tensor, modality: Modality) -> dict[str, Tensor]:
    """The maps before layer 4 on the test path: images (B, 3, H, W) → maps by name."""
    return net.trunk.shallow(net.streams.merge(images, modality))


class ALBTrace(NamedTuple):
    """One ALB's forward pass, step by step; tokens are (B, C/4, H·W).

    Attributes:
        source: the name of the block's source.
        tokens: layer 3 after the 1×1 convolution and the norm.
        guide: the source after its convolution and its norm; ``tokens`` itself for layer 3.
        weights: (B, heads, C/4, C/4) attention between channels; rows sum to 1.
        copied: what is added of the source directly, 0.1·guide, or zeros for layer 3.
        attended: what the attention adds.
        transformed: what the MLP adds.
        output: (B, C, H, W), what the next block gets.
    """

    source: str
    tokens: Tensor
    guide: Tensor
    weights: Tensor
    copied: Tensor
    attended: Tensor
    transformed: Tensor
    output: Tensor


def trace_alb(source: str, block: ALB, x: Tensor, guide_map: Tensor) -> ALBTrace:
    """Take one ALB's forward pass apart: x (B, C, H, W) and the map of its source."""
    tokens, guide = block.tokens(x, guide_map)
    own = guide is tokens
    copied = torch.zeros_like(tokens) if own else 0.1 * guide
    mixed = tokens + copied
    attended = block.attention.guided_attention(guide, mixed)
    transformed = block.mlp(block.mlp_norm(mixed + attended))
    summed = mixed + attended + transformed
    output = block.broad(summed.unflatten(2, x.shape[2:]))
    weights = block.attention.weights(guide, guide)
    return ALBTrace(source, tokens, guide, weights, copied, attended, transformed, output)


def trace_mimb(net: MSCMNet, maps: Mapping[str, Tensor]) -> list[ALBTrace]:
    """Every ALB of a network's MIMB in a row, on the maps that `shallow_maps` gives.

    Raises:
        ConfigError: the network has another multi-scale strategy.
    """
    if not isinstance(net.multi_scale, MIMB):
        raise ConfigError(
            f"multi_scale = {net.config.multi_scale!r}: expected a network with 'mimb'"
        )
    traces: list[ALBTrace] = []
    x = maps["layer3"]
    for source, block in net.multi_scale.blocks.items():
        assert isinstance(block, ALB)
        traces.append(trace_alb(source, block, x, maps[source]))
        x = traces[-1].output
    return traces
