"""Packing and reading back: images a second, beside decoding, and the memory that it takes.

    python benchmarks/packing.py [--cores 2] [--output results/benchmarks/packing.csv]

Draws a SYSU-MM01 tree in miniature with JPEGs of 384x192 and another with smaller ones that have to
be resized, packs both to 384x192, then reads shuffled batches back and decodes the same images from
their files. On a busy machine the rate by processor time tells more than that by the clock. Memory
is measured over an epoch on arrays as large as SYSU-MM01's (sparse, so that no disk is needed).
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
from common import record_row

from mscm_lib.data import PackedImages, open_dataset, pack_dataset
from mscm_lib.data.emulated.emulate import emulate
from mscm_lib.data.packed.arrays import IMAGES, MANIFEST
from mscm_lib.data.packed.decoding import load_pixels
from mscm_lib.data.packed.writing import write_index
from mscm_lib.data.tables import ImageTable
from mscm_lib.files import write_json

HEIGHT, WIDTH = 384, 192
BATCH = 48  # images of both modalities in a step of the paper's recipe
SYSU_IMAGES = 22258 + 11909 + 7813 + 3803
GOALS = {"packing": 400.0, "reading": 10.0, "memory": 2.0}


def pack_rate(
    folder: Path, height: int, cores: int
) -> tuple[float, float, PackedImages, list[Path]]:
    """Images packed a second, also of processor time; the arrays; the files they were made from."""
    tree = folder / f"tree{height}"
    emulate("sysu", tree, "miniature", height=height)
    dataset = open_dataset("sysu", tree)
    began, used = time.perf_counter(), time.process_time()
    images = pack_dataset(
        dataset, folder / f"packed{height}", HEIGHT, WIDTH, workers=cores, progress=False
    )
    seconds, used = time.perf_counter() - began, time.process_time() - used
    files = [tree / path for path in images.paths]
    return len(images) / seconds, len(images) / used, images, files


def read_rates(images: PackedImages, files: list[Path]) -> tuple[float, float]:
    """Images a second in one thread: from packed arrays, and decoded from their files."""
    order = np.random.default_rng(0).permutation(len(images))
    batches = [order[i : i + BATCH] for i in range(0, len(order) - BATCH + 1, BATCH)]
    count = BATCH * len(batches)
    read = decoded = float("inf")
    for _ in range(5):  # the best of five passes, in turns: both with a warm file cache
        began = time.perf_counter()
        for batch in batches:
            images.read(batch)
        read = min(read, time.perf_counter() - began)
        began = time.perf_counter()
        for batch in batches:
            np.stack([load_pixels(files[row], HEIGHT, WIDTH) for row in batch])
        decoded = min(decoded, time.perf_counter() - began)
    return count / read, count / decoded


def resident_memory(folder: Path) -> float:
    """GiB that an epoch of shuffled batches over SYSU-MM01's number of images adds at its peak."""
    folder.mkdir()
    table = ImageTable.from_rows(
        [
            (f"cam1/{row // 100:04d}/{row % 100:04d}.jpg", row, 1, False)
            for row in range(SYSU_IMAGES)
        ]
    )
    write_index(folder / "index.csv", table)
    write_json(
        folder / MANIFEST,
        {"name": "sysu", "fingerprint": "", "height": HEIGHT, "width": WIDTH},
    )
    shape = (SYSU_IMAGES, HEIGHT, WIDTH, 3)
    with (folder / IMAGES).open("wb") as stream:
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(stream, header)
        stream.truncate(stream.tell() + int(np.prod(shape)))
    process = psutil.Process()
    images = PackedImages.open(folder)
    order = np.random.default_rng(0).permutation(SYSU_IMAGES)
    peak = 0
    for step, start in enumerate(range(0, SYSU_IMAGES, BATCH)):
        images.read(order[start : start + BATCH])
        if step % 50 == 0:
            peak = max(peak, process.memory_info().rss)
    return peak / 2**30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--output", default="results/benchmarks/packing.csv")
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.cores])
    rows: list[tuple[str, float, str, float]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for height in (HEIGHT, 288):
            size = f"{height}x{height // 2} JPEG"
            rate, used, images, files = pack_rate(folder, height, options.cores)
            rows.append((f"packing, {size}", rate, "images/s", GOALS["packing"]))
            rows.append((f"packing, {size}, by processor time", used, "images/s", float("nan")))
            read, decoded = read_rates(images, files)
            rows.append((f"reading back, {size}", read, "images/s", float("nan")))
            rows.append((f"decoding, {size}", decoded, "images/s", float("nan")))
            rows.append((f"reading / decoding, {size}", read / decoded, "times", GOALS["reading"]))
        gib = resident_memory(folder / "sysu")
        rows.append(("resident while reading a full SYSU-MM01", gib, "GiB", GOALS["memory"]))
    table = pd.DataFrame(rows, columns=["what", "value", "unit", "goal"])
    print(table.to_string(index=False, float_format=lambda x: f"{x:,.2f}", na_rep=""))
    record_row(options.output, [dict(zip(table.columns, row, strict=True)) for row in rows])


if __name__ == "__main__":
    main()
