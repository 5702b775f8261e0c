"""What the metric losses share: number format, label order, distances, centers.

Rows come stream by stream, V_g, V_c, I_g, I_c or V_g, I_g: the first half is visible, the second
infrared.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.nn import functional

from mscm_lib.errors import ProtocolError

FLOOR = 1e-12
"""Squared distances are not taken below this, so that the root's gradient stays finite."""


@contextmanager
def full_precision(features: Tensor) -> Iterator[Tensor]:
    """Leave autocast and hand on ``features`` in float32 (float64 stays float64)."""
    with torch.autocast(features.device.type, enabled=False):
        yield features if features.dtype is torch.float64 else features.float()


def row_labels(pooled: Tensor, labels: Tensor, streams: int) -> Tensor:
    """Labels of every row, checked to be the same in every stream.

    Args:
        pooled: (n, D).
        labels: (n,), or (n / streams,) for one stream.
        streams: that n divides into.

    Returns:
        (n,)

    Raises:
        ProtocolError: the rows do not divide into the streams, there are too few or too many
            labels, or the streams' labels differ. On a GPU the last is asserted on the device
            and so raised as a device error: nothing here waits for the device.
    """
    rows = len(pooled)
    if pooled.ndim != 2 or rows % streams or not rows:
        raise ProtocolError(
            f"features of shape {tuple(pooled.shape)}: expected (n, D) with n a multiple of "
            f"{streams}, one block of rows for each stream"
        )
    if labels.shape == (rows // streams,):
        return labels.repeat(streams)
    if labels.shape != (rows,):
        raise ProtocolError(
            f"labels of shape {tuple(labels.shape)} for {rows} features: expected ({rows},), or "
            f"({rows // streams},) for one of the {streams} streams"
        )
    blocks = labels.view(streams, -1)  # (streams, n / streams)
    alike = (blocks == blocks[0]).all()
    if labels.device.type == "cpu":
        if not alike:
            raise ProtocolError(
                f"the labels of the {streams} streams differ: rows must come stream by stream "
                "(all of V_g, then V_c, I_g, I_c) with the same identities in the same order"
            )
    else:
        torch._assert_async(alike)
    return labels


def same_identity(labels: Tensor) -> Tensor:
    """(n,) → (n, n), True where two rows show one identity."""
    return labels[:, None] == labels[None, :]


def mean_of(members: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
    """The mean feature of each set of rows, and whether the set has any.

    Args:
        members: (m, n) True where row j belongs to set i.
        features: (n, D).

    Returns:
        (m, D) means, zeros for empty sets; (m,) True where the set is not empty.
    """
    weights = members.to(features.dtype)
    count = weights.sum(dim=1, keepdim=True)
    return (weights / count.clamp_min(1)) @ features, count[:, 0] > 0


def row_distances(a: Tensor, b: Tensor) -> Tensor:
    """Euclidean distance of each row of ``a`` to the same row of ``b``: (n, D), (n, D) → (n,)."""
    return (a - b).pow(2).sum(dim=1).clamp_min(FLOOR).sqrt()


def all_distances(a: Tensor, b: Tensor) -> Tensor:
    """Euclidean distances (n, D), (m, D) → (n, m), summed term by term.

    The matrix-product form would be faster and lose half the digits of small distances. The
    gradient at distance zero is zero.
    """
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")


def mean_where(values: Tensor, valid: Tensor) -> Tensor:
    """The mean of ``values`` where ``valid``; zero, with zero gradient, where nothing is."""
    kept = torch.where(valid, values, torch.zeros_like(values))
    return kept.sum() / valid.sum().clamp_min(1)


def hinge(near: Tensor, far: Tensor, allowed: Tensor, margin: float) -> Tensor:
    """max(0, margin + near − the smallest allowed far), zero where none is allowed: (n,).

    Args:
        near: (n,) distances to be small.
        far: (n, m) distances to be large.
        allowed: (n, m) which of them count.
        margin: in units of the distance.
    """
    nearest = far.masked_fill(~allowed, float("inf")).min(dim=1).values
    some = allowed.any(dim=1)
    gap = near - torch.where(some, nearest, torch.zeros_like(nearest))
    return torch.where(some, functional.relu(margin + gap), torch.zeros_like(gap))
