"""A trained network as one safetensors file that says what it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from mscm_lib.errors import CheckpointError
from mscm_lib.files import atomic_path
from mscm_lib.models.checkpoints import check_finite, unreadable
from mscm_lib.models.network import MSCMNet


class SavedNetwork(NamedTuple):
    """A network read back, and what its file says about it.

    Attributes:
        net: the network, on the CPU, in evaluation mode.
        metadata: what `save_network` was given, and its own ``network`` and ``initialisation``.
    """

    net: MSCMNet
    metadata: dict[str, str]


# One entry, as safetensors does not keep the order of several: the same run, the same bytes.
_ENTRY = "mscmnet"


def save_network(path: str | Path, net: MSCMNet, metadata: Mapping[str, str]) -> None:
    """Write weights and metadata, atomically; the same network and metadata give the same bytes.

    Args:
        path: the file, usually ``model.safetensors``.
        net: the network; its parameters may be on any device and in any memory format.
        metadata: text by name, for example config (JSON), dataset, trial, fingerprint. The
            network's own parameters and the origin of its initial weights are added.

    Raises:
        StorageError: the disk is full or the folder cannot be written.
    """
    record = {
        **metadata,
        "network": json.dumps(net.architecture(), sort_keys=True),
        "initialisation": json.dumps(net.initialisation.as_dict(), sort_keys=True),
        "identities": str(net.identities),
    }
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in net.state_dict().items()}
    with atomic_path(path) as part:
        save_file(state, part, metadata={_ENTRY: json.dumps(record, sort_keys=True)})


def read_metadata(path: str | Path) -> dict[str, str]:
    """The metadata alone; the tensors stay on disk.

    Raises:
        CheckpointError: the file is missing, damaged, or was not written by `save_network`.
    """
    try:
        with safe_open(path, framework="pt") as file:
            entries = file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise unreadable(path, error) from error
    if _ENTRY not in entries:
        raise CheckpointError(
            f"{path}: has no {_ENTRY!r} entry in its metadata; expected a file that this study's "
            "training wrote"
        )
    return dict(json.loads(entries[_ENTRY]))


def load_network(path: str | Path, expected: Mapping[str, str] | None = None) -> SavedNetwork:
    """Rebuild a network from its file alone, without downloading anything.

    Args:
        path: what `save_network` wrote.
        expected: metadata that the caller relies on; each value must be the file's.

    Raises:
        CheckpointError: the file is missing or damaged, a tensor does not fit or is not finite, or
            the metadata differ; the message names key, found and wanted value.
    """
    metadata = read_metadata(path)
    for key, wanted in (expected or {}).items():
        found = metadata.get(key)
        if found != wanted:
            raise CheckpointError(
                f"{path}: {key} is {found!r}, wanted {wanted!r}; these weights belong to another "
                "run. Give that run's file, or train this one again"
            )
    parameters: dict[str, Any] = json.loads(metadata["network"])
    net = MSCMNet(int(metadata["identities"]), **parameters)
    with safe_open(path, framework="pt") as file:
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    dtype = state["head.neck.weight"].dtype if "head.neck.weight" in state else torch.float32
    try:
        net.to(dtype).load_state_dict(state)
    except RuntimeError as error:
        raise CheckpointError(
            f"{path}: its tensors are not those of the network that its metadata describe ({error})"
        ) from error
    check_finite(state, path)
    return SavedNetwork(net.eval(), metadata)
