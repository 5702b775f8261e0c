"""What a run changes in its process, and puts back when it ends."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

import torch

WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"
_MEMORY: Any = torch.utils.deterministic  # its setting is a property that type checkers miss


@contextmanager
def reproducible(device: torch.device, deterministic: bool, seed: int) -> Iterator[None]:
    """Seed the global generators and choose deterministic algorithms for the time of the block.

    Nothing of this library draws from PyTorch's global generators, but a layer of a backbone may.
    Afterwards they and all settings are as they were.

    On a GPU an operation without a deterministic form warns instead of stopping the run.
    """
    was, warned = torch.are_deterministic_algorithms_enabled(), _warns()
    benchmark, filled = torch.backends.cudnn.benchmark, _MEMORY.fill_uninitialized_memory
    workspace = os.environ.get(WORKSPACE)
    gpus = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=gpus):
        try:
            if deterministic:
                # read when cuBLAS is first used; without it its sums depend on the stream
                os.environ.setdefault(WORKSPACE, ":4096:8")
                torch.use_deterministic_algorithms(True, warn_only=device.type != "cpu")
                _MEMORY.fill_uninitialized_memory = False  # a debugging aid that costs bandwidth
            torch.backends.cudnn.benchmark = not deterministic
            torch.default_generator.manual_seed(seed)
            if gpus:
                torch.cuda.manual_seed(seed)
            yield
        finally:
            torch.use_deterministic_algorithms(was, warn_only=warned)
            torch.backends.cudnn.benchmark = benchmark
            _MEMORY.fill_uninitialized_memory = filled
            if workspace is None:
                os.environ.pop(WORKSPACE, None)


def _warns() -> bool:
    return torch.is_deterministic_algorithms_warn_only_enabled()


class Interruption:
    """Whether SIGINT or SIGTERM has come, as a flag that the training loop reads between steps.

    Use as a context manager. Python delivers signals to the main thread only: in another thread
    the flag stays down. A second signal acts at once.

    Attributes:
        number: of the signal that came; None as long as none has.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self._handlers: dict[int, Any] = {}

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._handlers[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        self._restore()

    @staticmethod
    def leave(number: int) -> NoReturn:
        """End as signal ``number`` asks: KeyboardInterrupt for SIGINT, else exit status 128 + n."""
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + number)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.number = number
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers.clear()
