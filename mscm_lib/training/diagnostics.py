"""Signs of a healthy training, taken from a step now and then.

One for each way in which this network is known to fail: streams that do not differ, separation
hinges that are all slack or all taut, parts that get no gradient.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mscm_lib.models.streams import VIEWS, QuadrupleStream, arranged

PAIRS = {"visible": ("v_g", "v_c"), "infrared": ("i_g", "i_c"), "modalities": ("v_g", "i_g")}
"""Streams compared: both views of a modality, and the global views of the two modalities."""

PLACES = ("stem", "pooled")
"""Where in the network they are compared."""

PRODUCTS = ("xy", "xx", "yy")
"""What the comparison of two streams x and y is made of."""


def gradient_norms(network: nn.Module) -> dict[str, Tensor]:
    """``gradient_<part>`` for each direct part of ``network``, its gradient's Euclidean norm."""
    norms = {}
    for name, part in network.named_children():
        gradients = [p.grad for p in part.parameters() if p.grad is not None]
        if gradients:
            norms[f"gradient_{name}"] = torch.stack(torch._foreach_norm(gradients)).norm()
    return norms


def active_separation(pooled: Tensor, streams: int, images: int, margin: float) -> Tensor:
    """Share of the separation term's hinges that are active, () in [0, 1].

    A hinge belongs to a feature and the center of another identity over all streams, and is active
    where their Euclidean distance is below ``margin``.

    Args:
        pooled: (S·P·K, C) features, stream by stream, identity by identity.
        streams: S.
        images: K, images of an identity in a stream.
        margin: of the separation term.
    """
    by_identity = pooled.view(streams, -1, images, pooled.shape[1])  # (S, P, K, C)
    centers = by_identity.mean(dim=(0, 2))  # (P, C)
    near = torch.cdist(pooled, centers) < margin  # (n, P)
    identities = len(centers)
    own = torch.arange(identities, device=pooled.device).repeat_interleave(images).repeat(streams)
    others = own[:, None] != torch.arange(identities, device=pooled.device)
    return (near & others).sum() / others.sum()


def stem_maps(streams: QuadrupleStream, views: tuple[Tensor, ...]) -> Tensor:
    """The stems' output for a step's views, once more, without moving running statistics.

    Args:
        streams: the network's, in training mode.
        views: V_g, V_c, I_g, I_c, or fewer (`VIEWS`), each (B, 3, H, W).

    Returns:
        (S·B, C, H/4, W/4), S the number of views.
    """
    streams.eval()
    maps = streams(arranged(views))
    streams.train()
    return maps


def stream_similarities(stems: Tensor, pooled: Tensor, streams: int) -> dict[str, Tensor]:
    """``<place>_<pair>_<product>``: what `alignments` finds after the stems and after pooling."""
    return {
        f"{place}_{pair}_{name}": value
        for place, features in zip(PLACES, (stems, pooled), strict=True)
        for pair, sums in alignments(features, streams).items()
        for name, value in zip(PRODUCTS, sums, strict=True)
    }


def alignments(features: Tensor, streams: int) -> dict[str, Tensor]:
    """What linear CKA of each pair of `PAIRS` is made of, to be summed over batches.

    Args:
        features: (S·B, …), stream by stream; row i of each stream shows the same identity.
        streams: S, 2 to 4.

    Returns:
        For each pair, (3,): unbiased HSIC of (x, y), (x, x), (y, y). Sums over batches estimate
        the whole set's without the bias of small batches; `similarity` makes the ratio.

    Pooled features share a mean that is large beside what sets them apart. HSIC does not depend on it,
    but sums of its products would keep no digit of the rest in float32.

    Source: Song et al., JMLR 2012 (unbiased HSIC); Nguyen et al., ICLR 2021 (minibatch CKA).
    """
    names = VIEWS[streams]
    rows = features.flatten(1).float().unflatten(0, (streams, -1))  # (S, B, D)
    rows = rows - rows.mean(dim=1, keepdim=True)  # changes nothing but the digits that cancel
    grams = {name: _gram(x) for name, x in zip(names, rows, strict=True)}
    return {
        pair: torch.stack([_hsic(grams[a], grams[b]) for a, b in ((x, y), (x, x), (y, y))])
        for pair, (x, y) in PAIRS.items()
        if x in grams and y in grams
    }


def counted(found: dict[str, Tensor]) -> dict[str, Tensor]:
    """``found`` with ``diagnosed`` = 1; zeros where a value is not finite.

    So a step whose gradients overflow, which the scaler skips, adds nothing to an epoch's sums.
    """
    finite = torch.stack(list(found.values())).isfinite().all()
    kept = {name: torch.where(finite, value, 0) for name, value in found.items()}
    return kept | {"diagnosed": finite}


def similarity(sums: list[float]) -> float:
    """Linear CKA from summed `alignments`: 1 for features alike up to rotation and scale."""
    cross, first, second = sums
    product_ = first * second
    return cross / product_**0.5 if product_ > 0 else float("nan")


def _gram(x: Tensor) -> Tensor:
    """(B, D) → (B, B) inner products with an empty diagonal."""
    gram = (x @ x.T).double()
    return gram - torch.diag(gram.diagonal())


def _hsic(k: Tensor, other: Tensor) -> Tensor:
    n = len(k)
    trace = (k * other).sum()
    total = k.sum() * other.sum() / ((n - 1) * (n - 2))
    mixed = 2 * (k.sum(0) @ other.sum(0)) / (n - 2)
    return (trace + total - mixed) / (n * (n - 3))
