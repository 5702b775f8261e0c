"""What the notebooks that look inside a network share: a network to look at."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from mscm_lib.models import MSCMNet, load_network
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
