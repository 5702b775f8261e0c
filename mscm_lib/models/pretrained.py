"""Initial weights of a backbone: none, ImageNet, or a local file; and the record of which."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torchvision
from torch import Tensor, nn

from mscm_lib.errors import CheckpointError, ConfigError
from mscm_lib.files import file_digest
from mscm_lib.models.checkpoints import check_finite, read_checkpoint, unwrapped
from mscm_lib.paths import resolve


@dataclass(frozen=True)
class Initialisation:
    """Where a network's weights came from; kept with every result.

    Attributes:
        weights: "none", "imagenet", "released", or the path that was given.
        source: the exact origin in words: a library's weight name, a file.
        sha256: digest of the file, or "" where no file was read.
        used: names of the tensors that were taken (empty for "none").
        dropped: names of the tensors that were there and take no part.
    """

    weights: str
    source: str
    sha256: str = ""
    used: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, str | int]:
        """Plain values for a result's record; counts instead of the lists of names."""
        return {
            "weights": self.weights,
            "source": self.source,
            "sha256": self.sha256,
            "used": len(self.used),
            "dropped": len(self.dropped),
        }


def initialise(net: nn.Module, weights: str, name: str) -> Initialisation:
    """Load ``weights`` into a backbone as its library builds it, before it is cut into parts.

    Args:
        net: a torchvision ResNet or a timm ConvNeXt, freshly initialised.
        weights: "none" keeps the fresh weights; "imagenet" downloads the library's (torchvision's
            first ImageNet weights, which the paper's baseline AGW starts from); anything else is
            the path of this backbone's state dict, ``.safetensors`` or as ``torch.save`` writes.
        name: the backbone's name, "timm:" before timm's.

    Raises:
        ConfigError: the download failed, or the file is missing.
        CheckpointError: the file is damaged, or its tensors are not this backbone's or not finite.
    """
    if weights == "none":
        return Initialisation("none", "random")
    if weights == "imagenet":
        state, source = _download(name)
        return _fill(net, state, Initialisation("imagenet", source), source)
    path = resolve(weights)
    if not path.is_file():
        raise ConfigError(
            f"weights = {weights!r}: no file at {path}; expected 'none', 'imagenet' or the path of "
            f"a state dict of {name}"
        )
    record = Initialisation(weights, path.name, file_digest(path))
    return _fill(net, read_state(path), record, str(path))


def read_state(path: Path) -> dict[str, Tensor]:
    """The tensors of a state dict on disk, read without running any code that it may hold.

    Names that a wrapper has put a prefix before are read without it, which is printed.

    Raises:
        CheckpointError: the file is damaged, or holds something else than named tensors.
    """
    state = read_checkpoint(path)
    if not isinstance(state, Mapping) or not all(isinstance(v, Tensor) for v in state.values()):
        raise CheckpointError(
            f"{path}: expected a state dict (names to tensors), got {type(state).__name__}; save "
            "the backbone's state_dict() alone"
        )
    return unwrapped(state, str(path))


def _download(name: str) -> tuple[dict[str, Tensor], str]:
    try:
        if name.startswith("timm:"):
            import timm  # takes seconds, and few networks need it

            model: Any = timm.create_model(name.removeprefix("timm:"), pretrained=True)
            return model.state_dict(), f"timm {model.pretrained_cfg['hf_hub_id']}"
        weights = torchvision.models.get_model_weights(name)["IMAGENET1K_V1"]
        return dict(weights.get_state_dict(progress=False)), f"torchvision {weights}"
    except (OSError, RuntimeError) as error:
        raise ConfigError(
            f"weights = 'imagenet': the weights of {name} could not be downloaded ({error}). "
            "Give the path of a local state dict, or weights = 'none' to train from scratch"
        ) from error


def _fill(
    net: nn.Module, state: Mapping[str, Tensor], record: Initialisation, where: str
) -> Initialisation:
    """Copy what the backbone needs; its own classifier takes no part and may be absent."""
    wanted = {k: v for k, v in net.state_dict().items() if not k.startswith(("fc.", "head."))}
    used = []
    for key, tensor in wanted.items():
        if key not in state:
            if key.endswith("num_batches_tracked"):  # absent from torchvision's first weights
                continue
            raise CheckpointError(f"{where}: lacks the tensor {key!r} of this backbone")
        if state[key].shape != tensor.shape:
            raise CheckpointError(
                f"{where}: {key!r} has shape {tuple(state[key].shape)}, expected "
                f"{tuple(tensor.shape)}; give weights of the same backbone"
            )
        used.append(key)
    taken = {key: state[key] for key in used}
    check_finite(taken, where)
    net.load_state_dict(taken, strict=False)
    dropped = tuple(key for key in state if key not in wanted)
    return Initialisation(record.weights, record.source, record.sha256, tuple(used), dropped)
