"""Hetero-center loss: the two modalities of an identity share a center."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mscm_lib.losses.common import full_precision, mean_of, row_labels, same_identity


class HeteroCenterLoss(nn.Module):
    r"""The squared distance of an identity's visible center to its infrared one.

    .. math:: L = \tfrac1P Σ_{y} \lVert c^{vis}_y - c^{ir}_y \rVert^2

    over the P identities of the batch.

    Source: Zhu et al., "Hetero-Center Loss for Cross-Modality Person Re-Identification",
    Neurocomputing 2020, eq. 3, as a mean over identities.
    """

    def forward(self, pooled: Tensor, labels: Tensor) -> Tensor:
        """(n, D) features, visible half first, and (n,) labels → ().

        Raises:
            ProtocolError: the labels of the two halves differ.
        """
        with full_precision(pooled) as features:
            labels = row_labels(features, labels, 2)
            visible, infrared, weights = modality_centers(features, labels)
            return ((visible - infrared).pow(2).sum(dim=1) * weights).sum() / weights.sum()


def modality_centers(features: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Each visible row's identity's two centers, and weights that count an identity once.

    Returns:
        (n/2, D) visible centers, (n/2, D) infrared centers, and (n/2,) one over the identity's
        number of visible rows. Working with rows keeps shapes free of the number of identities,
        which only the device knows.
    """
    half = len(features) // 2
    same = same_identity(labels[:half])  # (n/2, n/2); the infrared half has the same labels
    visible, _ = mean_of(same, features[:half])
    infrared, _ = mean_of(same, features[half:])
    return visible, infrared, torch.reciprocal(same.sum(dim=1).to(features.dtype))
