"""A multi-scale block or a backbone of the user's own, built and checked before any training."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from mscm_lib import own_checks, own_parts
from mscm_lib.errors import ConfigError
from mscm_lib.models.mimb import Scales
from mscm_lib.models.pretrained import Initialisation, initialise
from mscm_lib.own_parts import OwnPart

ROWS = 2
STRIDES = {"stem": 4, "layer1": 4, "layer2": 8, "layer3": 16, "layer4": 16}
"""How many times coarser than the image the map after each part of a backbone is."""

Maps = Mapping[str, Tensor]


def build_own_multi_scale(value: str, scales: Scales) -> nn.Module:
    """The block "path/to/file.py:Name", after trying it as `mscm_lib.own_parts` says.

    Raises:
        ConfigError: the block breaks a rule; the message says which.
    """
    part = own_parts.load("multi_scale", value)
    block = own_checks.build(part, scales=scales)
    with torch.random.fork_rng(devices=[]):
        maps = {
            name: torch.rand(
                ROWS, scales.channels[name], ratio * scales.height, ratio * scales.width
            )
            for name, ratio in scales.ratios.items()
        }
        with torch.no_grad(), part.running("forward(maps)"):
            result = copy.deepcopy(block)({name: x.clone() for name, x in maps.items()})
        _require_map(part, result, maps["layer3"].shape, "forward(maps)")
        _try(part, block, lambda: own_checks.build(part, scales=scales), maps, "layer3")
    return block


class OwnBackbone(nn.Module):
    """The five parts of a user's backbone, one after the other."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        for name in STRIDES:
            self.add_module(name, getattr(net, name))

    def maps(self, images: Tensor) -> dict[str, Tensor]:
        """(n, 3, H, W) → the map after each part, by name."""
        found, x = {}, images
        for name, part in self.named_children():
            found[name] = x = part(x)
        return found

    def forward(self, given: Maps) -> Tensor:
        """``given["images"]`` (n, 3, H, W) → the last map, (n, C, H/16, W/16)."""
        return self.maps(given["images"])["layer4"]


def build_own_backbone(
    value: str, weights: str, height: int, width: int
) -> tuple[OwnBackbone, dict[str, int], Initialisation]:
    """The backbone "path/to/file.py:Name", its channels by part, and where its weights came from.

    Raises:
        ConfigError: the backbone breaks a rule; the message says which.
        CheckpointError: the file of weights does not fit.
    """
    part = own_parts.load("backbone", value)
    if weights == "imagenet":
        raise ConfigError(
            f"weights = 'imagenet': unknown for backbone = {value!r}; give the path of a state dict "
            "of it, or 'none', with which it may load what it likes by itself"
        )

    def build() -> tuple[OwnBackbone, nn.Module]:
        net = own_checks.build(part, height=height, width=width)
        for name in STRIDES:
            found = getattr(net, name, None)
            part.require(
                isinstance(found, nn.Module),
                f"its {name} is {type(found).__name__}; expected an nn.Module",
            )
        return OwnBackbone(net), net

    backbone, net = build()
    initialisation = initialise(net, weights, value)
    with torch.random.fork_rng(devices=[]):
        images = torch.randn(ROWS, 3, height, width)
        with torch.no_grad(), part.running("a pass through its parts"):
            maps = copy.deepcopy(backbone).maps(images)
        for name, stride in STRIDES.items():
            channels = maps[name].shape[1] if maps[name].ndim > 1 else 0
            shape = torch.Size((ROWS, channels, height // stride, width // stride))
            _require_map(part, maps[name], shape, name)
        part.require(
            bool((maps["layer4"] >= 0).all()),
            "layer4 gives negative numbers, of which the pooling takes a cube root; end with a ReLU",
        )
        _try(part, backbone, lambda: build()[0], {"images": images}, "images")
    return backbone, {name: maps[name].shape[1] for name in STRIDES}, initialisation


def _try(
    part: OwnPart, module: nn.Module, build: Callable[[], nn.Module], maps: Maps, needed: str
) -> None:
    """Try a copy of ``module``: train in float32 and under autocast, test, rebuild, move."""
    tried = copy.deepcopy(module)
    _try_training(part, tried.train(), maps, needed, half=False)
    tried.eval()
    with torch.no_grad(), part.running("forward of one image in eval mode"):
        together, alone = tried(maps)[:1], tried({name: x[:1] for name, x in maps.items()})
    part.require(
        together.shape == alone.shape and torch.allclose(together, alone, rtol=1e-3, atol=1e-4),
        "in eval mode an image's result depends on the images beside it in the batch",
    )
    if together.shape[-1] > 1:  # bfloat16 of a CPU is wrong for maps one position wide
        _try_training(part, tried.train(), maps, needed, half=True)
        tried.eval()
    own_checks.check_state(part, tried, build().eval(), lambda made: made(maps))
    own_checks.check_device(part, tried, maps)


def _try_training(part: OwnPart, module: nn.Module, maps: Maps, needed: str, half: bool) -> None:
    what = "maps in bfloat16 under autocast" if half else "maps in float32"
    leaf = maps[needed].clone().requires_grad_()
    given = {name: x.clone() for name, x in {**maps, needed: leaf}.items()}
    if half:
        given = {name: x.bfloat16() for name, x in given.items()}
    with torch.autocast("cpu", torch.bfloat16, enabled=half), part.running(f"forward of {what}"):
        result = module(given)
    part.require(
        isinstance(result, Tensor)
        and result.dtype in ((torch.float32, torch.bfloat16) if half else (torch.float32,)),
        f"forward of {what} gave {own_checks.described(result)}; expected a tensor of their format",
    )
    part.require(
        bool(result.isfinite().all()), f"forward of {what} gives numbers that are not finite"
    )
    own_checks.check_untouched(part, *given.values())
    own_checks.check_gradients(part, module, result, leaf, what)


def _require_map(part: OwnPart, found: object, shape: torch.Size, what: str) -> None:
    part.require(
        isinstance(found, Tensor) and found.shape == shape,
        f"{what} gave {own_checks.described(found)}; expected shape {tuple(shape)}",
    )
