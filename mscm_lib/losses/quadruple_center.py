"""Quadruple center triplet loss (QCT), the metric loss of MSCMNet."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from mscm_lib.config import Pairing
from mscm_lib.errors import ConfigError
from mscm_lib.losses.common import (
    all_distances,
    full_precision,
    mean_of,
    mean_where,
    row_distances,
    row_labels,
    same_identity,
)

STREAMS: Literal[4] = 4
PAIRINGS: dict[str, tuple[int, ...]] = {
    "cross": (3, 2, 1, 0),  # V_g ↔ I_c, V_c ↔ I_g: other modality, other view
    "parallel": (2, 3, 0, 1),  # V_g ↔ I_g, V_c ↔ I_c: other modality, same view
    "own": (0, 1, 2, 3),  # the feature's own stream
}
"""For each stream, the stream whose centers its features approach."""


class QuadrupleCenterTerms(NamedTuple):
    """The parts of QCT, each (): dual- and quadruple-center, separation, share of active hinges."""

    dual: Tensor
    quadruple: Tensor
    separation: Tensor
    active: Tensor


class QuadrupleCenterTripletLoss(nn.Module):
    r"""QCT: features approach centers of the other modality, and leave those of others.

    With features f_i, i = 1 … n = 4B, in the order V_g, V_c, I_g, I_c, identities y_i, and
    Euclidean distance d:

    .. math::
        L = \tfrac12 [(1 - α) L_{dual} + α L_{quad} + L_{sep}]

        L_{dual} = \tfrac1n Σ_i d(f_i, c^{other\ modality}_{y_i}), \quad
        L_{quad} = \tfrac1n Σ_i d(f_i, c^{stream\ π(i)}_{y_i})

        L_{sep} = \tfrac1n Σ_i \operatorname{mean}_{j: y_j ≠ y_i} \max(0, m - d(f_i, c_{y_j}))

    where c^{other modality} is an identity's mean over both streams of the other modality,
    c^{stream} its mean over one stream, π the ``pairing``, and c its mean over all four streams.
    The separation's mean runs over features, so an identity counts as often as it has some. With a
    single identity in the batch the separation is zero.

    Source: quadruple center triplet loss of arXiv 2311.14395; α = 0 is what its public release
    computes, and "own" the pairing it would use with α > 0.

    Args:
        margin: m, in units of the distance.
        alpha: α, 0 (dual centers only) to 1 (quadruple centers only).
        pairing: which stream's centers a stream's features approach (`PAIRINGS`).

    Raises:
        ConfigError: a margin below 0, an α outside 0 to 1, an unknown pairing.
    """

    def __init__(
        self, margin: float = 0.7, alpha: float = 0.05, pairing: Pairing = "cross"
    ) -> None:
        super().__init__()
        if not margin >= 0:
            raise ConfigError(f"margin = {margin!r}: expected 0 or more")
        if not 0 <= alpha <= 1:
            raise ConfigError(f"alpha = {alpha!r}: expected a number from 0 to 1")
        if pairing not in PAIRINGS:
            raise ConfigError(f"pairing = {pairing!r}: expected one of {', '.join(PAIRINGS)}")
        self.margin, self.alpha, self.pairing = margin, alpha, pairing

    def forward(self, pooled: Tensor, labels: Tensor) -> Tensor:
        """The loss, () in float32 (float64 for float64 features).

        Args:
            pooled: (4B, D) features, stream by stream.
            labels: (4B,) identities, the same for every stream; or (B,) for one stream.

        Raises:
            ProtocolError: the rows are not four streams with the same labels.
        """
        dual, quadruple, separation, _ = self.terms(pooled, labels)
        return 0.5 * ((1 - self.alpha) * dual + self.alpha * quadruple + separation)

    def terms(self, pooled: Tensor, labels: Tensor) -> QuadrupleCenterTerms:
        """The loss's parts before they are weighted; arguments as in `forward`."""
        with full_precision(pooled) as features:
            labels = row_labels(features, labels, STREAMS)
            rows = torch.arange(len(features), device=features.device)
            stream = rows // (len(features) // STREAMS)  # (n,)
            same = same_identity(labels)  # (n, n)

            infrared = stream >= STREAMS // 2
            centers, some = mean_of(same & (infrared[:, None] != infrared), features)  # (n, D)
            dual = mean_where(row_distances(features, centers), some)

            paired = sum(  # (n,) stream of the center; whole numbers, no table on the device
                (stream == here) * there for here, there in enumerate(PAIRINGS[self.pairing])
            )
            centers, some = mean_of(same & (paired[:, None] == stream), features)  # type: ignore[index]
            quadruple = mean_where(row_distances(features, centers), some)

            centers, _ = mean_of(same, features)
            gaps = self.margin - all_distances(features, centers)  # (n, n)
            others = (~same).to(gaps.dtype)
            count = others.sum(dim=1).clamp_min(1)
            separation = ((functional.relu(gaps) * others).sum(dim=1) / count).mean()
            active = ((gaps.detach() > 0) & ~same).sum() / others.sum().clamp_min(1)
        return QuadrupleCenterTerms(dual, quadruple, separation, active)
