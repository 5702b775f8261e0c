"""One run's parameters: typed, validated, and the same for notebooks, DVC and Python.

A parameter that is unknown, misspelt, of the wrong type or impossible in combination raises a
`ConfigError` that names the key, its value and what is allowed, before any work starts.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
import typing
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

from mscm_lib.coercion import shown, typed
from mscm_lib.errors import ConfigError
from mscm_lib.own_parts import is_own
from mscm_lib.settings import SETTINGS, choices

Streams = Literal["quadruple-unshared", "quadruple-shared", "dual"]
MultiScale = Literal[
    "mimb", "none", "concatenation", "pyramid", "cross-attention", "self-attention"
]
RESNETS = ("resnet18", "resnet34", "resnet50")
"""The backbones that `mscm_lib.models.backbones` has beside timm's; known here without PyTorch."""
LARGEST_SIZE = 4096
"""Pixels of an image's side: beyond, nothing of this network fits anywhere."""
METRIC_LOSSES = {"qct": "quadruple_center", "triplet": "batch_hard"} | {
    name: name.replace("-", "_")
    for name in ("weighted-triplet", "squared-triplet", "center", "center-triplet",
                 "hetero-center", "hetero-center-triplet", "tri-directional")
}  # fmt: skip
"""The module of `mscm_lib.losses` that holds each metric loss; beside these there is "none"."""
Pairing = Literal["cross", "parallel", "own"]
Precision = Literal["auto", "float32", "bfloat16", "float16"]
ALB_SOURCES = ("stem", "layer1", "layer2", "layer3")
LICENSED = ("sysu", "regdb", "llcm")
"""The datasets of the paper, which are released under agreements."""
EVALUATION = ("feature", "mix_weight", "draw", "shots", "gallery_trials", "flip", "rerank")
"""Parameters that evaluation alone reads."""
WATCHING = ("tensorboard",)
"""Parameters that change no result."""
FEWER_VIEWS = {2: ("dual",), 3: ("dual", "quadruple-shared")}
"""The layouts of streams that train with fewer than four views: no stem of theirs stays idle."""
VIEWS_OF_LOSS = {
    "qct": (4,),
    "hetero-center": (2, 4),
    "hetero-center-triplet": (2, 4),
    "tri-directional": (3,),
}
"""The numbers of views that a metric loss can tell the modalities of; all, where not listed."""


@dataclass(frozen=True)
class RunConfig:
    """Parameters of one training and its evaluation; the defaults are the paper's recipe.

    Sizes are pixels, rates are per step, epochs count from 0. The sections follow the method:
    data, network, loss, schedule, augmentation, evaluation. Where the authors' release departs
    from their paper, both sides stand beside the switch; ``setting: released`` given to
    `from_mapping` takes the release's side of all of them (see `mscm_lib.settings`).
    """

    # --- data: a key of a study's `data` section; the folder of its packed arrays ("" = default)
    dataset: str = "quick"
    data_folder: str = ""
    trial: int = 0  # RegDB's split (1-10); other datasets train once and keep 0
    seed: int = 0
    variant: str = "mscmnet"  # a label for tables; what it means is spelled out below
    height: int = 384
    width: int = 192
    # --- network
    backbone: str = "resnet50"
    weights: str = "imagenet"  # "imagenet", "none", or the path of a local state dict
    streams: Streams = "quadruple-unshared"
    # 4: global and channel views; 2: global views only; 3: those and the visible channel view
    views: Literal[2, 3, 4] = 4
    # of MultiScale, or your own "studies/mine/my_parts.py:MyBlock"; so, too, backbone and metric_loss
    multi_scale: str = "mimb"
    alb_sources: tuple[str, ...] = ALB_SOURCES
    head_dim: int = 0  # positions an ALB head sees; 0: 9, or the divisor of H*W nearest to it
    non_local: bool = True
    # --- loss
    metric_loss: str = "qct"  # of METRIC_LOSSES, "none", or your own
    metric_weight: float = 1.0
    margin: float = 0.7  # of QCT; the release fixes 0.7 and ignores its command line's
    alpha: float = 0.05  # paper 0.05; release 0: its quadruple-center term is off
    # paper "cross": features approach centers of the other modality; release (if α were not 0)
    # "own": the feature's own stream
    pairing: Pairing = "cross"
    # --- batch and schedule
    identities_per_batch: int = 6
    images_per_identity: int = 4
    epochs: int = 150
    steps_per_epoch: int = 0  # 0: floor(max(#visible, #infrared) / (P*K)), the release's length
    head_rate: float = 0.1  # neck and classifier
    trunk_rate: float = 0.01  # everything else
    warmup_epochs: int = 10
    milestones: tuple[int, ...] = (25, 90, 120)  # the released code; its log shows (25, 80)
    momentum: float = 0.9
    weight_decay: float = 5e-4
    precision: Precision = "auto"  # auto: bfloat16 where the device has it, float16 with scaling
    device: str = "auto"
    channels_last: bool = True
    compile: bool = False
    deterministic: bool = True
    sync_batch_norm: bool = True  # only with more than one process
    tensorboard: bool = False
    # --- augmentation: the operations of the four views, one switch each
    random_crop: bool = True
    random_flip: bool = True
    random_erasing: bool = True
    random_grayscale: bool = True  # V_g
    channel_exchange: bool = True  # V_c
    gray_bridge: bool = (
        False  # V_c is V_g in gray, pixel by pixel: a modality between the two (HAT)
    )
    infrared_mix: bool = True  # I_g
    infrared_scaling: bool = True  # I_c: brightness and per-channel scaling
    # --- validation and choice of the epoch
    validation: Literal["merged", "held-out"] = "merged"
    validate_every: int = 0  # epochs between retrievals on held-out identities; 0: never
    # the release keeps the epoch that is best on the test gallery: "best-test"
    selection: Literal["last", "best-validation", "best-test"] = "last"
    # --- evaluation
    feature: Literal["neck", "pooled", "mix"] = "neck"  # the release's LLCM test: "mix"
    mix_weight: float = 0.5  # of the neck feature's scores, where feature = "mix"
    draw: Literal["agw", "official"] = "agw"
    shots: int = 1
    gallery_trials: int = 10
    flip: bool = False  # one LLCM script of the release averages over mirrored images
    rerank: bool = False

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = typed(field.name, getattr(self, field.name), _HINTS[field.name])
            object.__setattr__(self, field.name, value)
        _check(self)

    @classmethod
    def from_mapping(cls, *layers: Mapping[str, Any]) -> RunConfig:
        """Defaults overridden by each mapping in turn, the last one winning.

        The key ``setting`` ("paper" or "released") stands for all parameters in which these two
        differ; what its own mapping or a later one spells out wins over it.

        Raises:
            ConfigError: a key is unknown (the nearest known one is named), a value is of the wrong
                type or out of range, or two values cannot be combined.
        """
        merged: dict[str, Any] = {}
        known = {*_HINTS, "setting"}
        for layer in layers:
            for key in layer:
                check_known("parameter", key, known)
            own = dict(layer)
            if "setting" in own:
                check_known("setting", own["setting"], SETTINGS)
                merged.update(choices(own.pop("setting")))
            merged.update(own)
        return cls(**merged)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as JSON and YAML keep them."""
        values = dataclasses.asdict(self)
        return {key: list(v) if isinstance(v, tuple) else v for key, v in values.items()}

    def training(self) -> dict[str, Any]:
        """Plain values of the parameters that the weights depend on."""
        tested = ("draw",) if self.selection == "best-test" else ()  # on the test gallery's draw
        left_out = {*EVALUATION, *WATCHING} - {*tested}
        return {key: value for key, value in self.as_dict().items() if key not in left_out}

    def evaluation(self) -> dict[str, Any]:
        """Plain values of the parameters that evaluation alone reads."""
        return {key: value for key, value in self.as_dict().items() if key in EVALUATION}

    def replace(self, **changes: Any) -> RunConfig:
        """A validated copy with ``changes``."""
        return RunConfig.from_mapping(self.as_dict(), changes)


_HINTS: dict[str, Any] = typing.get_type_hints(RunConfig)


def unknown_key(kind: str, key: str, known: list[str]) -> str:
    """The message for a key that nobody knows, with the nearest known one."""
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.6)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    return f"unknown {kind} {key!r}{hint} Known: {', '.join(sorted(known))}"


def check_known(kind: str, key: Any, known: Collection[str]) -> None:
    """Refuse a key that is not among ``known``; raises `ConfigError` with `unknown_key`."""
    if key not in [*known]:  # a list, since YAML's keys may be of any kind
        raise ConfigError(unknown_key(kind, str(key), [*known]))


def check_least(key: str, value: float, least: int) -> None:
    """Refuse a number below ``least``; raises `ConfigError`."""
    if value < least:
        raise ConfigError(f"{key} = {value!r}: expected {least} or more")


_AT_LEAST = {
    1: ("identities_per_batch", "images_per_identity", "gallery_trials"),
    0: ("epochs", "steps_per_epoch", "warmup_epochs", "trial", "seed", "validate_every",
        "head_rate", "trunk_rate", "weight_decay", "margin", "metric_weight"),
}  # fmt: skip


_TOO_MUCH = 2**31
"""Of any whole number but the seed: what counts with it has 32 bits somewhere."""


def _check(config: RunConfig) -> None:
    for key, value in vars(config).items():
        numbers = [v for v in (value if isinstance(value, tuple) else [value]) if type(v) is int]
        if key != "seed" and any(abs(number) >= _TOO_MUCH for number in numbers):
            raise ConfigError(f"{key} = {shown(value)}: expected less than 2**31")
    for least, keys in _AT_LEAST.items():
        for key in keys:
            check_least(key, getattr(config, key), least)
    for key in ("alpha", "mix_weight"):
        if not 0 <= getattr(config, key) <= 1:
            raise ConfigError(f"{key} = {getattr(config, key)!r}: expected a number from 0 to 1")
    for key in ("height", "width"):
        size = getattr(config, key)
        if size > LARGEST_SIZE:
            raise ConfigError(f"{key} = {size!r}: expected at most {LARGEST_SIZE} pixels")
        if size < 16 or size % 16:
            raise ConfigError(
                f"{key} = {size!r}: expected a multiple of 16 (layer 3 is 16 times smaller than "
                f"the image, and MIMB needs it whole); the nearest is {max(16, round(size / 16) * 16)}"
            )
    if any(before >= after for before, after in pairwise((0, *config.milestones))):
        raise ConfigError(
            f"milestones = {[*config.milestones]}: expected epochs from 1 on, each after the last"
        )
    if config.shots not in (1, 10):
        raise ConfigError(f"shots = {config.shots!r}: expected 1 (single-shot) or 10 (multi-shot)")
    if not re.fullmatch(r"auto|(cpu|cuda)(:[0-9]+)?", config.device):
        raise ConfigError(
            f"device = {config.device!r}: expected 'auto', 'cpu', 'cuda' or 'cuda:<number>'"
        )
    _check_network(config)


def _check_network(config: RunConfig) -> None:
    backbone = config.backbone
    if backbone not in RESNETS and not backbone.startswith("timm:") and not is_own(backbone):
        raise ConfigError(
            unknown_key("backbone", backbone, [*RESNETS, "timm:convnext_atto"])
            + ", any ConvNeXt of timm, or the path of a Python file of yours and a name in it"
        )
    blocks, losses = typing.get_args(MultiScale), (*METRIC_LOSSES, "none")
    for key, known in (("multi_scale", blocks), ("metric_loss", losses)):
        value = getattr(config, key)
        if value not in known and not is_own(value):
            raise ConfigError(
                f"{key} = {value!r}: expected one of {', '.join(map(repr, known))}, or the path of a "
                "Python file of yours and a name in it, 'studies/mine/my_parts.py:MyPart'"
            )
    if not config.alb_sources or len(set(config.alb_sources)) != len(config.alb_sources):
        raise ConfigError(f"alb_sources = {config.alb_sources!r}: expected one to four, no repeats")
    for source in config.alb_sources:
        check_known("ALB source", source, ALB_SOURCES)
    if config.views < 4 and config.streams not in FEWER_VIEWS[config.views]:
        raise ConfigError(
            f"views = {config.views} needs streams = {' or '.join(map(repr, FEWER_VIEWS[config.views]))}"
            f", not {config.streams!r}"
        )
    needed = VIEWS_OF_LOSS.get(config.metric_loss, (2, 3, 4))
    if config.views not in needed:
        raise ConfigError(
            f"metric_loss = {config.metric_loss!r} needs views = {' or '.join(map(str, needed))}, "
            f"not {config.views}"
        )
    positions = (config.height // 16) * (config.width // 16)
    if config.head_dim == 0:
        object.__setattr__(config, "head_dim", nearest_divisor(positions, 9))
    if positions % config.head_dim:
        possible = [d for d in range(1, positions + 1) if positions % d == 0]
        raise ConfigError(
            f"head_dim = {config.head_dim!r}: expected a divisor of the {positions} positions of "
            f"layer 3 at {config.height}x{config.width}, one of {possible}, or 0 to choose"
        )
    if config.selection == "best-validation" and config.validation != "held-out":
        raise ConfigError("selection = 'best-validation' needs validation = 'held-out'")
    if config.selection != "last" and config.validate_every < 1:
        raise ConfigError(f"selection = {config.selection!r} needs validate_every of 1 or more")


def nearest_divisor(number: int, wanted: int) -> int:
    """The divisor of ``number`` nearest to ``wanted``; of two equally near, the smaller."""
    divisors = [d for d in range(1, number + 1) if number % d == 0]
    return min(divisors, key=lambda d: (abs(d - wanted), d))
