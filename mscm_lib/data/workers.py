"""How many may work, and how their progress is shown in a terminal and in a log."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from tqdm import tqdm

LOG_INTERVAL = 15.0  # seconds between lines where a bar cannot be redrawn


def available_cores() -> int:
    """Cores that this process may use, which may be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def progress_bar(total: int, description: str, show: bool = True, done: int = 0) -> tqdm[NoReturn]:
    """A bar on stderr over ``total`` images, of which ``done`` are there already."""
    terminal = sys.stderr.isatty()
    return tqdm(
        total=total,
        initial=done,
        desc=description,
        unit="img",
        disable=not show,
        ascii=not terminal,
        mininterval=0.2 if terminal else LOG_INTERVAL,
    )
