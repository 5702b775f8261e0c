"""Training: `train` makes a network from a run's parameters."""

from mscm_lib.training.engine import TrainingResult, train

__all__ = ["TrainingResult", "train"]
