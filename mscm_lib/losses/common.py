"""What the metric losses share: number format, checks, distances, centers.

Rows come stream by stream, V_g, V_c, I_g, I_c or V_g, I_g: the first half is visible, the second
infrared. Of V_g, V_c, I_g two thirds are visible, which suits the losses that ask no row for its
modality. Nothing here loops over rows or waits for the device, and no shape depends on how many
identities a batch has, which only the device knows: a center is kept once for each row of it.
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


def row_labels(pooled: Tensor, labels: Tensor) -> Tensor:
    """A label for each row.

    Args:
        pooled: (n, D).
        labels: (n,), or those of one stream of two to four, to be repeated for the others.

    Returns:
        (n,)

    Raises:
        ProtocolError: features are no rows, or there are too few or too many labels.
    """
    if pooled.ndim != 2:
        raise ProtocolError(f"features of shape {tuple(pooled.shape)}: expected (n, D)")
    rows = len(pooled)
    for streams in (1, 2, 3, 4):
        if labels.shape == (rows / streams,):
            return labels.repeat(streams)
    raise ProtocolError(
        f"labels of shape {tuple(labels.shape)} for {rows} features: expected one a feature "
        f"({rows},), or those of one stream"
    )


def require(holds: Tensor, message: str) -> None:
    """Insist that ``holds``, () bool, is True.

    Raises:
        ProtocolError: it is False and lies on a CPU. On a GPU, and in a compiled graph, the device
            asserts it when it gets there, as a RuntimeError: nothing here waits for the device.
    """
    if holds.device.type == "cpu" and not torch.compiler.is_compiling():
        if not holds:
            raise ProtocolError(message)
    else:
        torch._assert_async(holds, message)


def infrared_rows(features: Tensor) -> Tensor:
    """(n,) True for the rows of the second half of ``features`` (n, D).

    Raises:
        ProtocolError: the rows have no two halves.
    """
    if len(features) % 2:
        raise ProtocolError(
            f"features of shape {tuple(features.shape)}: expected (n, D) with n even, the visible "
            "streams' rows before the infrared streams'"
        )
    return torch.arange(len(features), device=features.device) >= len(features) // 2


def same_identity(labels: Tensor) -> Tensor:
    """(n,) → (n, n), True where two rows show one identity."""
    return labels[:, None] == labels[None, :]


def mean_of(members: Tensor, features: Tensor) -> Tensor:
    """The mean feature of each set of rows.

    In float64, so that neither TF32 nor a reduced matrix-product precision reaches the centers.

    Args:
        members: (m, n) True where row j belongs to set i.
        features: (…, n, D).

    Returns:
        (…, m, D) means in the features' number format, zeros for empty sets.
    """
    weights = members.double()
    weights = weights / weights.sum(dim=1, keepdim=True).clamp_min(1)
    return (weights @ features.double()).to(features.dtype)


def row_distances(a: Tensor, b: Tensor) -> Tensor:
    """Euclidean distance of each row of ``a`` to the same row of ``b``: (…, D), (…, D) → (…)."""
    return (a - b).square().sum(dim=-1).clamp_min(FLOOR).sqrt()


def all_distances(a: Tensor, b: Tensor) -> Tensor:
    """Euclidean distances (n, D), (m, D) → (n, m), summed term by term.

    The matrix-product form would be faster and lose half the digits of small distances.
    """
    distances = torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")
    return distances.clamp_min(FLOOR**0.5)


def hinge(near: Tensor, far: Tensor, allowed: Tensor, margin: float) -> Tensor:
    """max(0, margin + near − the smallest allowed far), zero where none is allowed: (n,).

    Args:
        near: (n,) distances to be small.
        far: (n, m) distances to be large.
        allowed: (n, m) which of them count.
        margin: in units of the distance.
    """
    nearest = far.masked_fill(~allowed, float("inf")).amin(dim=1)
    return functional.relu(margin + near - nearest)


def weighted_mean(values: Tensor, weights: Tensor) -> Tensor:
    """Mean of ``values`` (n,) under ``weights`` (n,); zero where all weights are."""
    total = weights.sum()
    return (values * weights).sum() / torch.where(total > 0, total, torch.ones_like(total))
