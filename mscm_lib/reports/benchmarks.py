"""What the benchmarks measured, as the table that README.md shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from mscm_lib.files import read_json
from mscm_lib.markdown import markdown_table
from mscm_lib.paths import resolve
from mscm_lib.provenance import machine

FOLDER = "results/benchmarks"
Found = Mapping[str, Any]


def benchmark_table() -> str:
    """A Markdown table of every benchmark whose result lies in ``results/benchmarks``.

    One that has not been run here is named with its command and without a figure.
    """
    rows = []
    for what, benchmark, form in LINES:
        told, where = "not run here", ""
        if found := _result(benchmark):
            told = form.format(**found) if isinstance(form, str) else form(found)
            where = machine(found["provenance"])
        rows.append([what, told, where, f"`python benchmarks/{benchmark}.py`"])
    return markdown_table(["what", "measured", "on", "command"], rows)


def _result(benchmark: str) -> Found:
    """The record of a benchmark, or its table with the figures of the last row; empty where none is."""
    path = resolve(f"{FOLDER}/{benchmark}")
    if path.with_suffix(".json").is_file():
        return dict(read_json(path.with_suffix(".json")))
    if path.with_suffix(".csv").is_file():
        table = pd.read_csv(path.with_suffix(".csv"))
        last = {str(name): value for name, value in table.iloc[-1].items()}
        return {**last, "table": table, "provenance": last}
    return {}


def _packing(found: Found) -> str:
    value = found["table"].set_index("what")["value"]
    packed = value[[name for name in value.index if name.endswith("JPEG") and "packing" in name]]
    again = value[[name for name in value.index if name.startswith("reading / decoding")]]
    return (
        f"{packed.min():,.0f} images/s packed, read back {again.min():.0f} times as fast as decoded"
    )


def _views(found: Found) -> str:
    step, waited = (1000 * found[name] for name in ("device step seconds", "waited seconds a step"))
    return (
        f"{found['ratio']:.1f} times as fast as per-sample transforms; a device with a step of "
        f"{step:.0f} ms waits {waited:.1f} ms of it"
    )


LINES: tuple[tuple[str, str, str | Callable[[Found], str]], ...] = (
    ("a training step, ResNet-50 at 384×192, input included", "training_step",
     "{ratio:.1f} times as fast as the release's recipe written plainly, "
     "{achieved_share_of_ceiling:.0%} of the device's matrix-product ceiling"),
    ("a training step of the quick study, ResNet-18 at 64×32", "small_maps",
     "{ratio:.1f} times as fast as with the device's own convolutions in layers 3 and 4"),
    ("embedding at 384×192", "embedding",
     "{ratio:.1f} times as fast, in {precision}, as the plain form"),
    ("the four views of a batch", "input_pipeline", _views),
    ("packing 384×192 JPEGs and smaller", "packing", _packing),
    ("ten SYSU-MM01 trials, 3,803 × 301", "ranking",
     "{ratio:.0f} times as fast as a loop over queries"),
    ("1,000 queries in a million gallery features", "large_gallery",
     "{ratio:.1f} times the bare product's time, {peak_gib:.2f} GiB beyond the features"),
    ("re-ranking 4,000 + 4,000 features", "rerank",
     "{ratio:.1f} times as fast as the dense definition"),
    ("training killed at random moments and resumed", "kill_and_resume",
     "{identical} of {killed} endings identical to the byte"),
    ("two processes against one, ten steps", "two_processes",
     "weights within {float64[weights]:.0e}"),
)  # fmt: skip
"""What is measured, by which benchmark, and how its figures are told: a form, or a function."""
