"""What a device can do at most, measured: matrix products and memory traffic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from common import timed
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

VIEWS = ("view", "expand", "permute", "transpose", "slice", "select", "unbind", "split", "detach",
         "as_strided", "unsqueeze", "squeeze", "alias", "t.default", "chunk")  # fmt: skip


def matrix_ceiling(device: torch.device, dtype: torch.dtype) -> float:
    """Operations a second of large square matrix products, the best of several."""
    size = 8192 if device.type == "cuda" else 2048
    a, b = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    return 2 * size**3 / best(lambda: a @ b, device)


def bandwidth(device: torch.device) -> float:
    """Bytes a second read and written by a copy larger than any cache, the best of several."""
    source = torch.ones(2**28 if device.type == "cuda" else 2**26, device=device)
    target = torch.empty_like(source)
    return 2 * source.nbytes / best(lambda: target.copy_(source), device)


def best(work: Callable[[], Any], device: torch.device, repetitions: int = 10) -> float:
    """Seconds of the fastest of several repetitions."""
    return min(timed(work, device) for _ in range(repetitions))


class Traffic(TorchDispatchMode):
    """Counts the bytes that operators read and write, each operator by itself.

    Attributes:
        bytes: of all tensors that went in or out of operators which are more than a view.
    """

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        name = func.name().split("::")[-1]
        if not name.startswith(VIEWS):
            tensors = tree_leaves((args, kwargs, out))
            self.bytes += sum(t.nbytes for t in tensors if isinstance(t, Tensor))
        return out
