"""The evaluation's tiny dataset and network, searched."""

from tests.evaluation.conftest import config, network, packed, weights

__all__ = ["config", "network", "packed", "weights"]
