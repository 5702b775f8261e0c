"""Which features can be ranked by: one rule wherever features enter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mscm_lib.errors import ProtocolError

_FLOAT32 = np.finfo(np.float32)
SHORTEST, LONGEST = float(_FLOAT32.tiny) ** 0.5, float(_FLOAT32.max) ** 0.5 / 2
"""Lengths between which float32 can square, normalise and subtract features."""


def check_usable(values: Any, name: Callable[[int], str], direction: bool = True) -> Any:
    """The lengths (N,) of (N, D) features, once every one of them is found usable.

    Args:
        values: float32 or float64, NumPy's or PyTorch's, on any device.
        name: what a row is called in an error.
        direction: whether only the direction counts, which a feature of length 0 does not have.

    Raises:
        ProtocolError: a feature is not finite, or so long or short that scores of it would be
            infinite or arbitrary.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        lengths = (values * values).sum(1) ** 0.5
    bad = ~(lengths <= LONGEST)  # true of NaN as well
    if direction:
        bad |= ~(lengths >= SHORTEST)
    if bad.any():
        row = int(bad.nonzero()[0][0])
        length = f"of length {float(lengths[row]):.1e}" if lengths[row] < LONGEST else "too long"
        finite = np.isfinite(values[row].tolist()).all()
        raise ProtocolError(
            f"{name(row)} is {length if finite else 'not finite'} ({int(bad.sum())} of "
            f"{len(values)} features at hand are so): it cannot be ranked by. The network that made "
            "it has diverged, or its input was broken"
        )
    return lengths
