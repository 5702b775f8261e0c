"""Files of weights that a person gives: looked at before they are read as what their names say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from mscm_lib.errors import CheckpointError
from mscm_lib.models.checkpoints import read_checkpoint
from mscm_lib.paths import barred

SAFETENSORS = ".safetensors"
_PICKLES = (b"PK\x03\x04", b"\x80\x02")  # what torch.save begins with, today's and the former


def check_kind(path: Path) -> None:
    """Refuse a file that may not be read, or is of another kind than its ending says.

    Raises:
        CheckpointError: it is so; what is missing or no file of weights is left to the reader.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(9)
    except PermissionError as error:
        raise CheckpointError(barred(error, path)) from error
    except OSError:
        return
    if path.suffix == SAFETENSORS and head.startswith(_PICKLES):
        raise CheckpointError(f"{path}: is a file of torch.save; rename it, to end in .pth")
    if path.suffix != SAFETENSORS and head[8:] == b"{":  # behind the length of its header
        raise CheckpointError(f"{path}: is a safetensors file; rename it, to end in {SAFETENSORS}")


def check_state_dict(path: Path) -> None:
    """Refuse a file whose tensors are not the whole of it, as a backbone's weights have to be.

    Raises:
        CheckpointError: it is so, or the file cannot be read; what to do is said.
    """
    check_kind(path)
    content = read_checkpoint(path)
    if isinstance(content, Mapping) and (key := nest(content, path)) is not None:
        raise CheckpointError(
            f"{path}: its tensors lie under {key!r}; save them alone: "
            f"torch.save(torch.load(path)[{key!r}], path)"
        )


def unnested(
    content: Mapping[str, Any], where: object, log: Callable[[str], None] = print
) -> Mapping[str, Any]:
    """A checkpoint's tensors by name, from under the key that a training kept them by, with a word.

    Raises:
        CheckpointError: as `nest`.
    """
    if (key := nest(content, where)) is None:
        return content
    log(f"{where}: its tensors lie under {key!r}; read from there")
    found: Mapping[str, Any] = content[key]
    return found


def nest(content: Mapping[str, Any], where: object) -> str | None:
    """The key under which a checkpoint's tensors lie; None where they lie under none.

    Raises:
        CheckpointError: tensors lie under several.
    """
    if any(isinstance(value, Tensor) for value in content.values()):
        return None
    keys = [
        key
        for key, value in content.items()
        if isinstance(value, Mapping) and any(isinstance(v, Tensor) for v in value.values())
    ]
    if len(keys) > 1:
        raise CheckpointError(
            f"{where}: tensors lie under each of {', '.join(map(repr, keys))}; save those that are "
            f"meant alone, such as torch.save(torch.load(path)[{keys[0]!r}], path)"
        )
    return keys[0] if keys else None
