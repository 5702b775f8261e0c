"""The evaluation's tiny dataset and invented features, for pages that are made of them."""

from tests.evaluation.conftest import config, invented, packed

__all__ = ["config", "invented", "packed"]
