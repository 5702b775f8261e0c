"""The views of a batch, made from packed uint8 images in batched tensor operations.

The same pixels as the per-sample pipeline (the packed image, already resized, then pad, crop, flip,
scale, normalise, erase, channel operation), on any device, without a loop over samples and without
waiting for the device. What is random is drawn beforehand (`draw_views`) and handed in.
"""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor

from mscm_lib.config import RunConfig
from mscm_lib.data.view_draws import LUMA, SECOND_CHANNEL, Geometry, ViewDraws, draw_views
from mscm_lib.errors import DataError

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
"""ImageNet's mean and standard deviation of R, G, B in [0, 1]."""

ERASED = (0.4914, 0.4822, 0.4465)
"""What an erased pixel holds, after normalisation."""

GRAY_LUMA = (19595, 38470, 7471)
"""ITU-R 601-2 luma in 1/65536, as Pillow converts RGB to L."""

INFRARED_LUMA = (0.2989, 0.5870, 0.1140)

REFERENCE_PADDING, REFERENCE_HEIGHT = 10, 384


def padding_for(height: int) -> int:
    """Pixels to pad images of ``height`` with: the method's 10 at 384, in proportion elsewhere.

    At least 1, so that a small image is moved about by the same share of its size.
    """
    return max(1, round(REFERENCE_PADDING * height / REFERENCE_HEIGHT))


class FourViews:
    """Two augmented views of each visible and each infrared image: V_g, V_c, I_g, I_c.

    Every view: zero-pad, random crop back, horizontal flip (p 0.5), scale to [0, 1], normalise,
    random erasing (p 0.5). Besides, on the image before padding: V_g is made gray (p 0.5), I_c's
    brightness is multiplied by a number in [0.5, 1.5]. And after erasing: all channels of V_c
    become one of R, G, B; those of I_g become the second channel (p 0.5) or the luma mix (p 0.25);
    those of I_c are scaled (p 0.5), each by its own number in [0.02, 1].

    Source: data augmentation of arXiv 2311.14395 as its public release applies it; random erasing
    of Zhong et al., AAAI 2020, with its uniform draw of the aspect ratio.

    Args:
        height: of the images in pixels.
        width: of the images in pixels.
        seed: of the run.
        views: 4, or 2 for the global views V_g and I_g alone; their pixels are the same in both.
        padding: pixels of zeros on each side before the crop; `padding_for` the height by default.
        random_crop: pad and crop; without it images stay in place.
        random_flip: horizontal flip.
        random_erasing: random erasing.
        random_grayscale: V_g's.
        channel_exchange: V_c's.
        infrared_mix: I_g's.
        infrared_scaling: I_c's, brightness and channels.
        channels_last: memory layout of the views.
    """

    def __init__(
        self,
        height: int,
        width: int,
        seed: int = 0,
        *,
        views: int = 4,
        padding: int | None = None,
        random_crop: bool = True,
        random_flip: bool = True,
        random_erasing: bool = True,
        random_grayscale: bool = True,
        channel_exchange: bool = True,
        infrared_mix: bool = True,
        infrared_scaling: bool = True,
        channels_last: bool = False,
    ) -> None:
        self.height, self.width, self.seed, self.views = height, width, seed, views
        self.padding = padding_for(height) if padding is None else padding
        self.random_crop, self.random_flip = random_crop, random_flip
        self.random_erasing, self.random_grayscale = random_erasing, random_grayscale
        self.channel_exchange, self.infrared_mix = channel_exchange, infrared_mix
        self.infrared_scaling, self.channels_last = infrared_scaling, channels_last

    @classmethod
    def from_config(cls, config: RunConfig) -> Self:
        """The views that a run's parameters ask for."""
        return cls(
            config.height,
            config.width,
            config.seed,
            views=config.views,
            random_crop=config.random_crop,
            random_flip=config.random_flip,
            random_erasing=config.random_erasing,
            random_grayscale=config.random_grayscale,
            channel_exchange=config.channel_exchange,
            infrared_mix=config.infrared_mix,
            infrared_scaling=config.infrared_scaling,
            channels_last=config.channels_last,
        )

    def draw(self, epoch: int, step: int, count: int, first: int = 0) -> ViewDraws:
        """Choices for ``count`` pairs of a step, from position ``first`` of its global batch on."""
        return draw_views(
            self.seed, epoch, step, count, first, self.height, self.width, self.padding
        )

    def apply(self, visible: Tensor, infrared: Tensor, draws: ViewDraws) -> tuple[Tensor, ...]:
        """The views of a batch.

        Args:
            visible: (B, H, W, 3) uint8, as packed.
            infrared: (B, H, W, 3) uint8; pair i shows one person in both.
            draws: choices for the B pairs, on the images' device.

        Returns:
            V_g, V_c, I_g, I_c, or V_g, I_g where ``views`` is 2, each (B, 3, H, W) float32.

        Raises:
            DataError: the images are not uint8 of the expected size.
        """
        visible, infrared = self._planes(visible), self._planes(infrared)  # (B, 3, H, W)
        v_g, i_g = self._visible_global(visible, draws), self._infrared_global(infrared, draws)
        views: tuple[Tensor, ...]
        if self.views == 2:
            views = (v_g, i_g)
        else:
            v_c = self._visible_channel(visible, draws)
            views = (v_g, v_c, i_g, self._infrared_channel(infrared, draws))
        if self.channels_last:
            return tuple(view.contiguous(memory_format=torch.channels_last) for view in views)
        return views

    def _visible_global(self, images: Tensor, draws: ViewDraws) -> Tensor:
        place, colour = draws.geometry("v_g"), draws.colour
        x = self._crop_flip(images, place)
        if self.random_grayscale:
            x = torch.lerp(x, _gray(x).expand_as(x), _per_sample(colour.gray))
        return self._normalise_erase(x, place)

    def _visible_channel(self, images: Tensor, draws: ViewDraws) -> Tensor:
        place, colour = draws.geometry("v_c"), draws.colour
        x = self._normalise_erase(self._crop_flip(images, place), place)
        if self.channel_exchange:
            index = colour.channel.long().view(-1, 1, 1, 1).expand_as(x[:, :1])
            x = x.gather(1, index).expand_as(x)
        return x

    def _infrared_global(self, images: Tensor, draws: ViewDraws) -> Tensor:
        place, mix = draws.geometry("i_g"), draws.colour.mix
        x = self._normalise_erase(self._crop_flip(images, place), place)
        if self.infrared_mix:
            second, luma = (mix == SECOND_CHANNEL).float(), (mix == LUMA).float()
            of_luma = torch.tensor(INFRARED_LUMA).to(x.device, non_blocking=True)
            of_second = torch.tensor((0.0, 1.0, 0.0)).to(x.device, non_blocking=True)
            weights = second[:, None] * of_second + luma[:, None] * of_luma  # (B, 3)
            one = (x * weights[..., None, None]).sum(1, keepdim=True)  # (B, 1, H, W)
            x = torch.lerp(x, one.expand_as(x), _per_sample(second + luma))
        return x

    def _infrared_channel(self, images: Tensor, draws: ViewDraws) -> Tensor:
        place, colour = draws.geometry("i_c"), draws.colour
        x = self._crop_flip(images, place)
        if self.infrared_scaling:
            x = x.mul_(_per_sample(colour.brightness)).clamp_(max=255).floor_()
        x = self._normalise_erase(x, place)
        if self.infrared_scaling:
            x = x.mul_(colour.scale.T[..., None, None])  # (3, B) → (B, 3, 1, 1)
        return x

    def _planes(self, images: Tensor) -> Tensor:
        """(B, H, W, 3) uint8 → (B, 3, H, W), the same memory."""
        wanted = (self.height, self.width, 3)
        if images.dtype != torch.uint8 or images.shape[1:] != wanted:
            raise DataError(
                f"images of shape {tuple(images.shape)} and type {images.dtype}: expected "
                f"(B, {self.height}, {self.width}, 3) uint8, as packed at the run's size"
            )
        return images.permute(0, 3, 1, 2)

    def _crop_flip(self, images: Tensor, place: Geometry) -> Tensor:
        """Zero-pad, crop back and mirror: (B, 3, H, W) uint8 → the same shape, float32, 0 to 255.

        One gather by index arithmetic; what lies outside the image is read from its edge and
        multiplied by zero.
        """
        rows = torch.arange(self.height, device=images.device).expand(len(images), -1)  # (B, H)
        columns = torch.arange(self.width, device=images.device).expand(len(images), -1)  # (B, W)
        if self.random_flip:
            mirrored = self.width - 1 - columns
            columns = torch.where(place.flip[:, None] > 0, mirrored, columns)
        if self.random_crop:
            rows = rows + (place.top.long() - self.padding)[:, None]
            columns = columns + (place.left.long() - self.padding)[:, None]
        inside_rows = (rows >= 0) & (rows < self.height)
        inside_columns = (columns >= 0) & (columns < self.width)
        inside = inside_rows[:, :, None] & inside_columns[:, None, :]  # (B, H, W)
        rows, columns = rows.clamp(0, self.height - 1), columns.clamp(0, self.width - 1)
        first = torch.arange(len(images), device=images.device)[:, None, None] * self.height
        index = (first + rows[:, :, None]) * self.width + columns[:, None, :]  # (B, H, W)
        pixels = images.permute(0, 2, 3, 1).reshape(-1, 3)[index.flatten()]  # (B*H*W, 3)
        cut = pixels.float().view(len(images), self.height, self.width, 3) * inside[..., None]
        return cut.permute(0, 3, 1, 2)  # (B, 3, H, W)

    def _normalise_erase(self, x: Tensor, place: Geometry) -> Tensor:
        """(B, 3, H, W) in 0 to 255 → normalised, a rectangle of some images overwritten."""
        x = normalise(x)
        if not self.random_erasing:
            return x
        rows = torch.arange(self.height, device=x.device)[None, :, None]  # (1, H, 1)
        columns = torch.arange(self.width, device=x.device)[None, None, :]  # (1, 1, W)
        top, left = place.erase_top[:, None, None], place.erase_left[:, None, None]  # (B, 1, 1)
        below, right = (
            top + place.erase_height[:, None, None],
            left + place.erase_width[:, None, None],
        )
        erased = (rows >= top) & (rows < below) & (columns >= left) & (columns < right)  # (B, H, W)
        return torch.where(erased[:, None], _constant(ERASED, x), x)


def test_views(images: Tensor) -> Tensor:
    """Images as the network sees them at test: scaled and normalised, nothing else.

    Args:
        images: (B, H, W, 3) uint8, as packed.

    Returns:
        (B, 3, H, W) float32.
    """
    return normalise(images.permute(0, 3, 1, 2).float())


def normalise(x: Tensor) -> Tensor:
    """(B, 3, H, W) in 0 to 255 → in units of ImageNet's standard deviation about its mean."""
    return (x / 255 - _constant(MEAN, x)) / _constant(STD, x)


def _constant(values: tuple[float, float, float], like: Tensor) -> Tensor:
    """A number a channel as (1, 3, 1, 1), on the device of ``like``."""
    return torch.tensor(values).to(like.device, non_blocking=True).view(1, 3, 1, 1)


def _gray(x: Tensor) -> Tensor:
    """(B, 3, H, W) of whole numbers, 0 to 255 → (B, 1, H, W), rounded as Pillow rounds it."""
    red, green, blue = GRAY_LUMA
    # up to 2^24, where float32 still holds every whole number
    luma = x[:, :1] * red + x[:, 1:2] * green + x[:, 2:] * blue
    return ((luma + 0x8000) / 0x10000).floor_()


def _per_sample(values: Tensor) -> Tensor:
    """(B,) → (B, 1, 1, 1)."""
    return values.view(-1, 1, 1, 1)
