"""The network of the method and every variant that the study compares with it."""

from mscm_lib.models.alb import ALB
from mscm_lib.models.head import Head, Output
from mscm_lib.models.mimb import MIMB
from mscm_lib.models.network import Embedding, MSCMNet
from mscm_lib.models.released import load_released
from mscm_lib.models.streams import QuadrupleStream
from mscm_lib.models.weights import load_network, save_network

__all__ = [
    "ALB",
    "MIMB",
    "Embedding",
    "Head",
    "MSCMNet",
    "Output",
    "QuadrupleStream",
    "load_network",
    "load_released",
    "save_network",
]
