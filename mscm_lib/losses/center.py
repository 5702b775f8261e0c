"""Center loss with learned centers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mscm_lib.errors import ProtocolError
from mscm_lib.losses.common import full_precision, require, row_labels


class CenterLoss(nn.Module):
    r"""Features approach one learned center an identity.

    .. math:: L = \tfrac1{2n} Σ_i \lVert f_i - c_{y_i} \rVert^2

    Source: Wen et al., "A Discriminative Feature Learning Approach for Deep Face Recognition",
    ECCV 2016, eq. 2, as a mean over the batch. The centers are parameters: the optimizer moves
    them by their gradient, where the paper has an update rule of their own. They start at zero.

    Args:
        identities: N, classes of the training.
        dim: D, channels of a feature.
    """

    def __init__(self, identities: int, dim: int) -> None:
        super().__init__()
        self.centers = nn.Parameter(torch.zeros(identities, dim))  # (N, D)

    def forward(self, pooled: Tensor, labels: Tensor) -> Tensor:
        """(n, D) features and (n,) labels below N → ().

        Raises:
            ProtocolError: the features have another width than the centers, or the labels do not
                fit the features or the centers.
        """
        identities, dim = self.centers.shape
        with full_precision(pooled) as features:
            labels = row_labels(features, labels)
            if features.shape[1] != dim:
                raise ProtocolError(
                    f"features of shape {tuple(features.shape)}: expected (n, {dim}), as wide as "
                    "the centers"
                )
            if not len(features):
                return features.sum()
            known = ((labels >= 0) & (labels < identities)).all()
            require(known, f"a label is outside 0 to {identities - 1}: there is no center for it")
            away = features - self.centers[labels].to(features.dtype)  # (n, D)
            return 0.5 * away.square().sum(dim=1).mean()
