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

    c_y is the mean of all rows of identity y in the batch, both modalities together, d the
    Euclidean distance. A batch of one identity, or of no rows, gives zero.

    Source: He et al., "Triplet-Center Loss for Multi-View 3D Object Retrieval", CVPR 2018, with
    the batch's centers in place of learned ones, as a mean over rows.

    Args:
        margin: m, in units of the distance.
    """

    def __init__(self, margin: float = 0.3) -> None:
        super().__init__()
        self.margin = margin

    def forward(self, pooled: Tensor, labels: Tensor) -> Tensor:
        """(n, D) features and (n,) labels → ().

        Raises:
            ProtocolError: the number of labels does not fit the features.
        """
        with full_precision(pooled) as features:
            labels = row_labels(features, labels)
            if not len(features):
                return features.sum()
            same = same_identity(labels)
            centers = mean_of(same, features)  # (n, D), row i's identity's
            near = row_distances(features, centers)
            return hinge(near, all_distances(features, centers), ~same, self.margin).mean()
