"""Counter-based random streams: any draw can be made again without the ones before it."""

from __future__ import annotations

import hashlib
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

_NOISE_LEVELS = 256


def stream(seed: int, *key: str | int) -> np.random.Generator:
    """A generator that belongs to ``key`` alone.

    Philox is counter based and its output is defined bit by bit, so the same key gives the same
    numbers in any process, in any order, on any machine.
    """
    text = "/".join(str(part) for part in (seed, *key))
    digest = hashlib.blake2b(text.encode("utf-8"), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little")))


def _normal_quantiles() -> npt.NDArray[np.int16]:
    """Quantiles of the standard normal in 1/64 steps: whole numbers, the same on every machine."""
    normal = NormalDist()
    values = [normal.inv_cdf((i + 0.5) / _NOISE_LEVELS) * 64 for i in range(_NOISE_LEVELS)]
    return np.array([round(v) for v in values], dtype=np.int16)


_QUANTILES = _normal_quantiles()


def normal_noise(generator: np.random.Generator, shape: tuple[int, ...]) -> npt.NDArray[np.int16]:
    """Gaussian noise of unit variance in steps of 1/64, from one random byte a value."""
    count = int(np.prod(shape))
    noise = np.frombuffer(generator.bytes(count), dtype=np.uint8)
    return _QUANTILES[noise].reshape(shape)
