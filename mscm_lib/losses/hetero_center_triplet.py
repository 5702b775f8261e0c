"""Hetero-center triplet loss: a triplet loss on the modalities' centers."""

from __future__ import annotations

from torch import Tensor, nn

from mscm_lib.losses.common import (
    all_distances,
    full_precision,
    hinge,
    row_distances,
    row_labels,
    same_identity,
    weighted_mean,
)
from mscm_lib.losses.hetero_center import modality_centers


class HeteroCenterTripletLoss(nn.Module):
    r"""A modality center's partner against the nearest center of another identity.

    .. math::
        L = \tfrac1{2P} Σ_{y} Σ_{a ∈ \{vis, ir\}} \max(0, m + d(c^{vis}_y, c^{ir}_y)
            - \min_{b ∈ \{vis, ir\},\ z ≠ y} d(c^a_y, c^b_z))

    over the P identities of the batch that have rows of both modalities; identities of one
    modality serve as negatives. A batch of one identity, or of no rows, gives zero. The first half
    of the rows is visible, the second infrared.

    Source: Liu et al., "Parameter Sharing Exploration and Hetero-Center Triplet Loss for
    Visible-Thermal Person Re-Identification", arXiv 2008.06223, whose formula is the sum over the
    2P centers and whose public code their mean, as here.

    Args:
        margin: m, in units of the distance.
    """

    def __init__(self, margin: float = 0.3) -> None:
        super().__init__()
        self.margin = margin

    def forward(self, pooled: Tensor, labels: Tensor) -> Tensor:
        """(n, D) features, visible half first, and (n,) labels → ().

        Raises:
            ProtocolError: the number of labels does not fit the features, or n is odd.
        """
        with full_precision(pooled) as features:
            labels = row_labels(features, labels)
            if not len(features):
                return features.sum()
            centers = modality_centers(features, labels)
            near = row_distances(centers.own, centers.other)  # (n,)
            far = all_distances(centers.own, centers.own)  # (n, n)
            losses = hinge(near, far, ~same_identity(labels), self.margin)
            return weighted_mean(losses, centers.weights)
