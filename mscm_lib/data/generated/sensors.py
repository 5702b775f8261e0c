"""From light to bytes: optics, exposure, noise and quantisation of the three sensors.

Everything after the exposure works on integers, so that the same image has the same bytes on any
machine.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from mscm_lib.data.generated.cameras import Camera
from mscm_lib.data.generated.canvas import Plane
from mscm_lib.data.generated.randomness import normal_noise
from mscm_lib.data.generated.shots import Shot

_SCALE = 16  # sub-levels of a grey level until the final rounding
Levels = npt.NDArray[np.int32]


def expose(
    planes: Plane, camera: Camera, shot: Shot, generator: np.random.Generator | None
) -> npt.NDArray[np.uint8]:
    """The image that ``camera`` delivers of the scene ``planes``.

    Args:
        planes: (C, H, W) reflectance or temperature, 0 to 1; changed in place.
        camera: its exposure, balance, blur and noise.
        shot: its light and motion.
        generator: of the noise; None: an image without noise.

    Returns:
        (H, W, 3) bytes; a one-channel sensor's three channels are equal.
    """
    height = planes.shape[1]
    if camera.sensor == "visible":
        exposure = camera.gain * shot.light
        for channel, gain in enumerate((camera.balance[0], 1.0, camera.balance[1])):
            planes[channel] *= exposure * gain
    elif camera.sensor == "near-infrared":
        planes *= _illumination(planes.shape[1], planes.shape[2], shot.backdrop)
        planes *= camera.gain * (0.5 + 0.5 * shot.light)
    else:  # a microbolometer sets its own level and span
        planes *= 0.86 * camera.gain
        planes += np.float32(0.05 + 0.25 * (shot.light - 1))
    top = 255 * _SCALE
    levels = (np.clip(planes, 0, 1) * top).astype(np.int32)
    taps = _taps(camera.softness * height)
    levels = _smooth(_smooth(levels, taps, 1), taps, 2)
    motion = round(shot.blur * height)
    if motion > 1:
        levels = _smooth(levels, (1,) * motion, 2)
    if generator is not None:
        levels += _noise(levels, camera, generator)
    image = np.clip((levels + _SCALE // 2) // _SCALE, 0, 255).astype(np.uint8)
    if image.shape[0] == 1:
        return np.repeat(image[0][:, :, None], 3, axis=2)
    return np.ascontiguousarray(image.transpose(1, 2, 0))


def _noise(levels: Levels, camera: Camera, generator: np.random.Generator) -> Levels:
    """Gaussian noise; on a thermal sensor also a fixed offset of every column."""
    strength = round(camera.noise * 255 * _SCALE)  # of one standard deviation, 64 steps of a table
    noise = normal_noise(generator, levels.shape).astype(np.int32) * strength // 64
    if camera.sensor == "thermal":
        columns = normal_noise(generator, (1, 1, levels.shape[2])).astype(np.int32)
        noise = noise + columns * strength // 96
    return noise


@lru_cache(maxsize=32)
def _falloff(height: int, width: int, centre: int) -> Plane:
    y = (np.arange(height, dtype=np.float32)[:, None] / np.float32(height)) - np.float32(0.42)
    x = (np.arange(width, dtype=np.float32) - np.float32(centre)) / np.float32(height)
    squared = x * x * np.float32(3.2) + y * y * np.float32(1.5)
    return np.float32(1.12) / (1 + squared)


def _illumination(height: int, width: int, place: float) -> Plane:
    """The active illuminator's cone, whose axis is somewhere in the middle third."""
    return _falloff(height, width, round(width * (1 + round(8 * place) / 8) / 3))


@lru_cache(maxsize=64)
def _taps(sigma: float) -> tuple[int, ...]:
    """Whole-number weights of a Gaussian of ``sigma`` pixels."""
    if sigma < 0.2:
        return (1,)
    reach = max(1, math.ceil(2.2 * sigma))
    return tuple(round(64 * math.exp(-0.5 * (i / sigma) ** 2)) for i in range(-reach, reach + 1))


def _smooth(levels: Levels, taps: tuple[int, ...], axis: int) -> Levels:
    """Convolution along an axis with repeated edges, rounded down."""
    if len(taps) == 1:
        return levels
    before = (len(taps) - 1) // 2
    pad = [(0, 0)] * 3
    pad[axis] = (before, len(taps) - 1 - before)
    padded = np.pad(levels, pad, mode="edge")
    length = levels.shape[axis]
    total = np.zeros_like(levels)
    index: list[slice] = [slice(None)] * 3
    for offset, weight in enumerate(taps):
        if weight:
            index[axis] = slice(offset, offset + length)
            total += padded[tuple(index)] * weight
    return total // sum(taps)
