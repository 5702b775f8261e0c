"""What a run changes in its process, and puts back when it ends."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

import torch

_MEMORY: Any = torch.utils.deterministic  # its setting is a property that type checkers miss


@contextmanager
def reproducible(device: torch.device, deterministic: bool, seed: int) -> Iterator[None]:
    """Seed the global generators and choose deterministic algorithms for the time of the block.

    Nothing of this library draws from PyTorch's global generators, but a layer of a backbone may.
    Afterwards they and all settings are as they were.

    On a GPU an operation without a deterministic form stops the run: only so is none chosen where
    there is a choice, as there is for attention.
    """
    was = torch.are_deterministic_algorithms_enabled()
    warned = torch.is_deterministic_algorithms_warn_only_enabled()
    benchmark, filled = torch.backends.cudnn.benchmark, _MEMORY.fill_uninitialized_memory
    gpus = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=gpus):
        try:
            if deterministic:
                torch.use_deterministic_algorithms(True)
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
