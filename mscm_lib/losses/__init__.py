"""Metric losses, each called as ``loss(pooled (n, D), labels (n,))`` and giving a scalar.

Rows come stream by stream: V_g, V_c, I_g, I_c (n = 4B), V_g, V_c, I_g (3B) or V_g, I_g (2B).
"""

from __future__ import annotations

from torch import nn

from mscm_lib.config import RunConfig
from mscm_lib.losses.batch_hard import BatchHardTripletLoss
from mscm_lib.losses.center import CenterLoss
from mscm_lib.losses.center_triplet import CenterTripletLoss
from mscm_lib.losses.hetero_center import HeteroCenterLoss
from mscm_lib.losses.hetero_center_triplet import HeteroCenterTripletLoss
from mscm_lib.losses.own import build_own_loss
from mscm_lib.losses.quadruple_center import QuadrupleCenterTerms, QuadrupleCenterTripletLoss
from mscm_lib.losses.squared_triplet import SquaredWeightedTripletLoss
from mscm_lib.losses.tri_directional import TriDirectionalRankingLoss
from mscm_lib.losses.weighted_triplet import WeightedRegularizedTripletLoss
from mscm_lib.own_parts import is_own

__all__ = [
    "BatchHardTripletLoss",
    "CenterLoss",
    "CenterTripletLoss",
    "HeteroCenterLoss",
    "HeteroCenterTripletLoss",
    "QuadrupleCenterTerms",
    "QuadrupleCenterTripletLoss",
    "SquaredWeightedTripletLoss",
    "TriDirectionalRankingLoss",
    "WeightedRegularizedTripletLoss",
    "build_metric_loss",
]


def build_metric_loss(config: RunConfig, identities: int, dim: int) -> nn.Module | None:
    """The metric loss that ``config.metric_loss`` names; None for "none".

    QCT takes margin, α and pairing from ``config``; the triplet losses keep the margin 0.3 of
    their papers. "path/to/file.py:Name" is the user's own (`mscm_lib.own_parts`).

    Args:
        config: of the run.
        identities: classes of the training, for learned centers.
        dim: channels of a pooled feature, for learned centers.
    """
    if is_own(config.metric_loss):
        return build_own_loss(config.metric_loss, config.views, identities, dim, config.seed)
    match config.metric_loss:
        case "qct":
            return QuadrupleCenterTripletLoss(config.margin, config.alpha, config.pairing)
        case "triplet":
            return BatchHardTripletLoss()
        case "weighted-triplet":
            return WeightedRegularizedTripletLoss()
        case "squared-triplet":
            return SquaredWeightedTripletLoss()
        case "tri-directional":
            return TriDirectionalRankingLoss()
        case "center":
            return CenterLoss(identities, dim)
        case "center-triplet":
            return CenterTripletLoss()
        case "hetero-center":
            return HeteroCenterLoss()
        case "hetero-center-triplet":
            return HeteroCenterTripletLoss()
        case _:
            return None
