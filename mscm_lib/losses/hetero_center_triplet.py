"""Hetero-center triplet loss: a triplet loss on the modalities' centers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mscm_lib.losses.common import (
    all_distances,
    full_precision,
    hinge,
    row_distances,
    row_labels,
    same_identity,
)
from mscm_lib.losses.hetero_center import modality_centers


class HeteroCenterTripletLoss(nn.Module):
    r"""A modality center's partner against the nearest center of another identity.

    .. math::
        L = \tfrac1{2P} Σ_{y} Σ_{a ∈ \{vis, ir\}} \max(0, m + d(c^{vis}_y, c^{ir}_y)
            - \min_{b ∈ \{vis, ir\},\ z ≠ y} d(c^a_y, c^b_z))

    over the P identities of the batch. A batch of one identity gives zero.

    Source: Liu et al., "Parameter Sharing Exploration and Hetero-Center Based Triplet Loss for
    Visible-Thermal Person Re-Identification", IEEE TMM 2020, eq. 8, as a mean over centers.

    Args:
        margin: m, in units of the distance.
    """

    def __init__(self, margin: float = 0.3) -> None:
        super().__init__()
        self.margin = margin

    def forward(self, pooled: Tensor, labels: Tensor) -> Tensor:
        """(n, D) features, visible half first, and (n,) labels → ().

        Raises:
            ProtocolError: the labels of the two halves differ.
        """
        with full_precision(pooled) as features:
            labels = row_labels(features, labels, 2)
            visible, infrared, weights = modality_centers(features, labels)
            centers = torch.cat([visible, infrared])  # (n, D)
            near = row_distances(visible, infrared).repeat(2)  # (n,)
            others = ~same_identity(labels)
            losses = hinge(near, all_distances(centers, centers), others, self.margin)
            weights = weights.repeat(2)
            return (losses * weights).sum() / weights.sum()
