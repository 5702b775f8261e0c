"""Batch-hard triplet loss."""

from __future__ import annotations

from torch import Tensor, nn

from mscm_lib.losses.common import (
    all_distances,
    full_precision,
    hinge,
    row_labels,
    same_identity,
)


class BatchHardTripletLoss(nn.Module):
    r"""Each row's farthest row of its identity against its nearest row of another.

    .. math:: L = \tfrac1n Σ_i \max(0, m + \max_{j: y_j = y_i} d(f_i, f_j)
              - \min_{j: y_j ≠ y_i} d(f_i, f_j))

    Rows are compared over all streams and both modalities, with the Euclidean distance d. A batch
    of one identity, or of no rows, gives zero.

    Source: Hermans et al., "In Defense of the Triplet Loss", arXiv 1703.07737, eq. 5, as a mean
    over rows.

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
            distances = all_distances(features, features)  # (n, n)
            same = same_identity(labels)
            farthest = distances.masked_fill(~same, 0).amax(dim=1)
            return hinge(farthest, distances, ~same, self.margin).mean()
