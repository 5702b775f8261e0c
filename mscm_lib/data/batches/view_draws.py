"""The random choices behind a batch's augmented views, apart from the pixels they act on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mscm_lib.data.batches.counters import Purpose, uniforms

STREAMS = ("v_g", "v_c", "i_g", "i_c")
"""Visible global, visible channel, infrared global, infrared channel: the order everywhere."""

ERASING_TRIES = 100
ERASED_AREA = (0.02, 0.4)  # share of the image
ERASED_ASPECT = (0.3, 1 / 0.3)  # height over width
BRIGHTNESS = (0.5, 1.5)
HALF_SCALE = (0.01, 0.5)  # u of the channel scale 2u
KEEP, SECOND_CHANNEL, LUMA = 0, 1, 2
"""What becomes of an infrared global view's channels."""

_SHARED = 6  # numbers for crop, flip and erasing's yes or no and place
_OWN = 6  # at most this many numbers for what only one stream does
_NUMBERS = _SHARED + _OWN + 2 * ERASING_TRIES  # of one view; a multiple of counters.BLOCK


class Geometry(NamedTuple):
    """Where one stream's views are cut, mirrored and erased; each entry is (B,), whole numbers.

    Attributes:
        top: first row of the crop in the padded image.
        left: first column of the crop in the padded image.
        flip: 1 where the crop is mirrored left to right.
        erase_top: first erased row.
        erase_left: first erased column.
        erase_height: erased rows; 0 erases nothing.
        erase_width: erased columns.
    """

    top: Tensor
    left: Tensor
    flip: Tensor
    erase_top: Tensor
    erase_left: Tensor
    erase_height: Tensor
    erase_width: Tensor


class Colour(NamedTuple):
    """What happens to the colours of each pair's views; each entry is (B,) unless said otherwise.

    Attributes:
        gray: V_g: 1 where the image is made gray.
        channel: V_c: the channel (0, 1, 2) that all three become.
        mix: I_g: `KEEP`, `SECOND_CHANNEL` or `LUMA`.
        brightness: I_c: factor of the image's brightness.
        scale: I_c: (3, B) factor of each channel.
    """

    gray: Tensor
    channel: Tensor
    mix: Tensor
    brightness: Tensor
    scale: Tensor


_PLACES = len(Geometry._fields)
_COLOURS = 4 + 3  # rows of Colour


@dataclass(frozen=True)
class ViewDraws:
    """Every choice for the four views of B pairs, in one tensor that moves with one copy.

    Attributes:
        numbers: (4·7 + 7, B) float32: `Geometry` stream by stream, then `Colour`. Whole numbers up
            to 2^24 are exact.
    """

    numbers: Tensor

    def geometry(self, stream: str) -> Geometry:
        """Where the views of ``stream`` (of `STREAMS`) are cut, mirrored and erased."""
        first = STREAMS.index(stream) * _PLACES
        return Geometry(*self.numbers[first : first + _PLACES].unbind(0))

    @property
    def colour(self) -> Colour:
        """What happens to colours."""
        gray, channel, mix, brightness, *_ = self.numbers[-_COLOURS:].unbind(0)
        return Colour(gray, channel, mix, brightness, self.numbers[-3:])

    def to(self, device: torch.device | str, non_blocking: bool = False) -> ViewDraws:
        """The same choices on ``device``."""
        return ViewDraws(self.numbers.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> ViewDraws:
        """The same choices in page-locked memory."""
        return ViewDraws(self.numbers.pin_memory())


def draw_views(
    seed: int, epoch: int, step: int, count: int, first: int, height: int, width: int, padding: int
) -> ViewDraws:
    """Choices for the views of pairs ``first`` to ``first + count`` of a step's global batch.

    A pair's choices depend on (seed, epoch, step, its position in the global batch) alone, so
    processes that share a batch make the same pixels as one process does.

    Args:
        seed: of the run.
        epoch: from 0.
        step: of the epoch, from 0.
        count: B, pairs.
        first: position of the first pair in the global batch.
        height: of the images in pixels.
        width: of the images in pixels.
        padding: pixels of zeros around an image before it is cropped back to its size.
    """
    length = len(STREAMS) * _NUMBERS
    flat = uniforms(Purpose.VIEWS, seed, (epoch, step), count * length, offset=first * length)
    u = flat.reshape(count, len(STREAMS), _NUMBERS)
    places = _places(u, height, width, padding)  # (B, 4, 7)
    table = np.concatenate([places.reshape(count, -1), _colours(u[..., _SHARED:])], axis=1)
    return ViewDraws(torch.from_numpy(np.ascontiguousarray(table.T, dtype=np.float32)))


Floats = npt.NDArray[np.float64]


def _between(u: Floats, low: float, high: float) -> Floats:
    return low + (high - low) * u


def _places(u: Floats, height: int, width: int, padding: int) -> Floats:
    """(B, 4, numbers) → (B, 4, 7), the fields of `Geometry`."""
    choices = 2 * padding + 1
    tall, wide = _erased_size(u[..., _SHARED + _OWN :], height, width)
    tall = np.where(u[..., 3] < 0.5, tall, 0)
    fields = [
        np.floor(u[..., 0] * choices),
        np.floor(u[..., 1] * choices),
        u[..., 2] < 0.5,
        np.floor(u[..., 4] * (height - tall + 1)),
        np.floor(u[..., 5] * (width - wide + 1)),
        tall,
        wide,
    ]
    return np.stack(fields, axis=-1)


def _erased_size(u: Floats, height: int, width: int) -> tuple[Floats, Floats]:
    """(…, 2·tries) → height and width (…) of the first try that fits, 0 where none does."""
    area = _between(u[..., :ERASING_TRIES], *ERASED_AREA) * (height * width)
    aspect = _between(u[..., ERASING_TRIES:], *ERASED_ASPECT)
    tall, wide = np.rint(np.sqrt(area * aspect)), np.rint(np.sqrt(area / aspect))
    fits = (tall < height) & (wide < width)
    first = fits.argmax(axis=-1)[..., None]  # 0 where none fits, which `found` undoes
    found = fits.any(axis=-1)
    tall = np.take_along_axis(tall, first, -1)[..., 0] * found
    wide = np.take_along_axis(wide, first, -1)[..., 0] * found
    return tall, wide


def _colours(u: Floats) -> Floats:
    """(B, 4, numbers) → (B, 7), the fields of `Colour`; each stream has numbers of its own."""
    v_g, v_c, i_g, i_c = (u[:, i] for i in range(len(STREAMS)))
    mix = np.where(i_g[:, 0] < 0.5, SECOND_CHANNEL, np.where(i_g[:, 1] < 0.5, LUMA, KEEP))
    scale = np.where(i_c[:, 1:2] < 0.5, 2 * _between(i_c[:, 2:5], *HALF_SCALE), 1.0)
    fields = [
        v_g[:, :1] < 0.5,
        np.floor(v_c[:, :1] * 3),
        mix[:, None],
        _between(i_c[:, :1], *BRIGHTNESS),
        scale,
    ]
    return np.concatenate(fields, axis=1)
