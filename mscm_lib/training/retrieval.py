"""Retrieval while training: on held-out identities, or on the test gallery if asked for by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mscm_lib.config import RunConfig
from mscm_lib.hardware import Hardware
from mscm_lib.models import MSCMNet
from mscm_lib.training.preparation import Material


@dataclass(frozen=True)
class Retrieval:
    """Measures a network every few epochs and scores it for the choice of the epoch.

    Attributes:
        config: the run's parameters.
        packed: the data.
    """

    config: RunConfig
    packed: Any

    def due(self, epoch: int) -> bool:
        """Whether ``epoch`` (from 0) ends with a measurement: every n-th and the last do."""
        done = epoch + 1
        return done % self.config.validate_every == 0 or done == self.config.epochs

    def measure(self, network: MSCMNet, hardware: Hardware) -> dict[str, float]:
        """Figures for the epoch's row."""
        raise NotImplementedError

    def score(self, figures: dict[str, float]) -> float | None:
        """What the selection rule compares."""
        return None


def build_retrieval(config: RunConfig, material: Material) -> Retrieval | None:
    """The retrieval that ``config`` asks for; None where it asks for none."""
    return Retrieval(config, material.packed) if config.validate_every else None
