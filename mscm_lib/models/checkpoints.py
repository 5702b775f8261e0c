"""Files of weights from anywhere: read without running their code, and told when they are no such."""

from __future__ import annotations

import re
import warnings
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from mscm_lib.data.layouts.mistaken import file_mistaken_for
from mscm_lib.errors import CheckpointError

WRAPPERS = {"module.": "DataParallel", "_orig_mod.": "torch.compile"}
"""What wrapping a network puts before the names of its weights."""
_TENSORS_ALONE = (
    "which is not unpickled, since that could run code; where it was made, load it and save the "
    "weights alone: torch.save(model.state_dict(), path)"
)


def read_checkpoint(path: Path, allowed: Sequence[Any] = ()) -> Any:
    """What a ``.safetensors`` file or one of ``torch.save`` holds: tensors, and plain values.

    Args:
        path: the file.
        allowed: what may be unpickled beside that, as `torch.serialization.safe_globals` takes it.

    Raises:
        CheckpointError: the file is missing or damaged, is of another kind, or holds other objects.
    """
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        with warnings.catch_warnings(), torch.serialization.safe_globals([*allowed]):
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception as error:  # unpickling stumbles over whatever a damaged file makes of it
        raise unreadable(path, error) from error


def unreadable(path: Path | str, error: Exception) -> CheckpointError:
    """What to say of a file that could not be read as weights, in one line."""
    path = Path(path)
    if isinstance(error, FileNotFoundError):
        return CheckpointError(f"{path}: no such file; expected weights")
    if path.is_dir():
        return CheckpointError(f"{path}: is a folder, expected a file of weights in it")
    text = str(error)
    refused = re.search(r"(?:GLOBAL|type <?class) '?([\w.]+)", text)
    if refused:
        kind = refused[1]
        what = "a whole pickled network" if "nn." in kind else "an object other than tensors"
        return CheckpointError(f"{path}: holds {what} ({kind}), {_TENSORS_ALONE}")
    if "TorchScript" in text:
        return CheckpointError(f"{path}: is a TorchScript program, {_TENSORS_ALONE}")
    found = file_mistaken_for(path)
    if found and (found.kind != "a zip archive" or _is_foreign_zip(path)):
        return CheckpointError(f"{path}: is {found.kind}, not a file of weights; {found.remedy}")
    return CheckpointError(
        f"{path}: not readable as a file of weights ({path.stat().st_size:,} bytes): empty, cut "
        "short, damaged, or of another kind; download or save it again"
    )


def _is_foreign_zip(path: Path) -> bool:
    """Whether a zip archive is whole and none of ``torch.save``."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return not any(name.endswith("/data.pkl") for name in archive.namelist())


def unwrapped(
    state: Mapping[str, Any], where: str, log: Callable[[str], None] = print
) -> dict[str, Any]:
    """A state dict under the network's own names: `WRAPPERS` are taken off, and that is said."""
    names = {name: str(name) for name in state}
    for _ in range(4):  # one may stand in another
        for prefix, wrapper in WRAPPERS.items():
            if names and all(name.startswith(prefix) for name in names.values()):
                names = {key: name.removeprefix(prefix) for key, name in names.items()}
                log(f"{where}: every name begins with {prefix!r}, from {wrapper}; read without it")
    return {name: state[key] for key, name in names.items()}


def check_finite(state: Mapping[str, Tensor], where: object) -> None:
    """Refuse weights that are not finite.

    Raises:
        CheckpointError: naming the first tensor with such a number.
    """
    for name, tensor in state.items():
        if not torch.isfinite(tensor).all():
            bad = int((~torch.isfinite(tensor)).sum())
            raise CheckpointError(
                f"{where}: {name!r} holds {bad} numbers that are NaN or infinite, of "
                f"{tensor.numel()}; its training diverged or the file is damaged. Give another one"
            )
