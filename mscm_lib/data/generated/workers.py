"""Work shared out to processes, with progress that reads well in a terminal and in a log."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

from tqdm import tqdm

Task = TypeVar("Task")
_SMALL = 512  # images that one process draws before a second one has started
_LOG_INTERVAL = 15.0  # seconds between lines where a bar cannot be redrawn


def available_cores() -> int:
    """Cores that this process may use, which may be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def share_out(
    function: Callable[[Sequence[Task]], object],
    tasks: Sequence[Task],
    *,
    chunk: int = 128,
    workers: int | None = None,
    progress: bool = True,
    description: str = "images",
) -> None:
    """Call ``function`` on consecutive chunks of ``tasks``, in this process or in several.

    Args:
        function: picklable; what it returns is dropped. It must not care which process runs it.
        tasks: all of them.
        chunk: tasks a call.
        workers: processes; None: one a core, or this one alone where there is little to do.
        progress: show a bar on stderr.
        description: of the bar.
    """
    if workers is None:
        workers = available_cores() if len(tasks) > _SMALL else 1
    chunks = [tasks[i : i + chunk] for i in range(0, len(tasks), chunk)]
    terminal = sys.stderr.isatty()
    with tqdm(
        total=len(tasks),
        desc=description,
        unit="img",
        disable=not progress,
        ascii=not terminal,
        mininterval=0.2 if terminal else _LOG_INTERVAL,
    ) as bar:
        for done in _results(function, chunks, workers):
            bar.update(done)


def _results(
    function: Callable[[Sequence[Task]], object], chunks: list[Sequence[Task]], workers: int
) -> Iterator[int]:
    if workers < 2:
        for part in chunks:
            function(part)
            yield len(part)
        return
    # Fresh processes: a fork would copy the locks of whatever threads PyTorch has started.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        for part, _ in zip(chunks, pool.map(function, chunks), strict=True):
            yield len(part)
