"""Work shared out to processes, with the results in order."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from typing import TypeVar

from mscm_lib.data.progress import available_cores, progress_bar

Task = TypeVar("Task")
Result = TypeVar("Result")
_SMALL = 512  # images that one process draws before a second one has started


def in_order(
    function: Callable[[Sequence[Task]], Result],
    tasks: Sequence[Task],
    *,
    title: str,
    done: int = 0,
    chunk: int = 32,
    workers: int | None = None,
    progress: bool = True,
) -> Iterator[Result]:
    """``function`` of consecutive chunks of ``tasks``, computed here or in several processes.

    Args:
        function: picklable; its result must not depend on the process.
        tasks: all of them.
        title: of the progress bar.
        done: tasks at the beginning that are done already.
        chunk: tasks a call.
        workers: processes; None: one a core, or this one alone where there is little to do.
        progress: show a bar on stderr.
    """
    if workers is None:
        workers = available_cores() if len(tasks) - done > _SMALL else 1
    chunks = [tasks[i : i + chunk] for i in range(done, len(tasks), chunk)]
    with progress_bar(len(tasks), title, progress, done=done) as bar:
        results = map(function, chunks) if workers < 2 else _in_processes(function, chunks, workers)
        for part, result in zip(chunks, results, strict=True):
            yield result
            bar.update(len(part))


def _in_processes(
    function: Callable[[Sequence[Task]], Result], chunks: list[Sequence[Task]], workers: int
) -> Iterator[Result]:
    # Fresh processes: a fork would copy the locks of whatever threads PyTorch has started.
    pool = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))
    pending: deque[Future[Result]] = deque()
    try:
        for part in chunks:
            pending.append(pool.submit(function, part))
            # A few chunks ahead and no more, or a slow disk would fill the memory with pixels.
            if len(pending) > 3 * workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
