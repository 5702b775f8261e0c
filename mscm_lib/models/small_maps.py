"""3×3 convolutions over maps of a few positions, as the matrix products that they are.

The small images that a CPU trains on leave maps of 4×2 positions and 512 channels to layer 4. There a
CPU's convolution kernels, which go image by image, lose most of their time: as one product over all
images a training step of such a layer takes a half to a sixth of the time.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

FEW_POSITIONS = 24
"""Up to so many positions a product was faster, in float32 and bfloat16, on one and two cores."""

MANY_CHANNELS = 256
"""With fewer channels, gathering the neighbours costs what the product saves."""


class SmallMapConv2d(nn.Conv2d):
    """A convolution that trains faster on a CPU where its map is small; `nn.Conv2d` elsewhere.

    Alike in parameters and, up to rounding, in results. Evaluation and export take `nn.Conv2d`'s way.
    """

    @classmethod
    def of(cls, conv: nn.Conv2d) -> SmallMapConv2d:
        """The same convolution, with ``conv``'s own parameters."""
        made = cls(
            conv.in_channels,
            conv.out_channels,
            conv.kernel_size,  # type: ignore[arg-type]
            conv.stride,  # type: ignore[arg-type]
            conv.padding,  # type: ignore[arg-type]
            bias=False,
            device="meta",
        )
        made.weight = conv.weight
        return made

    @staticmethod
    def suits(conv: nn.Conv2d) -> bool:
        """Whether ``conv`` can be computed so at all: 3×3, stride 1, padded to the same size."""
        return (
            conv.kernel_size == (3, 3)
            and conv.stride == (1, 1)
            and conv.padding == (1, 1)
            and conv.dilation == (1, 1)
            and conv.groups == 1
            and conv.bias is None
            and min(conv.in_channels, conv.out_channels) >= MANY_CHANNELS
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → (B, C', H, W)."""
        small = x.shape[2] * x.shape[3] <= FEW_POSITIONS
        channels_last = x.is_contiguous(memory_format=torch.channels_last)
        if not (self.training and small and channels_last and x.device.type == "cpu"):
            return super().forward(x)
        weight = self.weight
        if torch.is_autocast_enabled("cpu"):
            dtype = torch.get_autocast_dtype("cpu")
            x, weight = x.to(dtype), weight.to(dtype)
        result: Tensor = _Product.apply(x, weight)
        return result


class _Product(torch.autograd.Function):
    """Gathered neighbours times weights, forward and backward: sums stay in the product's registers.

    Left to autograd, a gradient would be added up over nine shifted copies, in half precision.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        rows = _neighbours(x)  # (B·H·W, 9C)
        return _as_map(rows @ weight.permute(0, 2, 3, 1).flatten(1).mT, x)  # (B, C', H, W)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors
        of_x = of_weight = None
        if ctx.needs_input_grad[0]:  # the same convolution with the kernel turned around
            turned = weight.flip(2, 3).permute(2, 3, 0, 1)  # (3, 3, C', C)
            of_x = _as_map(_neighbours(gradient) @ turned.flatten(0, 2), x)
        if ctx.needs_input_grad[1]:
            by_position = gradient.permute(0, 2, 3, 1).flatten(0, 2)  # (B·H·W, C')
            products = by_position.mT @ _neighbours(x)  # (C', 9C)
            of_weight = products.view(len(weight), 3, 3, -1).permute(0, 3, 1, 2)  # (C', C, 3, 3)
        return of_x, of_weight


def _neighbours(x: Tensor) -> Tensor:
    """(B, C, H, W) → (B·H·W, 9C): each position's 3×3 neighbourhood, zero beyond the border."""
    padded = functional.pad(x.permute(0, 2, 3, 1), (0, 0, 1, 1, 1, 1))  # (B, H+2, W+2, C)
    windows = padded.unfold(1, 3, 1).unfold(2, 3, 1)  # (B, H, W, C, 3, 3)
    return windows.permute(0, 1, 2, 4, 5, 3).flatten(3).flatten(0, 2)


def _as_map(rows: Tensor, like: Tensor) -> Tensor:
    """(B·H·W, C) → (B, C, H, W), channels last in memory."""
    batch, _, height, width = like.shape
    return rows.view(batch, height, width, -1).permute(0, 3, 1, 2)
