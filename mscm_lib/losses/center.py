"""Center loss with learned centers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mscm_lib.errors import ProtocolError
from mscm_lib.losses.common import full_precision, row_labels


class CenterLoss(nn.Module):
    r"""Features approach one learned center an identity.

    .. math:: L = \tfrac1{2n} Σ_i \lVert f_i - c_{y_i} \rVert^2

    Source: Wen et al., "A Discriminative Feature Learning Approach for Deep Face Recognition",
    ECCV 2016, eq. 2, as a mean over the batch. The centers are parameters and start at zero.

    Args:
        identities: N, classes of the training.
        dim: D, channels of a feature.
    """

    def __init__(self, identities: int, dim: int) -> None:
        super().__init__()
        self.centers = nn.Parameter(torch.zeros(identities, dim))  # (N, D)

    def forward(self, pooled: Tensor, labels: Tensor) -> Tensor:
        """(n, D) features, visible half first, and (n,) labels below N → ().

        Raises:
            ProtocolError: the features have another width than the centers, or the labels of the
                two halves differ.
        """
        if pooled.shape[1:] != self.centers.shape[1:]:
            raise ProtocolError(
                f"features of shape {tuple(pooled.shape)}: expected (n, {self.centers.shape[1]}), "
                "as wide as the centers"
            )
        with full_precision(pooled) as features:
            labels = row_labels(features, labels, 2)
            away = features - self.centers[labels].to(features.dtype)
            return 0.5 * away.pow(2).sum(dim=1).mean()
