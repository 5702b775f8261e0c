"""Weighted regularised triplet loss, the metric loss of the AGW baseline."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from mscm_lib.losses.common import (
    all_distances,
    full_precision,
    row_labels,
    same_identity,
    weighted_mean,
)


class WeightedRegularizedTripletLoss(nn.Module):
    r"""All triplets of a row, weighted by how hard they are, without a margin.

    .. math::
        L = \tfrac1n Σ_i \log(1 + \exp(Σ_{j ∈ P_i} w^p_{ij} d_{ij} - Σ_{k ∈ N_i} w^n_{ik} d_{ik}))

        w^p_{ij} = \frac{\exp d_{ij}}{Σ_{l ∈ P_i} \exp d_{il}}, \quad
        w^n_{ik} = \frac{\exp(-d_{ik})}{Σ_{l ∈ N_i} \exp(-d_{il})}

    P_i are the other rows of i's identity, N_i the rows of all others, d the Euclidean distance.
    Rows without a positive or without a negative do not count; where none has both the loss is
    zero. (The authors' code counts a row as a positive of itself, at distance zero: next to
    distances of ten and more, as in training, its weight vanishes.)

    Source: Ye et al., "Deep Learning for Person Re-identification: A Survey and Outlook" (AGW),
    arXiv 2001.04193, weighted regularization triplet.
    """

    def forward(self, pooled: Tensor, labels: Tensor) -> Tensor:
        """(n, D) features and (n,) labels → ().

        Raises:
            ProtocolError: the number of labels does not fit the features.
        """
        with full_precision(pooled) as features:
            labels = row_labels(features, labels)
            distances = all_distances(features, features)  # (n, n)
            same = same_identity(labels)
            itself = torch.eye(len(same), dtype=torch.bool, device=same.device)
            positive, negative = same & ~itself, ~same
            near = _weighted(distances, distances, positive)
            far = _weighted(distances, -distances, negative)
            counts = positive.any(dim=1) & negative.any(dim=1)
            return weighted_mean(functional.softplus(near - far), counts.to(near.dtype))


def _weighted(distances: Tensor, scores: Tensor, members: Tensor) -> Tensor:
    """Mean distance of each row's members, weighted by the softmax of ``scores``: (n,)."""
    lowest = torch.finfo(scores.dtype).min  # not −∞: a row without members stays finite
    weights = scores.masked_fill(~members, lowest).softmax(dim=1) * members
    return (weights * distances).sum(dim=1)
