"""k-reciprocal re-ranking against its dense definition.

    python benchmarks/rerank.py [--images 4000 --repetitions 3] [--output …csv]

As many queries as gallery images of 2,048 dimensions: people of ten images each, scattered enough
that neighbours are partly wrong. The dense definition (`tests/metrics/dense_rerank.py`, whole
matrices and a loop over images, float32 as the field computes it) and `mscm_lib.metrics.rerank`
alternate in one process. Results are compared with the dense definition on float64 distances.
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np
import numpy.typing as npt
import torch
from common import highest_memory, record_row, summary

from mscm_lib.metrics import rerank
from mscm_lib.paths import project_root

sys.path.insert(0, str(project_root()))
from tests.metrics.dense_rerank import dense_rerank

K1, K2, LAMBDA = 20, 6, 0.3


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=4000, help="queries, and gallery images")
    parser.add_argument("--dimensions", type=int, default=2048)
    parser.add_argument("--spread", type=float, default=0.3, help="of people; that of images is 1")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--output", default="results/benchmarks/rerank.csv")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    features = invented(options.images, options.dimensions, options.spread)
    seconds: dict[str, list[float]] = {"sparse": [], "dense": []}
    peak = 0.0
    for _ in range(options.repetitions):
        began, before = time.perf_counter(), highest_memory()
        found = rerank(features[: options.images], features[options.images :], K1, K2, LAMBDA)
        seconds["sparse"].append(time.perf_counter() - began)
        peak = peak or highest_memory() - before  # of the first run: later ones stay below it
        began = time.perf_counter()
        dense_rerank(distances(features), options.images, K1, K2, LAMBDA)
        seconds["dense"].append(time.perf_counter() - began)
        print(", ".join(f"{name} {values[-1]:.1f} s" for name, values in seconds.items()))
    exact = dense_rerank(distances(features.astype(np.float64)), options.images, K1, K2, LAMBDA)
    difference = float(np.abs(found - exact).max())
    times = {name: summary(values) for name, values in seconds.items()}
    ratio = times["dense"]["median"] / times["sparse"]["median"]
    print(f"{ratio:.1f} times as fast, largest difference {difference:.1e}, {peak:.2f} GiB beyond")
    row = {
        "queries": options.images, "gallery": options.images, "dimensions": options.dimensions,
        "k1": K1, "k2": K2, "lambda": LAMBDA, "spread": options.spread,
        **{f"{name}_{key}_s": value for name, entry in times.items()
           for key, value in entry.items() if key != "repetitions"},
        "repetitions": options.repetitions, "ratio": ratio, "largest_difference": difference,
        "sparse_peak_gib": peak,
    }  # fmt: skip
    record_row(options.output, [row])
    return 0


def invented(images: int, dimensions: int, spread: float) -> npt.NDArray[np.float32]:
    """(2 · images, D) unit vectors of people with about ten images each."""
    generator = np.random.default_rng(0)
    people = max(1, 2 * images // 10)
    centers = spread * generator.standard_normal((people, dimensions), dtype=np.float32)
    features = generator.standard_normal((2 * images, dimensions), dtype=np.float32)
    features += centers[generator.integers(0, people, 2 * images)]
    return features / np.linalg.norm(features, axis=1, keepdims=True)


def distances(features: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """(n, n) squared Euclidean distances by one matrix product, in the features' own type."""
    norms = np.square(features).sum(axis=1)
    return np.maximum(norms[:, None] + norms - 2 * features @ features.T, 0)


if __name__ == "__main__":
    sys.exit(main())
