"""The authors' released checkpoint, read into this project's network.

The release pickles a dict with keys net (the state dict), cmc, mAP, mINP and epoch. Most of net is
dead weight: a whole unused ResNet-50 behind every stem, and in each ALB the strided convolutions of
the other sources.
"""

from __future__ import annotations

import math
import re
import statistics
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mscm_lib.config import ALB_SOURCES
from mscm_lib.errors import CheckpointError, ConfigError
from mscm_lib.files import file_digest
from mscm_lib.models.checkpoints import check_finite, read_checkpoint, unwrapped
from mscm_lib.models.given import check_kind, unnested
from mscm_lib.models.network import MSCMNet
from mscm_lib.models.pretrained import Initialisation
from mscm_lib.paths import absent, located

_STEMS = {
    "v_g": "visible_module.visible", "v_c": "visible_moduleA.visible",
    "i_g": "thermal_module.thermal", "i_c": "thermal_moduleA.thermal",
}  # fmt: skip
_ALBS = {"stem": "layerATT0", "layer1": "layerATT1", "layer2": "layerATT2", "layer3": "layerATT3"}
_ALB_PARTS = {
    "narrow": "ATT_narrow", "norm": "ln_1", "source_norm": "ln_1o", "attention": "attn",
    "mlp_norm": "ln_2", "mlp.expand": "mlp.c_fc", "mlp.contract": "mlp.c_proj",
    "broad": "ATT_broad",
}  # fmt: skip
_SOURCE_CONV = {"stem": "ATT_narrow1", "layer1": "ATT_narrow1", "layer2": "ATT_narrow2"}
_RELEASED = {
    "backbone": "resnet50", "streams": "quadruple-unshared", "multi_scale": "mimb",
    "alb_sources": ALB_SOURCES, "non_local": True,
}  # fmt: skip
_TOKEN_NORMS = [f"{alb}.{norm}.weight" for alb in _ALBS.values() for norm in ("ln_1", "ln_2")]
_FIRST_NON_LOCAL = {"layer2": 2, "layer3": 3}  # block after which NL_2.0 and NL_3.0 stand

_REBUILD = {"_reconstruct": np.zeros(1).__reduce__()[0], "scalar": np.float64(0).__reduce__()[0]}
_NUMPY_NAMES: list[Any] = [
    np.ndarray,
    np.dtype,
    *(type(np.dtype(kind)) for kind in ("f8", "f4", "i8", "i4")),
    *(
        (function, f"{module}.multiarray.{name}")
        for name, function in _REBUILD.items()
        for module in ("numpy.core", "numpy._core")
    ),
]
"""What a pickled numpy number or array is made of, under the names of old and new numpy."""


def load_released(
    checkpoint: str | Path | Mapping[str, Any],
    height: int = 0,
    width: int = 0,
    head_dim: int = 0,
    log: Callable[[str], None] = print,
) -> MSCMNet:
    """The authors' network with the authors' weights, in evaluation mode.

    Args:
        checkpoint: the released file, what it holds (a dict with the key "net", or another one that
            tensors lie under), or the state dict.
        height: image rows; 0 takes the 2:1 image that the checkpoint's ALB tokens were made for.
        width: image columns; 0 as for ``height``.
        head_dim: positions that one attention head sees; not recorded in the release, which has 9
            (the choice of 0).
        log: receives the lines that say what was used and what was dropped.

    Returns:
        ResNet-50, four unshared streams, four ALBs; as many identities as its classifier has (395
        SYSU-MM01, 206 RegDB, 713 LLCM). ``initialisation.used`` and ``.dropped`` list the names.

    Raises:
        CheckpointError: the file may not be read, is damaged or holds more than tensors and
            numbers, or a tensor that takes part is absent, misshaped or not finite.
        ConfigError: the image size does not fit the checkpoint's ALB tokens.
    """
    where, digest = "released checkpoint", ""
    if not isinstance(checkpoint, Mapping):
        path = located(checkpoint)
        if not path.exists():
            raise CheckpointError(f"{absent(checkpoint)}; expected the authors' checkpoint")
        check_kind(path)
        where, digest = str(path), file_digest(path) if path.is_file() else ""
        checkpoint = read_released(path)
    state = checkpoint.get("net", checkpoint)
    if not isinstance(state, Mapping):
        raise CheckpointError(f"{where}: 'net' is {type(state).__name__}, expected a state dict")
    state = unwrapped(unnested(state, where, log), where, log)
    identities = _length(state, ("classifier.weight",), where)
    positions = _length(state, _TOKEN_NORMS, where)
    height, width = _image_size(positions, height, width)
    net = MSCMNet(identities, height=height, width=width, head_dim=head_dim)
    used = _copy(net, state, where)
    dropped = tuple(name for name in state if name not in used)
    net.initialisation = Initialisation("released", where, digest, tuple(used), dropped)
    for line in _account(net, state):
        log(line)
    return net.eval()


def read_released(path: Path) -> Mapping[str, Any]:
    """The dict in a released file, read without running any code that the file may hold.

    Beside tensors only numpy numbers and arrays are let in: the release stores its CMC as one.

    Raises:
        CheckpointError: the file is missing, damaged, or holds anything else.
    """
    content = read_checkpoint(path, _NUMPY_NAMES)
    if not isinstance(content, Mapping):
        raise CheckpointError(
            f"{path}: holds {type(content).__name__}, expected a dict with the key 'net'"
        )
    return content


def released_names(name: str) -> tuple[str, ...]:
    """The release's name of one of our state-dict names.

    Three names, stacked along the output channels, where the release keeps θ, φ and g of a
    non-local block apart.
    """
    part, rest = name.split(".", 1)
    if part == "head":
        return (rest.replace("neck.", "bottleneck."),)
    if part == "streams":
        _, stem, rest = rest.split(".", 2)
        return (f"{_STEMS[stem]}.{rest}",)
    if part == "multi_scale":
        return (_alb_name(rest),)
    layer, block, rest = rest.split(".", 2)
    index = int(re.sub(r"\D", "", block))
    if block.startswith("block"):
        return (f"base_resnet.base.{layer}.{index}.{rest}",)
    prefix = f"NL_{layer[-1]}.{index - _FIRST_NON_LOCAL[layer]}"
    kind, _, leaf = rest.partition(".")
    if kind == "project":
        return tuple(f"{prefix}.{piece}.{leaf}" for piece in ("theta", "phi", "g.0"))
    return (f"{prefix}.{'W.0' if kind == 'expand' else 'W.1'}.{leaf}",)


def released_state(net: MSCMNet) -> dict[str, Tensor]:
    """The weights of ``net`` under the release's names, as `load_released` reads them.

    Only what takes part is there; the release's dead weight is not made up.

    Raises:
        ConfigError: the network is not the release's: another backbone, other streams, other ALBs.
    """
    for key, expected in _RELEASED.items():
        if (found := getattr(net.config, key)) != expected:
            raise ConfigError(
                f"{key} = {found!r}: the release has no name for it, only {expected!r}"
            )
    state: dict[str, Tensor] = {}
    for name, tensor in net.state_dict().items():
        theirs = released_names(name)
        pieces = tensor.chunk(len(theirs)) if len(theirs) > 1 else [tensor]
        state.update(zip(theirs, pieces, strict=True))
    return state


def _alb_name(rest: str) -> str:
    _, source, rest = rest.split(".", 2)  # blocks, stem, narrow.weight
    if rest.startswith("source."):
        return f"{_ALBS[source]}.{_SOURCE_CONV[source]}.{rest.removeprefix('source.')}"
    for ours, theirs in _ALB_PARTS.items():
        if rest.startswith(f"{ours}."):
            return f"{_ALBS[source]}.{theirs}.{rest.removeprefix(f'{ours}.')}"
    raise KeyError(rest)


def _copy(net: MSCMNet, state: Mapping[str, Any], where: str) -> dict[str, None]:
    """Fill ``net`` and return the released names that went into it, in order."""
    used: dict[str, None] = {}
    filled: dict[str, Tensor] = {}
    for name, tensor in net.state_dict().items():
        theirs = released_names(name)
        if name.endswith("num_batches_tracked") and theirs[0] not in state:
            continue  # a counter, of which no feature depends
        expected = list(tensor.shape)
        if len(theirs) > 1:
            expected[0] //= len(theirs)
        pieces = [_tensor(state, key, expected, where) for key in theirs]
        filled[name] = torch.cat(pieces) if len(pieces) > 1 else pieces[0]
        used.update(dict.fromkeys(theirs))
    check_finite({key: state[key] for key in used}, where)
    net.load_state_dict(filled, strict=False)
    return used


def _tensor(state: Mapping[str, Any], key: str, expected: list[int], where: str) -> Tensor:
    found = state.get(key)
    if not isinstance(found, Tensor):
        raise CheckpointError(
            f"{where}: lacks {key!r}, which takes part in the network; expected a tensor of shape "
            f"{tuple(expected)}. Give the complete state dict of the release"
        )
    if list(found.shape) != expected:
        raise CheckpointError(
            f"{where}: {key!r} has shape {tuple(found.shape)}, expected {tuple(expected)}; it is "
            "not the release's network, or was made for another image size"
        )
    return found


def _length(state: Mapping[str, Any], keys: Sequence[str], where: str) -> int:
    """How long the tensors named ``keys`` are; what most of them say, so that `_copy` names one
    that is cut short."""
    found = [state[key] for key in keys if isinstance(state.get(key), Tensor)]
    lengths = [len(tensor) for tensor in found if tensor.ndim and len(tensor)]
    if not lengths:
        shapes = ", ".join(str(tuple(tensor.shape)) for tensor in found)
        raise CheckpointError(
            f"{where}: {f'{keys[0]!r} has shape {shapes}' if found else f'lacks {keys[0]!r}'}; "
            "expected the release's state dict (names to tensors)"
        )
    return statistics.mode(lengths)


def _image_size(positions: int, height: int, width: int) -> tuple[int, int]:
    if not height and not width:
        columns = math.isqrt(positions // 2)
        height, width = 32 * columns, 16 * columns
    if height % 16 or width % 16 or height * width != 256 * positions:
        raise ConfigError(
            f"height = {height!r}, width = {width!r}: the checkpoint's ALB tokens have {positions} "
            "numbers, expected height/16 times width/16 of them (288 for 384x192); give both sizes"
        )
    return height, width


def _account(net: MSCMNet, state: Mapping[str, Any]) -> list[str]:
    """What was used and dropped, in lines for people."""
    record = net.initialisation
    numbers = sum(tensor.numel() for tensor in net.parameters())
    groups = Counter(_group(name) for name in record.dropped)
    return [
        f"{record.source}: used {len(record.used)} of {len(state)} tensors "
        f"({numbers / 1e6:.1f} M parameters, {net.identities} identities)",
        *(f"dropped {count} tensors of {group}" for group, count in groups.items()),
    ]


def _group(name: str) -> str:
    module = name.split(".", 1)[0]
    if module in {stem.split(".", 1)[0] for stem in _STEMS.values()}:
        return f"{module}: the unused ResNet-50 behind the stem"
    if module == "base_resnet":
        return f"{module}: the unused stem of the trunk"
    if module in _ALBS.values():
        return f"{module}: the source convolutions and norm that this ALB does not use"
    return f"{module}: unused"
