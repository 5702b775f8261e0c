"""Work shared out to processes, with the results in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from joblib import Parallel, delayed

from mscm_lib.data.workers import available_cores, progress_bar

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
    # joblib starts fresh processes that do not import the caller's script again, so that scripts
    # need no guard, and stays a few chunks ahead of the caller and no more.
    pool = Parallel(n_jobs=workers, return_as="generator", batch_size=1, pre_dispatch="4 * n_jobs")
    results = pool(delayed(function)(part) for part in chunks)
    with progress_bar(len(tasks), title, progress, done=done) as bar:
        for part, result in zip(chunks, results, strict=True):
            yield result
            bar.update(len(part))
