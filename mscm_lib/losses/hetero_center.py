"""Hetero-center loss: the two modalities of an identity share a center."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from mscm_lib.losses.common import (
    full_precision,
    infrared_rows,
    mean_of,
    row_labels,
    same_identity,
    weighted_mean,
)


class ModalityCenters(NamedTuple):
    """Centers of the two modalities of each row's identity.

    Attributes:
        own: (n, D) center of the row's identity in the row's own modality.
        other: (n, D) its center in the other modality; zeros where that has no row of it.
        weights: (n,) one over the rows that share a center, so that each center counts once, and
            zero where ``other`` is missing.
    """

    own: Tensor
    other: Tensor
    weights: Tensor


class HeteroCenterLoss(nn.Module):
    r"""The squared distance of an identity's visible center to its infrared one.

    .. math:: L = \tfrac1P Σ_{y} \lVert c^{vis}_y - c^{ir}_y \rVert^2

    over the P identities of the batch that have rows of both modalities; zero if there is none.
    The first half of the rows is visible, the second infrared.

    Source: Zhu et al., "Hetero-Center Loss for Cross-Modality Person Re-Identification",
    Neurocomputing 2020, as a mean over identities.
    """

    def forward(self, pooled: Tensor, labels: Tensor) -> Tensor:
        """(n, D) features, visible half first, and (n,) labels → ().

        Raises:
            ProtocolError: the number of labels does not fit the features, or n is odd.
        """
        with full_precision(pooled) as features:
            centers = modality_centers(features, row_labels(features, labels))
            apart = (centers.own - centers.other).square().sum(dim=1)  # (n,)
            return weighted_mean(apart, centers.weights)


def modality_centers(features: Tensor, labels: Tensor) -> ModalityCenters:
    """The two centers of each row's identity; (n, D) features, visible half first, (n,) labels."""
    infrared = infrared_rows(features)
    same = same_identity(labels)
    alike = infrared[:, None] == infrared[None, :]
    own, other = same & alike, same & ~alike
    weights = other.any(dim=1) / own.sum(dim=1)
    return ModalityCenters(
        mean_of(own, features), mean_of(other, features), weights.to(features.dtype)
    )
