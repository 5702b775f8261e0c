"""Random numbers by position: any draw can be made again without the ones before it."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import numpy.typing as npt

from mscm_lib.errors import ConfigError

BLOCK = 4
"""Philox makes four numbers at a time: an offset is a multiple of it."""


class Purpose(IntEnum):
    """What numbers are for; the same seed gives each purpose numbers of its own."""

    BATCHES = 1
    VIEWS = 2


def uniforms(
    purpose: Purpose, seed: int, position: tuple[int, int], count: int, offset: int = 0
) -> npt.NDArray[np.float64]:
    """``count`` uniform numbers in [0, 1) of the stream that (purpose, seed, position) names.

    They are the top 53 bits of Philox4x64-10, whose output is defined bit by bit: the same on
    every machine and under every version of NumPy.

    Args:
        purpose: what the numbers are for.
        seed: of the run, from 0 to 2^64 − 1.
        position: two counters, such as epoch and step; each pair has a stream of 2^128 blocks.
        count: how many numbers.
        offset: number of the first one in its stream, a multiple of `BLOCK`.

    Raises:
        ConfigError: the seed is out of range.

    Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
    """
    if not 0 <= seed < 2**64:
        raise ConfigError(f"seed = {seed!r}: expected a whole number from 0 to 2^64 - 1")
    counter = np.array([offset // BLOCK, 0, *position], dtype=np.uint64)
    key = np.array([seed, purpose], dtype=np.uint64)
    raw = np.random.Philox(counter=counter, key=key).random_raw(count)
    return (raw >> np.uint64(11)).astype(np.float64) * 2.0**-53
