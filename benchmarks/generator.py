"""How fast people are drawn, and what a full-count emulated tree takes.

    python benchmarks/generator.py              # images a second, by size and processes
    python benchmarks/generator.py --trees      # also the three full-count trees, checked

One row a measurement, printed and written to results/benchmarks/generator.csv. Processes are
started before the clock: a study draws for minutes, not for the second that they take to start.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pandas as pd
from common import record_row

from mscm_lib.data.datasets import open_dataset
from mscm_lib.data.emulated.emulate import emulate
from mscm_lib.data.generated import SIZES, GeneratedSettings, render
from mscm_lib.data.workers import available_cores

Job = tuple[int, int, int]  # first identity, height, width
PEOPLE = 16  # whom one job draws, once in each of the six cameras


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=8, help="of 96 images, a measurement")
    parser.add_argument("--trees", action="store_true", help="write the full-count trees too")
    parser.add_argument("--output", default="results/benchmarks/generator.csv")
    options = parser.parse_args()
    rows = [
        drawing(size, processes, options.jobs)
        for size in SIZES
        for processes in sorted({1, available_cores()})
    ]
    if options.trees:
        rows += [tree(name) for name in ("sysu", "regdb", "llcm")]
    table = pd.DataFrame(rows)
    print(table.to_string(index=False))
    record_row(options.output, rows)


def drawing(size: str, processes: int, jobs: int) -> dict[str, Any]:
    """Images a second at one size."""
    height, width = SIZES[size]
    work = [(1 + PEOPLE * job, height, width) for job in range(jobs)]
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        list(pool.map(draw, [(1, height, width)] * processes))  # imports, scenes
        start = time.perf_counter()
        images = sum(pool.map(draw, work))
        seconds = time.perf_counter() - start
    return row(f"draw {height}x{width}", processes, images, seconds)


def draw(job: Job) -> int:
    first, height, width = job
    settings = GeneratedSettings()
    for identity in range(first, first + PEOPLE):
        for camera in range(1, 7):
            render(settings, identity, camera, 0, height, width)
    return 6 * PEOPLE


def tree(name: str) -> dict[str, Any]:
    """Writing a full-count tree, and opening it with the real reader."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        written = emulate(name, Path(folder) / name, "full")
        seconds = time.perf_counter() - start
        open_dataset(name, written.root)
    return row(f"emulate {name}, every image", available_cores(), written.images, seconds)


def row(what: str, processes: int, images: int, seconds: float) -> dict[str, Any]:
    return {
        "what": what,
        "processes": processes,
        "images": images,
        "seconds": round(seconds, 1),
        "images_per_s": round(images / seconds),
    }


if __name__ == "__main__":
    main()
