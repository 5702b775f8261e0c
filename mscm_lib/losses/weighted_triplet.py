"""Weighted regularised triplet loss, the metric loss of the AGW baseline."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional

from mscm_lib.losses.common import (
    all_distances,
    full_precision,
    row_labels,
    same_identity,
    weighted_mean,
)

TINY = 1e-6
"""Added to each sum of weights. Distances to negatives of 14 and more make sums as small as this."""


class WeightedRegularizedTripletLoss(nn.Module):
    r"""All triplets of a row, weighted by how hard they are, without a margin.

    .. math::
        L = \tfrac1n Σ_i \log(1 + \exp(Σ_{j ∈ P_i} w^p_{ij} d_{ij} - Σ_{k ∈ N_i} w^n_{ik} d_{ik}))

        w^p_{ij} = \frac{\exp(d_{ij} - D_i)}{10^{-6} + Σ_{l ∈ P_i} \exp(d_{il} - D_i)}, \quad
        w^n_{ik} = \frac{\exp(-d_{ik})}{10^{-6} + Σ_{l ∈ N_i} \exp(-d_{il})}

    P_i are all rows of i's identity, N_i the rows of all others, d the Euclidean distance, D_i the
    largest of i's positives. As in the public code that the field's figures come from, a row is a
    positive of itself, at distance zero, where its weight is the smallest of all but not nothing;
    and the 10⁻⁶, there to avoid a division by zero, takes the weight from negatives that are all
    farther than about 14. Rows without a negative do not count; where none has one the loss is
    zero.

    Source: Ye et al., "Deep Learning for Person Re-identification: A Survey and Outlook" (AGW),
    arXiv 2001.04193, weighted regularization triplet, as its public code computes it.
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
            return weighted_mean(functional.softplus(near - far), counts)


class Hardness(NamedTuple):
    """What the weighted triplet compares in each row.

    Attributes:
        near: (n,) mean distance of the positives, weighted towards the farthest.
        far: (n,) mean distance of the negatives, weighted towards the nearest.
        counts: (n,) 1 where the row has a positive and a negative, else 0.
    """

    near: Tensor
    far: Tensor
    counts: Tensor


def hardness(distances: Tensor, same: Tensor) -> Hardness:
    """Weighted means of distances (n, m), where ``same`` (n, m) is True for a positive."""
    largest = distances.masked_fill(~same, 0).amax(dim=1, keepdim=True)
    near = _weighted(distances, (distances - largest).masked_fill(~same, float("-inf")).exp())
    far = _weighted(distances, (-distances).masked_fill(same, float("-inf")).exp())
    counts = same.any(dim=1) & ~same.all(dim=1)
    return Hardness(near, far, counts.to(distances.dtype))


def _weighted(distances: Tensor, weights: Tensor) -> Tensor:
    """(n, m), (n, m) → (n,)."""
    return (weights * distances).sum(dim=1) / (weights.sum(dim=1) + TINY)
