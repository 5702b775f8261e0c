"""Quadruple center triplet loss (QCT), the metric loss of MSCMNet."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from mscm_lib.config import Pairing
from mscm_lib.errors import ConfigError, ProtocolError
from mscm_lib.losses.common import (
    all_distances,
    full_precision,
    mean_of,
    require,
    row_distances,
    row_labels,
    same_identity,
    weighted_mean,
)

STREAMS = 4
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
    single identity in the batch the separation is zero. Where the batch has an identity in one
    modality alone, its features miss a center to approach: they do not count in that mean, and
    are separated from the others all the same.

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
        """The loss, () in float32 (float64 for float64 features); zero for no rows.

        Args:
            pooled: (4B, D) features, stream by stream.
            labels: (4B,) identities, row b of each stream the same; or (B,) for one stream.

        Raises:
            ProtocolError: the rows are not four streams, or their labels are not in the streams'
                order (on a GPU the device asserts the latter).
        """
        if not len(pooled):
            return pooled.sum()
        dual, quadruple, separation, _ = self._measure(pooled, labels)
        return 0.5 * ((1 - self.alpha) * dual + self.alpha * quadruple + separation)

    @torch.no_grad()
    def terms(self, pooled: Tensor, labels: Tensor) -> QuadrupleCenterTerms:
        """The loss's parts before they are weighted, for watching; arguments as in `forward`."""
        return self._measure(pooled, labels)

    def _measure(self, pooled: Tensor, labels: Tensor) -> QuadrupleCenterTerms:
        with full_precision(pooled) as features:
            labels = self._stream_labels(features, labels)  # (4, B)
            rows = torch.arange(labels.numel(), device=labels.device).view_as(labels)
            stream = rows // labels.shape[1]  # (4, B) 0, …; 1, …; 2, …; 3, …
            paired = torch.stack([stream[place] for place in PAIRINGS[self.pairing]])
            same = same_identity(labels.flatten())  # (n, n)
            across = (stream >= 2).view(-1, 1) != (stream >= 2).view(1, -1)
            along = paired.view(-1, 1) == stream.view(1, -1)
            dual = _approach(features, same & across)
            quadruple = _approach(features, same & along)
            # Rows of both views show the same identity: the centers of one view's rows will do.
            members = same.unflatten(0, (STREAMS, -1))[::2].flatten(0, 1)  # (2B, n)
            distances = all_distances(features, mean_of(members, features))  # (n, 2B)
            hinges = functional.relu(self.margin - distances)
            others = ~members.T  # (n, 2B)
            separation = (hinges * others).sum(dim=1) / others.sum(dim=1).clamp_min(1)
            active = ((hinges > 0) & others).sum() / others.sum().clamp_min(1)
            return QuadrupleCenterTerms(dual, quadruple, separation.mean(), active)

    def _stream_labels(self, features: Tensor, labels: Tensor) -> Tensor:
        """(4, B) labels, checked to come stream by stream.

        The two views of a modality show the same images, so their labels are equal. The two
        modalities' labels are equal too, or the batch has other people in one than in the other;
        the same people in another order, or no person in common, is a batch in a wrong order.
        """
        labels = row_labels(features, labels)
        if len(labels) % STREAMS:
            raise ProtocolError(
                f"features of shape {tuple(features.shape)}: expected (4B, D), the rows of V_g, "
                "V_c, I_g, I_c in this order"
            )
        streams = labels.unflatten(0, (STREAMS, -1))  # (4, B)
        visible, infrared = streams[0], streams[2]
        views = (streams[1] == visible).all() & (streams[3] == infrared).all()
        permuted = (visible.sort().values == infrared.sort().values).all()
        shared = (visible[:, None] == infrared[None, :]).any()
        require(
            views & ((visible == infrared).all() | (shared & ~permuted)),
            "the labels of the four streams differ: rows must come stream by stream (all of V_g, "
            "then V_c, I_g, I_c), each with the same identities in the same order",
        )
        return streams


def _approach(features: Tensor, members: Tensor) -> Tensor:
    """Mean distance of the features (n, D) to the means of their members (n, n); 0 without any."""
    distances = row_distances(features, mean_of(members, features))  # (n,)
    return weighted_mean(distances, members.any(dim=1).to(distances.dtype))
