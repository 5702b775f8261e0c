"""Ten SYSU-MM01 trials ranked at once, against a loop over queries of the field's kind.

    python benchmarks/ranking.py [--repetitions 5] [--output …csv]

3,803 queries and ten galleries of 301 images with SYSU-MM01's cameras. Both get the same ten
matrices of distances and alternate in one process: `mscm_lib.metrics.rank_metrics`, and a plain
NumPy loop over queries (sort, camera rule, identities once, CMC, AP, INP).
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np
import numpy.typing as npt
from common import record_row, summary

from mscm_lib.metrics import rank_metrics
from mscm_lib.protocols import SHARED_PLACE

PEOPLE, TRIALS, DIMENSIONS, MAX_RANK = 96, 10, 64, 20
QUERIES = {3: 1883, 6: 1920}  # images by camera
GALLERY = {1: 91, 2: 21, 4: 96, 5: 93}  # people seen by each camera: 301


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--output", default="results/benchmarks/ranking.csv")
    options = parser.parse_args()
    query_ids, query_cams, gallery_ids, gallery_cams, trials = invented()
    labels = query_ids, gallery_ids, query_cams, gallery_cams
    seconds: dict[str, list[float]] = {"ours": [], "loop": []}
    for _ in range(options.repetitions):
        began = time.perf_counter()
        found = [rank_metrics(distances, *labels, "sysu", MAX_RANK) for distances in trials]
        seconds["ours"].append(time.perf_counter() - began)
        began = time.perf_counter()
        wanted = [loop(distances, *labels) for distances in trials]
        seconds["loop"].append(time.perf_counter() - began)
        print(", ".join(f"{name} {values[-1]:.3f} s" for name, values in seconds.items()))
    difference = max(
        abs(a - b)
        for metrics, (cmc, mean_ap, mean_inp) in zip(found, wanted, strict=True)
        for a, b in ((metrics.mean_ap, mean_ap), (metrics.mean_inp, mean_inp),
                     *zip(metrics.cmc, cmc, strict=True))
    )  # fmt: skip
    times = {name: summary(values) for name, values in seconds.items()}
    ratio = times["loop"]["median"] / times["ours"]["median"]
    print(f"{ratio:.0f} times as fast as the loop, largest difference {difference:.1e}")
    row = {
        "queries": len(query_ids), "gallery": len(gallery_ids), "trials": TRIALS,
        **{f"{name}_{key}_s": value for name, entry in times.items()
           for key, value in entry.items() if key != "repetitions"},
        "repetitions": options.repetitions, "ratio": ratio, "largest_difference": difference,
    }  # fmt: skip
    record_row(options.output, [row])
    return 0


Integers = npt.NDArray[np.int64]
Distances = npt.NDArray[np.float32]


def invented() -> tuple[Integers, Integers, Integers, Integers, list[Distances]]:
    """Labels as SYSU-MM01's all-search has them, and a matrix of distances a trial."""
    generator = np.random.default_rng(0)
    query_cams = np.repeat(list(QUERIES), list(QUERIES.values()))
    query_ids = generator.integers(0, PEOPLE, len(query_cams))
    gallery_cams = np.repeat(list(GALLERY), list(GALLERY.values()))
    gallery_ids = np.concatenate(
        [np.sort(generator.permutation(PEOPLE)[:count]) for count in GALLERY.values()]
    )
    people = generator.standard_normal((PEOPLE, DIMENSIONS))

    def features(ids: Integers) -> npt.NDArray[np.float64]:
        values = people[ids] + 1.5 * generator.standard_normal((len(ids), DIMENSIONS))
        return values / np.linalg.norm(values, axis=1, keepdims=True)

    queries = features(query_ids)
    trials = [(-queries @ features(gallery_ids).T).astype(np.float32) for _ in range(TRIALS)]
    return query_ids, query_cams, gallery_ids, gallery_cams, trials


def loop(
    distances: Distances,
    query_ids: Integers,
    gallery_ids: Integers,
    query_cams: Integers,
    gallery_cams: Integers,
) -> tuple[npt.NDArray[np.float64], float, float]:
    """CMC, mAP and mINP, query by query."""
    order = np.argsort(distances, axis=1, kind="stable")
    curves, precisions, penalties = [], [], []
    for row in range(len(query_ids)):
        ranked = order[row]
        if query_cams[row] == SHARED_PLACE[0]:
            ranked = ranked[gallery_cams[ranked] != SHARED_PLACE[1]]
        right = gallery_ids[ranked] == query_ids[row]
        if not right.any():
            continue
        _, first = np.unique(gallery_ids[ranked], return_index=True)
        curve = right[np.sort(first)].cumsum()
        curve[curve > 1] = 1
        curves.append(curve[:MAX_RANK])
        hits = right.cumsum()
        places = np.flatnonzero(right)
        penalties.append(hits[places[-1]] / (places[-1] + 1.0))
        precision = [hits[place] / (place + 1.0) for place in range(len(right))]
        precisions.append((np.asarray(precision) * right).sum() / hits[-1])
    return (
        np.asarray(curves, float).mean(axis=0),
        float(np.mean(precisions)),
        float(np.mean(penalties)),
    )


if __name__ == "__main__":
    sys.exit(main())
