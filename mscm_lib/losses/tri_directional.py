"""Weighted tri-directional ranking loss: visible, gray and infrared images rank one another."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from mscm_lib.errors import ProtocolError
from mscm_lib.losses.common import all_distances, full_precision, row_labels, weighted_mean
from mscm_lib.losses.weighted_triplet import hardness

MODALITIES = 3
DIRECTIONS = ((0, 2), (2, 1), (1, 0))
"""Visible ranks infrared, infrared ranks gray, gray ranks visible."""


class TriDirectionalRankingLoss(nn.Module):
    r"""Weighted triplets across three modalities, and the two that share an image held together.

    With the rows of the visible images V, of their gray twins G and of the infrared images I:

    .. math::
        L = \tfrac13 Σ_{(A, B)} \tfrac1{|A|} Σ_{i ∈ A} \log(1 + \exp(
            Σ_{j ∈ B, y_j = y_i} w^p_{ij} d_{ij} - Σ_{k ∈ B, y_k ≠ y_i} w^n_{ik} d_{ik}))
            + \tfrac{λ}{|V|} Σ_{i ∈ V} \tfrac1D Σ_c \operatorname{smooth}_{L1}(f_{ic} - g_{ic})

    over (A, B) = (V, I), (I, G), (G, V), with the weights w and the Euclidean distance d of
    `WeightedRegularizedTripletLoss`; smooth_L1(x) is x²/2 within 1 of zero, and half less than
    the size of x beyond. f and g are the features of an image and of its gray twin. Rows that B has
    no positive or no negative for do not count.

    Source: Ye, Shen and Shao, "Visible-Infrared Person Re-Identification via Homogeneous Augmented
    Tri-Modal Learning" (HAT), TIFS 2021: gray images as a modality between the two, one network and
    classifier for all three, weighted tri-directional ranking, homogeneous invariance. That the
    regularizer is a mean over rows and channels and that λ = 1 is this project's reading; the
    paper's second regularizer is left out.

    Args:
        invariance: λ.
    """

    def __init__(self, invariance: float = 1.0) -> None:
        super().__init__()
        self.invariance = invariance

    def forward(self, pooled: Tensor, labels: Tensor) -> Tensor:
        """(3B, D) features, visible, gray and infrared rows, and (3B,) labels → ().

        Row b of the gray third is the gray twin of row b of the visible third.

        Raises:
            ProtocolError: the rows are not three thirds, or the labels do not fit them.
        """
        if pooled.ndim != 2 or len(pooled) % MODALITIES:
            raise ProtocolError(
                f"features of shape {tuple(pooled.shape)}: expected (3B, D), the rows of visible, "
                "gray and infrared images in this order"
            )
        with full_precision(pooled) as features:
            labels = row_labels(features, labels)
            if not len(features):
                return features.sum()
            thirds, names = features.chunk(MODALITIES), labels.chunk(MODALITIES)
            ranked = torch.zeros_like(features[0, 0])
            for a, b in DIRECTIONS:
                distances = all_distances(thirds[a], thirds[b])  # (B, B)
                near, far, counts = hardness(distances, names[a][:, None] == names[b][None, :])
                ranked = ranked + weighted_mean(functional.softplus(near - far), counts)
            invariance = functional.smooth_l1_loss(thirds[0], thirds[1])
            return ranked / len(DIRECTIONS) + self.invariance * invariance
