"""Ways of finding the best twenty in galleries of growing size, and where the index switches.

    python benchmarks/retrieval.py [--largest 1000000] [--graph 100000] [--output …csv]

One query, and two hundred at a time, of 256 dimensions: a matrix product with a partial sort,
FAISS's exhaustive search, and up to ``--graph`` images FAISS's graph with the share of the true
twenty that it finds. The ways alternate in one process. `mscm_lib.retrieval` takes the product
below `neighbours.SWITCH` images, where its scores still take little memory, and FAISS from there
on; the graph is for who asks for it.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from common import record_row
from large_gallery import SIZES, invented

from mscm_lib.retrieval.neighbours import SWITCH, FloatArray, Found, Graph, by_faiss, by_product

TOP, BATCHES = 20, (1, 200)
Way = Callable[[FloatArray, int], Found]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--largest", type=int, default=SIZES[-1])
    parser.add_argument("--graph", type=int, default=100_000, help="largest gallery of the graph")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--output", default="results/benchmarks/retrieval.csv")
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for size in (size for size in (1000, 3000, *SIZES) if size <= options.largest):
        queries, gallery, _ = invented(size)
        ways: dict[str, Way] = {
            "product": partial(by_product, gallery), "exhaustive": partial(by_faiss, gallery)
        }  # fmt: skip
        built = time.perf_counter()
        if size <= options.graph:
            ways["graph"] = Graph.build(gallery).find
        built = time.perf_counter() - built
        for batch in BATCHES:
            row = {"gallery": size, "queries": batch, "dimensions": gallery.shape[1], "top": TOP}
            row |= measure(ways, queries[:batch], options.repetitions)
            row |= {"graph_build_s": built if "graph" in ways else None, "switch": SWITCH}
            rows.append(row)
            print(
                ", ".join(f"{name} {value:.4g}" for name, value in row.items() if value), flush=True
            )
    record_row(options.output, rows)
    return 0


def measure(ways: dict[str, Way], queries: FloatArray, repetitions: int) -> dict[str, float]:
    """Median milliseconds a query of each way, and how many of the true ones it finds."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    found = {}
    for _ in range(repetitions):
        for name, way in ways.items():
            began = time.perf_counter()
            _, found[name] = way(queries, TOP)
            seconds[name].append(time.perf_counter() - began)
    row = {f"{n}_ms_a_query": 1000 * float(np.median(s)) / len(queries) for n, s in seconds.items()}
    for name in ways:
        pairs = zip(found[name], found["product"], strict=True)
        row[f"{name}_recall"] = float(np.mean([len(np.intersect1d(a, b)) / TOP for a, b in pairs]))
    return row


if __name__ == "__main__":
    sys.exit(main())
