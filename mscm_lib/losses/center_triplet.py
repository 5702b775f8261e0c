"""Center triplet loss on the batch's own centers."""

from __future__ import annotations

from torch import Tensor, nn

from mscm_lib.losses.common import (
    all_distances,
    full_precision,
    hinge,
    mean_of,
    row_distances,
    row_labels,
    same_identity,
)


class CenterTripletLoss(nn.Module):
    r"""A feature's own center against the nearest center of another identity.

    .. math:: L = \tfrac1n Σ_i \max(0, m + d(f_i, c_{y_i}) - \min_{y ≠ y_i} d(f_i, c_y))

    c_y is the mean of all rows of identity y in the batch, both modalities together. A batch of
    one identity gives zero.

    Source: He et al., "Triplet-Center Loss for Multi-View 3D Object Retrieval", CVPR 2018, with
    the batch's centers in place of learned ones.

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
            same = same_identity(row_labels(features, labels, 2))
            centers, _ = mean_of(same, features)  # (n, D), a row's own identity's
            near = row_distances(features, centers)
            return hinge(near, all_distances(features, centers), ~same, self.margin).mean()
