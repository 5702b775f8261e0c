"""Weighted triplet loss with squared differences, the metric loss of channel-augmented learning."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from mscm_lib.losses.common import (
    all_distances,
    full_precision,
    row_labels,
    same_identity,
    weighted_mean,
)
from mscm_lib.losses.weighted_triplet import hardness

LARGEST = 88.0
"""Squares are not taken above this, as in the public code: there the gradient ends."""


class SquaredWeightedTripletLoss(nn.Module):
    r"""The weighted regularised triplet with the square of what it compares, sign kept.

    .. math::
        L = \tfrac1n Σ_i \log(1 + \exp φ(Σ_{j ∈ P_i} w^p_{ij} d_{ij} - Σ_{k ∈ N_i} w^n_{ik} d_{ik}))

        φ(x) = \operatorname{sign}(x) \min(x^2, 88)

    with rows, weights and distances of `WeightedRegularizedTripletLoss`: large violations weigh
    more than in proportion, and rows that are well apart less. Rows are those of all streams, the
    visible images, their channel-augmented twins and the infrared ones, mixed: intra- and
    cross-modality triplets at once.

    Source: enhanced channel-mixed learning of Ye et al., "Channel Augmented Joint Learning for
    Visible-Infrared Recognition" (CAJ), ICCV 2021, as its public code computes it.
    """

    def forward(self, pooled: Tensor, labels: Tensor) -> Tensor:
        """(n, D) features and (n,) labels → ().

        Raises:
            ProtocolError: the number of labels does not fit the features.
        """
        with full_precision(pooled) as features:
            labels = row_labels(features, labels)
            if not len(features):
                return features.sum()
            near, far, counts = hardness(all_distances(features, features), same_identity(labels))
            difference = near - far
            squared = (difference * difference.abs()).clamp(-LARGEST, LARGEST)
            return weighted_mean(functional.softplus(squared), counts)
