"""Backbones cut into a stem and four layers: torchvision's ResNets and timm's ConvNeXts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torchvision
from torch import nn

from mscm_lib.config import unknown_key
from mscm_lib.errors import ConfigError
from mscm_lib.models.own import build_own_backbone
from mscm_lib.models.pretrained import Initialisation, initialise
from mscm_lib.models.small_maps import SmallMapConv2d
from mscm_lib.own_parts import is_own

RESNETS = ("resnet18", "resnet34", "resnet50")
TIMM_PREFIX = "timm:"


@dataclass(frozen=True)
class Backbone:
    """A backbone in parts, ready for streams and trunk.

    Attributes:
        stem: image (B, 3, H, W) → (B, C, H/4, W/4).
        layers: the blocks of layers 1 to 4; strides 1, 2, 2, 1.
        channels: channels after stem, layer1, …, layer4, by name.
        initialisation: where the weights came from.
    """

    stem: nn.Module
    layers: tuple[list[nn.Module], ...]
    channels: dict[str, int]
    initialisation: Initialisation


RATIOS = {"stem": 4, "layer1": 4, "layer2": 2, "layer3": 1}
"""How many times finer than layer 3 each map before layer 4 is, in every backbone here."""


def build_backbone(name: str, weights: str, height: int, width: int) -> Backbone:
    """The backbone ``name`` with ``weights`` ("none", "imagenet", or the path of a state dict).

    Random initial weights are drawn from torch's default generator; `MSCMNet` forks it.

    Args:
        name: "resnet18", "resnet34", "resnet50", "timm:" and the name of a ConvNeXt, or
            "path/to/file.py:Name", the user's own (`mscm_lib.own_parts`).
        weights: see `mscm_lib.models.pretrained.initialise`.
        height: rows of the images that it is to see; only a user's own is told.
        width: columns of the images.

    Raises:
        ConfigError: the name is unknown, or ImageNet weights cannot be reached.
        CheckpointError: the file of weights does not fit.
    """
    if name in RESNETS:
        return _resnet(name, weights)
    if name.startswith(TIMM_PREFIX):
        return _convnext(name.removeprefix(TIMM_PREFIX), weights)
    if is_own(name):
        return _own(name, weights, height, width)
    known = [*RESNETS, f"{TIMM_PREFIX}convnext_atto"]
    raise ConfigError(
        unknown_key("backbone", name, known) + f" (or any ConvNeXt of timm, as {known[-1]!r})"
    )


def _resnet(name: str, weights: str) -> Backbone:
    net = torchvision.models.get_model(name, weights=None)
    initialisation = initialise(net, weights, name)
    for module in net.layer4[0].modules():
        if isinstance(module, nn.Conv2d):
            module.stride = (1, 1)  # layer 4 keeps layer 3's resolution
    for layer in (net.layer3, net.layer4):  # where the maps of small images are smallest
        _train_small_maps_faster(layer)
    stem = nn.Sequential()
    for part in ("conv1", "bn1", "relu", "maxpool"):
        stem.add_module(part, getattr(net, part))
    layers = tuple(list(layer) for layer in (net.layer1, net.layer2, net.layer3, net.layer4))
    widths = [net.conv1.out_channels, *(_out_channels(layer[-1]) for layer in layers)]
    return Backbone(stem, layers, _by_name(widths), initialisation)


def _train_small_maps_faster(layer: nn.Module) -> None:
    for parent in layer.modules():
        for name, conv in list(parent.named_children()):
            if isinstance(conv, nn.Conv2d) and SmallMapConv2d.suits(conv):
                setattr(parent, name, SmallMapConv2d.of(conv))


def _out_channels(block: nn.Module) -> int:
    convolutions = [m for m in block.modules() if isinstance(m, nn.Conv2d)]
    return convolutions[-1].out_channels


def _convnext(name: str, weights: str) -> Backbone:
    import timm  # takes seconds, and few networks need it

    known = timm.list_models("convnext*")
    if name not in known:
        raise ConfigError(unknown_key("timm backbone", name, known))
    # output_stride 16 keeps layer 4 at layer 3's resolution (dilated, as timm does it).
    net: Any = timm.create_model(name, pretrained=False, output_stride=16)
    initialisation = initialise(net, weights, TIMM_PREFIX + name)
    stages = []
    for stage in net.stages:
        first, *rest = stage.blocks
        stages.append([nn.Sequential(stage.downsample, first), *rest])
    # GeM takes a cube root: the last map must not be negative. A ResNet ends in a ReLU by itself.
    stages[-1][-1] = nn.Sequential(stages[-1][-1], nn.ReLU(inplace=True))
    widths = [net.stem[0].out_channels, *(info["num_chs"] for info in net.feature_info)]
    return Backbone(nn.Sequential(*net.stem), tuple(stages), _by_name(widths), initialisation)


def _own(name: str, weights: str, height: int, width: int) -> Backbone:
    net, channels, initialisation = build_own_backbone(name, weights, height, width)
    stem, *layers = net.children()
    blocks = [list(layer) if isinstance(layer, nn.Sequential) else [layer] for layer in layers]
    return Backbone(stem, tuple(blocks), channels, initialisation)


def _by_name(widths: list[int]) -> dict[str, int]:
    return dict(zip(("stem", "layer1", "layer2", "layer3", "layer4"), widths, strict=True))
