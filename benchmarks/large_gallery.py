"""Time and memory of `rank_features` against the size of the gallery.

    python benchmarks/large_gallery.py [--largest 1000000] [--device cuda] [--output …csv]

1,000 queries against up to a million gallery features of 256 dimensions with the SYSU-MM01 rule.
Each size has a process of its own, where the bare product of the two sets of features (gallery
chunk by gallery chunk, results thrown away) and the ranking alternate; memory is what the process
(on a GPU: the device) needs beyond the features at most. On a sub-sample of the gallery the figures
are compared with `rank_metrics` on all distances.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys

import numpy as np
import numpy.typing as npt
import psutil
import torch
from common import highest_memory, record_row, summary, timed

from mscm_lib.config import RunConfig
from mscm_lib.hardware import choose_hardware
from mscm_lib.metrics import rank_features, rank_metrics

SIZES = (10_000, 30_000, 100_000, 300_000, 1_000_000)
QUERIES, DIMENSIONS, IMAGES_EACH = 1000, 256, 20
CHUNK, SAMPLE = 16_384, 5000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--largest", type=int, default=SIZES[-1])
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--device", default="auto", help="where the features are and scores made")
    parser.add_argument("--output", default="results/benchmarks/large_gallery.csv")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    hardware = choose_hardware(RunConfig(device=options.device))
    if options.one:
        print(json.dumps(measure(options.one, options.repetitions, hardware.device)))
        return 0
    rows = []
    for size in (size for size in SIZES if size <= options.largest):
        command = [sys.executable, __file__, "--one", str(size)]
        command += ["--repetitions", str(options.repetitions), "--device", options.device]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        rows.append(json.loads(said))
        print("{gallery:>9,} images: {ranking_median_s:.2f} s, {ratio:.2f} times the product's "
              "{product_median_s:.2f} s, {peak_gib:.2f} GiB beyond the features"
              .format(**rows[-1]), flush=True)  # fmt: skip
    record_row(options.output, rows, hardware.name)
    return 0


def measure(size: int, repetitions: int, device: torch.device) -> dict[str, float]:
    """One size in this process."""
    *features, labels = invented(size)
    queries, gallery = (torch.from_numpy(values).to(device) for values in features)
    gpu = device.type == "cuda"
    resident = psutil.Process().memory_info().rss / 2**30
    if gpu:
        resident = torch.cuda.memory_allocated(device) / 2**30
    seconds: dict[str, list[float]] = {"product": [], "ranking": []}
    peak = 0.0
    for _ in range(repetitions):
        seconds["ranking"].append(timed(lambda: rank_features(queries, gallery, *labels), device))
        highest = torch.cuda.max_memory_allocated(device) / 2**30 if gpu else highest_memory()
        peak = peak or highest - resident
        seconds["product"].append(timed(lambda: products(queries, gallery), device))
    times = {name: summary(values) for name, values in seconds.items()}
    pick = np.sort(np.random.default_rng(1).permutation(size)[:SAMPLE])
    query_ids, gallery_ids, query_cams, gallery_cams = labels
    few = query_ids, gallery_ids[pick], query_cams, gallery_cams[pick]
    found = rank_features(queries, gallery[pick], *few)
    wanted = rank_metrics(-queries @ gallery[pick].T, *few)
    difference = max(
        abs(found.mean_ap - wanted.mean_ap), abs(found.mean_inp - wanted.mean_inp),
        float(np.abs(found.cmc - wanted.cmc).max()),
    )  # fmt: skip
    return {
        "queries": QUERIES, "gallery": size, "dimensions": DIMENSIONS,
        **{f"{name}_{key}_s": value for name, entry in times.items()
           for key, value in entry.items() if key != "repetitions"},
        "repetitions": repetitions,
        "ratio": times["ranking"]["median"] / times["product"]["median"],
        "peak_gib": peak, "features_gib": gallery.nbytes / 2**30,
        "sample": len(pick), "sample_largest_difference": difference,
    }  # fmt: skip


def products(queries: torch.Tensor, gallery: torch.Tensor) -> None:
    for start in range(0, len(gallery), CHUNK):
        queries @ gallery[start : start + CHUNK].T


Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]
Labels = tuple[Integers, Integers, Integers, Integers]


def invented(size: int) -> tuple[Floats, Floats, Labels]:
    """Unit features of queries and gallery, people with some twenty images each there, and labels:
    identities of both sets, then cameras of both."""
    generator = np.random.default_rng(0)
    people = generator.standard_normal((max(1, size // IMAGES_EACH), DIMENSIONS), dtype=np.float32)
    gallery_ids = generator.integers(0, len(people), size)
    query_ids = generator.integers(0, len(people), QUERIES)

    def features(ids: Integers) -> Floats:
        values = generator.standard_normal((len(ids), DIMENSIONS), dtype=np.float32)
        values += people[ids]
        values /= np.linalg.norm(values, axis=1, keepdims=True)
        return values

    cams = generator.choice([3, 6], QUERIES), generator.choice([1, 2, 4, 5], size)
    return features(query_ids), features(gallery_ids), (query_ids, gallery_ids, *cams)


if __name__ == "__main__":
    sys.exit(main())
