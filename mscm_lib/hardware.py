"""Where a run computes and in which number format."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import nn

from mscm_lib.config import RunConfig
from mscm_lib.errors import ConfigError

Module = TypeVar("Module", bound=nn.Module)

STRIDE = 16
"""Pixels of the image for one position of layers 3 and 4."""


@dataclass(frozen=True)
class Hardware:
    """The device of this process and how the step computes on it.

    Attributes:
        device: one CPU or one GPU.
        dtype: what convolutions and matrix products compute in: float32, bfloat16 or float16.
        channels_last: whether images and weights lie channels-last in memory.
    """

    device: torch.device
    dtype: torch.dtype
    channels_last: bool

    @property
    def scaled(self) -> bool:
        """Whether gradients need scaling: float16 alone underflows without it."""
        return self.dtype is torch.float16

    @property
    def precision(self) -> str:
        """The number format's name, as `RunConfig.precision` spells it."""
        return str(self.dtype).removeprefix("torch.")

    def autocast(self) -> AbstractContextManager[None]:
        """The context that forward passes run in."""
        return torch.autocast(self.device.type, self.dtype, enabled=self.dtype is not torch.float32)

    def place(self, module: Module) -> Module:
        """``module`` on the device, in the memory format of this run."""
        module = module.to(self.device)
        if self.channels_last:
            module = module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return module

    @property
    def name(self) -> str:
        """The device as a reader knows it, for example "NVIDIA H200" or "cpu"."""
        if self.device.type == "cuda":
            return torch.cuda.get_device_name(self.device)
        return self.device.type

    def record(self) -> dict[str, Any]:
        """What stands beside every figure: device, number format, and whether TF32 is on."""
        cudnn: Any = torch.backends.cudnn  # type checkers miss what it has for convolutions
        used = (cudnn.conv.fp32_precision, torch.backends.cuda.matmul.fp32_precision)
        return {"device": self.name, "precision": self.precision, "tf32": "tf32" in used}


def choose_hardware(config: RunConfig) -> Hardware:
    """The device and number format that ``config`` asks for, or the best ones here.

    ``device = "auto"`` is the process's own GPU (by LOCAL_RANK under torchrun), else the CPU.
    ``precision = "auto"`` is bfloat16 where the device multiplies it natively, else float16 with
    gradient scaling on a GPU and float32 on a CPU. Both follow from the hardware, and on a CPU from
    the image's width: maps one position wide are computed in float32, since strided bfloat16
    convolutions that make them return what was in memory before (oneDNN's on AMX, as PyTorch 2.13
    ships it; wider ones are right).

    For the whole process a chosen GPU becomes the current one, which seeds and events without a
    device are meant for, and float32 is float32: convolutions and products leave TF32.

    Raises:
        ConfigError: the device is unknown or absent, or cannot compute in the format.
    """
    device = _choose_device(config.device)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    # PyTorch has an older and a newer switch, which disagree unless both are set
    torch.backends.cudnn.fp32_precision = "ieee"
    torch.backends.cudnn.allow_tf32 = False
    torch.set_float32_matmul_precision("highest")
    dtype = _choose_dtype(config.precision, device, config.width // STRIDE)
    return Hardware(device, dtype, config.channels_last)


def native_bfloat16(device: torch.device) -> bool:
    """Whether ``device`` has instructions for bfloat16 products."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def _choose_device(wanted: str) -> torch.device:
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(wanted)
    except RuntimeError as error:
        raise ConfigError(
            f"device = {wanted!r}: expected 'auto', 'cpu', 'cuda' or 'cuda:<number>'"
        ) from error
    if device.type not in ("cpu", "cuda"):
        raise ConfigError(f"device = {wanted!r}: expected 'auto', 'cpu' or 'cuda'")
    if device.type == "cuda":
        found = torch.cuda.device_count()
        if device.index is None:
            device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        if device.index >= found:
            raise ConfigError(
                f"device = {wanted!r}: GPU {device.index} was asked for and {found} are visible "
                "here; start fewer processes a node, or set device = 'cpu'"
            )
    return device


def _choose_dtype(precision: str, device: torch.device, across: int) -> torch.dtype:
    """The format for maps of ``across`` positions a row in layers 3 and 4."""
    narrow = device.type == "cpu" and across == 1
    if precision == "bfloat16" and narrow:
        raise ConfigError(
            "precision = 'bfloat16' with images 16 pixels wide: a CPU's bfloat16 convolutions are "
            "wrong for maps one position wide; choose 'auto' or 'float32', or wider images"
        )
    if precision == "auto":
        if native_bfloat16(device) and not narrow:
            return torch.bfloat16
        return torch.float16 if device.type == "cuda" else torch.float32
    if precision == "float16" and device.type == "cpu":
        raise ConfigError(
            "precision = 'float16' needs a GPU; on a CPU choose 'float32', 'bfloat16' or 'auto'"
        )
    dtype: torch.dtype = getattr(torch, precision)
    return dtype
