"""Operations on a batch of images, each sample with its own choice; no loop, no host waiting.

Choices between two numbers are linear interpolations with a weight of exactly 0 or 1, which leave
or replace a number to the bit, in place and faster than a mask does.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from mscm_lib.data.batches.view_draws import KEEP, SECOND_CHANNEL, Geometry
from mscm_lib.errors import DataError

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
"""ImageNet's mean and standard deviation of R, G, B in [0, 1]."""

ERASED = (0.4914, 0.4822, 0.4465)
"""What an erased pixel holds, after normalisation."""

GRAY_LUMA = (19595, 38470, 7471)
"""ITU-R 601-2 luma in 1/65536, as Pillow converts RGB to L."""

INFRARED_LUMA = (0.2989, 0.5870, 0.1140)
"""The luma mix of infrared global views."""


class _Constants(NamedTuple):
    """The method's numbers as tensors, (3, 1, 1) each, made once a device: no copy in a step."""

    scale: Tensor
    shift: Tensor
    erased: Tensor


@lru_cache
def _constants(device: torch.device) -> _Constants:
    scale = [1 / (255 * std) for std in STD]
    shift = [mean / std for mean, std in zip(MEAN, STD, strict=True)]
    return _Constants(
        *(
            torch.tensor(n, dtype=torch.float32, device=device).view(3, 1, 1)
            for n in (scale, shift, ERASED)
        )
    )


def planes(images: Tensor) -> Tensor:
    """(B, H, W, 3) uint8, as packed → (B, 3, H, W), channel by channel in memory.

    Raises:
        DataError: the images are not uint8 or not (B, H, W, 3).
    """
    if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[-1] != 3:
        raise DataError(
            f"images are {images.dtype} of shape {tuple(images.shape)}: expected torch.uint8 of "
            "shape (B, H, W, 3), as packed"
        )
    return images.permute(0, 3, 1, 2).contiguous()


def crop_flip(images: Tensor, place: Geometry, padding: int, flip: bool) -> Tensor:
    """Zero-pad, cut back to size at each sample's place, mirror: whole numbers in [0, 255].

    Args:
        images: (B, 3, H, W) uint8.
        place: where each sample is cut, and whether it is mirrored.
        padding: pixels on each side; 0 leaves images in place, whatever ``place`` says.
        flip: whether to mirror at all.

    Returns:
        (B, 3, H, W) float32.
    """
    batch, channels, height, width = images.shape
    device = images.device
    columns = torch.arange(width, device=device).expand(batch, width)
    if flip:
        columns = torch.where(place.flip[:, None] > 0, width - 1 - columns, columns)
    if padding:
        images = functional.pad(images, [padding] * 4)  # (B, 3, H + 2p, W + 2p)
        columns = columns + place.left.long()[:, None]
        first = torch.arange(batch * channels, device=device).view(batch, channels, 1)
        within = torch.arange(height, device=device) + place.top.long()[:, None, None]
        rows = (first * (height + 2 * padding) + within).flatten()  # (B, 3, H) → (B·3·H,)
        images = images.flatten(0, 2).index_select(0, rows)
        images = images.view(batch, channels, height, width + 2 * padding)
    if padding or flip:
        images = images.gather(3, columns[:, None, None].expand(-1, channels, height, -1))
    return images.float()


def normalise(x: Tensor) -> Tensor:
    """(B, 3, H, W) in [0, 255] → scaled to [0, 1], less the mean, over the deviation; in place."""
    numbers = _constants(x.device)
    return x.mul_(numbers.scale).sub_(numbers.shift)


def erase(x: Tensor, place: Geometry) -> Tensor:
    """Fill each sample's rectangle of normalised ``x`` (B, 3, H, W) with `ERASED`; in place."""
    height, width = x.shape[2:]
    rows = _inside(height, place.erase_top, place.erase_height)[:, None, :, None]
    columns = _inside(width, place.erase_left, place.erase_width)[:, None, None]
    return x.lerp_(_constants(x.device).erased, rows * columns)  # weights (B, 1, H, W)


def grayscale(x: Tensor, chosen: Tensor) -> Tensor:
    """Luma in all channels of the samples whose ``chosen`` (B,) is 1, as Pillow makes it; in place.

    Pillow computes (19595 R + 38470 G + 7471 B + 2^15) >> 16; all of it is below 2^24, where
    float32 counts every whole number.

    Args:
        x: (B, 3, H, W) whole numbers in [0, 255].
        chosen: (B,) 0 or 1.
    """
    luma = _mix(x, GRAY_LUMA).add_(2**15).div_(2**16).floor_()  # (B, 1, H, W)
    return x.lerp_(luma, _per_sample(chosen))


def brighten(x: Tensor, factor: Tensor) -> Tensor:
    """``x`` (B, 3, H, W) of whole numbers times (B,) ``factor``, cut to a byte; in place.

    Pillow's blend with black: the product is clipped at 255 and its fraction dropped.
    """
    return x.mul_(_per_sample(factor)).clamp_(max=255).floor_()


def exchange_channels(x: Tensor, channel: Tensor) -> Tensor:
    """Each sample's ``channel`` (B,) of ``x`` (B, 3, H, W) in all three places."""
    index = _per_sample(channel.long()).expand_as(x[:, :1])
    return x.gather(1, index).expand_as(x)


def mix_infrared(x: Tensor, mix: Tensor) -> Tensor:
    """One mix of the channels of ``x`` (B, 3, H, W) in all three, by (B,) ``mix``; in place."""
    second = _per_sample((mix == SECOND_CHANNEL).float())
    one = _mix(x, INFRARED_LUMA).lerp_(x[:, 1:2], second)  # (B, 1, H, W)
    return x.lerp_(one, _per_sample((mix != KEEP).float()))


def scale_channels(x: Tensor, scale: Tensor) -> Tensor:
    """``x`` (B, 3, H, W) times (3, B) ``scale``; in place."""
    return x.mul_(scale.T[..., None, None])


def _mix(x: Tensor, weights: tuple[float, float, float]) -> Tensor:
    """Weighted sum of the channels of ``x``, (B, 3, H, W) → (B, 1, H, W)."""
    red, green, blue = x.split(1, dim=1)
    return (red * weights[0]).add_(green, alpha=weights[1]).add_(blue, alpha=weights[2])


def _per_sample(numbers: Tensor) -> Tensor:
    return numbers.view(-1, 1, 1, 1)


def _inside(length: int, start: Tensor, count: Tensor) -> Tensor:
    """(B,) starts and counts → (B, length), 1 from the start on for ``count`` places, else 0."""
    places = torch.arange(length, device=start.device)
    return ((places >= start[:, None]) & (places < (start + count)[:, None])).float()
