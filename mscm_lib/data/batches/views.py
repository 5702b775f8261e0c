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
from mscm_lib.data.batches import pixels
from mscm_lib.data.batches.view_draws import Geometry, ViewDraws, draw_views
from mscm_lib.errors import DataError

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
        views: 4, 3 for all but I_c, or 2 for the global views V_g and I_g alone; the pixels of a
            view are the same in all.
        padding: pixels of zeros on each side before the crop; `padding_for` the height by default.
        random_crop: pad and crop; without it images stay in place.
        random_flip: horizontal flip.
        random_erasing: random erasing.
        random_grayscale: V_g's.
        channel_exchange: V_c's.
        gray_bridge: V_c is V_g made gray, cut, mirrored and erased alike; its own operation is off.
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
        gray_bridge: bool = False,
        infrared_mix: bool = True,
        infrared_scaling: bool = True,
        channels_last: bool = False,
    ) -> None:
        self.height, self.width, self.seed, self.views = height, width, seed, views
        self.padding = padding_for(height) if padding is None else padding
        self.random_crop, self.random_flip = random_crop, random_flip
        self.random_erasing, self.random_grayscale = random_erasing, random_grayscale
        self.channel_exchange, self.gray_bridge = channel_exchange, gray_bridge
        self.infrared_mix = infrared_mix
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
            gray_bridge=config.gray_bridge,
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
            V_g, V_c, I_g, I_c, or fewer by ``views``, each (B, 3, H, W) float32.

        Raises:
            DataError: the images are not uint8 of the expected size.
        """
        visible, infrared = self._planes(visible), self._planes(infrared)  # (B, 3, H, W)
        v_g, i_g = self._visible_global(visible, draws), self._infrared_global(infrared, draws)
        views = [v_g, i_g]
        if self.views > 2:
            views.insert(1, self._visible_channel(visible, draws))
        if self.views > 3:
            views.append(self._infrared_channel(infrared, draws))
        layout = torch.channels_last if self.channels_last else torch.contiguous_format
        return tuple(view.contiguous(memory_format=layout) for view in views)

    def _visible_global(self, images: Tensor, draws: ViewDraws) -> Tensor:
        place = draws.geometry("v_g")
        x = self._cut(images, place)
        if self.random_grayscale:
            x = pixels.grayscale(x, draws.colour.gray)
        return self._finish(x, place)

    def _visible_channel(self, images: Tensor, draws: ViewDraws) -> Tensor:
        if self.gray_bridge:
            place = draws.geometry("v_g")
            x = pixels.grayscale(self._cut(images, place), torch.ones_like(draws.colour.gray))
            return self._finish(x, place)
        place = draws.geometry("v_c")
        x = self._finish(self._cut(images, place), place)
        return pixels.exchange_channels(x, draws.colour.channel) if self.channel_exchange else x

    def _infrared_global(self, images: Tensor, draws: ViewDraws) -> Tensor:
        place = draws.geometry("i_g")
        x = self._finish(self._cut(images, place), place)
        return pixels.mix_infrared(x, draws.colour.mix) if self.infrared_mix else x

    def _infrared_channel(self, images: Tensor, draws: ViewDraws) -> Tensor:
        place, colour = draws.geometry("i_c"), draws.colour
        x = self._cut(images, place)
        if not self.infrared_scaling:
            return self._finish(x, place)
        x = self._finish(pixels.brighten(x, colour.brightness), place)
        return pixels.scale_channels(x, colour.scale)

    def _cut(self, images: Tensor, place: Geometry) -> Tensor:
        # Brightness and gray leave black black, so that they may follow the cut, on fewer pixels,
        # although the method has them before the padding.
        padding = self.padding if self.random_crop else 0
        return pixels.crop_flip(images, place, padding, self.random_flip)

    def _finish(self, x: Tensor, place: Geometry) -> Tensor:
        x = pixels.normalise(x)
        return pixels.erase(x, place) if self.random_erasing else x

    def _planes(self, images: Tensor) -> Tensor:
        if images.shape[1:3] != (self.height, self.width):
            raise DataError(
                f"images of shape {tuple(images.shape)}: expected (B, {self.height}, "
                f"{self.width}, 3); pack the dataset at the run's size"
            )
        return pixels.planes(images)


def test_transform(images: Tensor) -> Tensor:
    """Images as the network sees them at test: scaled to [0, 1] and normalised, nothing else.

    Args:
        images: (B, H, W, 3) uint8, as packed.

    Returns:
        (B, 3, H, W) float32.

    Raises:
        DataError: the images are not uint8 or not (B, H, W, 3).
    """
    return pixels.normalise(pixels.planes(images).float())
