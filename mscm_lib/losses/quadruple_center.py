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
        """The loss, () in float32 (float64 for float64 features); zero for no rows.

        Args:
            pooled: (4B, D) features, stream by stream.
            labels: (4B,) identities, the same for every stream; or (B,) for one stream.

        Raises:
            ProtocolError: the rows are not four streams, or the streams' labels differ (on a GPU
                the device asserts the latter).
        """
        if not len(pooled):
            return pooled.sum()
        dual, quadruple, hinges, others = self._measure(pooled, labels)
        centers = (1 - self.alpha) * dual.mean() + self.alpha * quadruple.mean()
        return 0.5 * (centers + _separation(hinges, others))

    @torch.no_grad()
    def terms(self, pooled: Tensor, labels: Tensor) -> QuadrupleCenterTerms:
        """The loss's parts before they are weighted, for watching; arguments as in `forward`."""
        dual, quadruple, hinges, others = self._measure(pooled, labels)
        active = ((hinges > 0) & others).sum() / others.sum().clamp_min(1)
        separation = _separation(hinges, others)
        return QuadrupleCenterTerms(dual.mean(), quadruple.mean(), separation, active)

    def _measure(self, pooled: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Dual and quadruple distances (4, B); hinges (4B, B) and which of them count (4B, B).

        Column b of the latter two is the center of the identity of pair b over all streams. The
        four streams have the same labels, so the mean over pairs is the mean over features.
        """
        with full_precision(pooled) as features:
            labels = self._pair_labels(features, labels)  # (B,)
            streams = features.unflatten(0, (STREAMS, len(labels)))  # (4, B, D)
            same = same_identity(labels)  # (B, B)
            centers = mean_of(same, streams)  # (4, B, D), of pair b's identity in each stream
            visible, infrared = centers[:2].mean(dim=0), centers[2:].mean(dim=0)  # (B, D)
            dual = row_distances(streams, torch.stack([infrared, infrared, visible, visible]))
            paired = torch.stack([centers[stream] for stream in PAIRINGS[self.pairing]])
            quadruple = row_distances(streams, paired)
            distances = all_distances(features, centers.mean(dim=0))  # (4B, B)
            hinges = functional.relu(self.margin - distances)
            return dual, quadruple, hinges, ~same.repeat(STREAMS, 1)

    def _pair_labels(self, features: Tensor, labels: Tensor) -> Tensor:
        """(B,) labels of one stream, checked to be those of all four."""
        labels = row_labels(features, labels)
        if len(labels) % STREAMS:
            raise ProtocolError(
                f"features of shape {tuple(features.shape)}: expected (4B, D), the rows of V_g, "
                "V_c, I_g, I_c in this order"
            )
        streams = labels.unflatten(0, (STREAMS, -1))  # (4, B)
        require(
            (streams == streams[0]).all(),
            "the labels of the four streams differ: rows must come stream by stream (all of V_g, "
            "then V_c, I_g, I_c), each with the same identities in the same order",
        )
        return streams[0]


def _separation(hinges: Tensor, others: Tensor) -> Tensor:
    """Mean over features of the mean hinge of other identities; 0 where there is no other."""
    return ((hinges * others).sum(dim=1) / others.sum(dim=1).clamp_min(1)).mean()
