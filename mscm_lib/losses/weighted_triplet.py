"""Weighted regularised triplet loss, the metric loss of the AGW baseline."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from mscm_lib.losses.common import all_distances, full_precision, row_labels, same_identity


class WeightedRegularizedTripletLoss(nn.Module):
    r"""All triplets of a row, weighted by how hard they are, without a margin.

    .. math::
        L = \tfrac1n Σ_i \log(1 + \exp(Σ_{j ∈ P_i} w^p_{ij} d_{ij} - Σ_{k ∈ N_i} w^n_{ik} d_{ik}))

        w^p_{ij} = \frac{\exp d_{ij}}{Σ_{P_i} \exp d_{ij}}, \quad
        w^n_{ik} = \frac{\exp(-d_{ik})}{Σ_{N_i} \exp(-d_{ik})}

    P_i are the other rows of i's identity, N_i the rows of all others. Rows that have no positive
    or no negative do not count; where none has both the loss is zero.

    Source: Ye et al., "Deep Learning for Person Re-identification: A Survey and Outlook" (AGW),
    arXiv 2001.04193.
    """

    def forward(self, pooled: Tensor, labels: Tensor) -> Tensor:
        """(n, D) features, visible half first, and (n,) labels → ().

        Raises:
            ProtocolError: the labels of the two halves differ.
        """
        with full_precision(pooled) as features:
            labels = row_labels(features, labels, 2)
            distances = all_distances(features, features)  # (n, n)
            same = same_identity(labels)
            itself = torch.eye(len(same), dtype=torch.bool, device=same.device)
            near = _weighted(distances, distances, same & ~itself)
            far = _weighted(distances, -distances, ~same)
            valid = ((same & ~itself).any(dim=1) & (~same).any(dim=1)).to(near.dtype)
            losses = functional.softplus(near - far) * valid
            return losses.sum() / valid.sum().clamp_min(1)


def _weighted(distances: Tensor, scores: Tensor, members: Tensor) -> Tensor:
    """Mean distance of each row's members, weighted by the softmax of ``scores``: (n,)."""
    floor = torch.finfo(scores.dtype).min  # not −∞: a row without members stays finite
    weights = scores.masked_fill(~members, floor).softmax(dim=1) * members
    return (weights * distances).sum(dim=1)
