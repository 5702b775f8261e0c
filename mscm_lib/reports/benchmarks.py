"""What the benchmarks measured, as the table that README.md shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pandas as pd

from mscm_lib.files import read_json
from mscm_lib.paths import resolve

FOLDER = "results/benchmarks"
Found = Mapping[str, Any]


class Line(NamedTuple):
    """One line: what is measured, by which benchmark, and how its figures are told."""

    what: str
    benchmark: str
    tell: Callable[[Found], str]


def benchmark_table() -> str:
    """A Markdown table of every benchmark whose result lies in ``results/benchmarks``.

    One that has not been run here is named with its command and without a figure.
    """
    rows = ["| what | measured | on | command |", "| --- | --- | --- | --- |"]
    for line in LINES:
        found = _result(line.benchmark)
        told = "not run here" if found is None else line.tell(found)
        command = f"`python benchmarks/{line.benchmark}.py`"
        rows.append(f"| {line.what} | {told} | {_where(found)} | {command} |")
    return "\n".join(rows) + "\n"


def _result(benchmark: str) -> Found | None:
    """The record of a benchmark: a JSON object, or a table by column and its last row's origin."""
    path = resolve(f"{FOLDER}/{benchmark}")
    if path.with_suffix(".json").is_file():
        return dict(read_json(path.with_suffix(".json")))
    if path.with_suffix(".csv").is_file():
        table = pd.read_csv(path.with_suffix(".csv"))
        return {"table": table, "provenance": table.iloc[-1].to_dict()}
    return None


def _where(found: Found | None) -> str:
    return "" if found is None else machine(found["provenance"])


def machine(origin: Found) -> str:
    """What a result was computed on, from its provenance: the accelerator, or threads of a CPU."""
    if origin["device"] == "cpu":
        return f"{origin['threads']} threads of {origin['processor']}"
    return str(origin["device"])


def _packing(found: Found) -> str:
    value = found["table"].set_index("what")["value"]
    packed = value[[name for name in value.index if name.endswith("JPEG") and "packing" in name]]
    again = value[[name for name in value.index if name.startswith("reading / decoding")]]
    return (
        f"{packed.min():,.0f} images/s packed, read back {again.min():.0f} times as fast as decoded"
    )


def _gallery(found: Found) -> str:
    row = found["table"].iloc[-1]
    return (
        f"{row['ratio']:.1f} times the bare product's time, {row['peak_gib']:.2f} GiB beyond the "
        "features"
    )


def _killed(found: Found) -> str:
    return f"{found['identical']} of {found['killed']} endings identical to the byte"


LINES = (
    Line(
        "a training step, ResNet-50 at 384×192, input included",
        "training_step",
        lambda found: (
            f"{found['ratio']:.1f} times as fast as the release's recipe written plainly, "
            f"{found['achieved_share_of_ceiling']:.0%} of the device's matrix-product ceiling"
        ),
    ),
    Line(
        "a training step of the quick study, ResNet-18 at 64×32",
        "small_maps",
        lambda found: (
            f"{found['table']['ratio'].iloc[-1]:.1f} times as fast as with the device's own "
            "convolutions in layers 3 and 4"
        ),
    ),
    Line(
        "embedding at 384×192",
        "embedding",
        lambda found: (
            f"{found['ratio']:.1f} times as fast, in {found['precision']}, as the plain form"
        ),
    ),
    Line(
        "the four views of a batch",
        "input_pipeline",
        lambda found: (
            f"{found['ratio']:.1f} times as fast as per-sample transforms; a device with "
            f"a step of {1000 * found['device step seconds']:.0f} ms waits "
            f"{1000 * found['waited seconds a step']:.1f} ms of it"
        ),
    ),
    Line("packing 384×192 JPEGs and smaller", "packing", _packing),
    Line(
        "ten SYSU-MM01 trials, 3,803 × 301",
        "ranking",
        lambda found: (
            f"{found['table']['ratio'].iloc[-1]:.0f} times as fast as a loop over queries"
        ),
    ),
    Line("1,000 queries in a million gallery features", "large_gallery", _gallery),
    Line(
        "re-ranking 4,000 + 4,000 features",
        "rerank",
        lambda found: (
            f"{found['table']['ratio'].iloc[-1]:.1f} times as fast as the dense definition"
        ),
    ),
    Line("training killed at random moments and resumed", "kill_and_resume", _killed),
    Line(
        "two processes against one, ten steps",
        "two_processes",
        lambda found: f"weights within {found['float64']['weights']:.0e}",
    ),
)
