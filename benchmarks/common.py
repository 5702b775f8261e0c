"""What the benchmarks share: data to run on, and results with their provenance."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from mscm_lib.config import RunConfig
from mscm_lib.data.generated import GeneratedSettings, generate
from mscm_lib.files import write_json, write_text
from mscm_lib.paths import resolve
from mscm_lib.provenance import command, commit, processor, provenance, versions


def tiny_run(folder: Path, height: int = 32, **changes: Any) -> RunConfig:
    """A run of seconds on ten generated people, half as wide as high, packed in ``folder``."""
    settings = GeneratedSettings(train_identities=10, test_identities=6, shots=2)
    generate(settings, folder, height, height // 2, workers=1, progress=False)
    values = {
        "dataset": "tiny", "data_folder": str(folder), "backbone": "resnet18", "weights": "none",
        "height": height, "width": height // 2, "identities_per_batch": 4,
        "images_per_identity": 2, "epochs": 3, "steps_per_epoch": 8, "warmup_epochs": 1,
        "head_rate": 0.01, "trunk_rate": 0.001, "device": "cpu",
    }  # fmt: skip
    return RunConfig.from_mapping(values, changes)


def generated_data(height: int, width: int, people: int) -> Path:
    """Folder of packed images of ``people`` training identities; drawn once, then kept."""
    folder = resolve(f"build/benchmarks/{people}-people-{height}x{width}")
    settings = GeneratedSettings(train_identities=people, test_identities=4, shots=2)
    generate(settings, folder, height, width)
    return folder


def highest_memory() -> float:
    """GiB that this process has had in use at most.

    Linux hands ``ru_maxrss`` down from the process that started this one, so that its own status is
    asked where there is one.
    """
    status = Path("/proc/self/status")
    for line in status.read_text().splitlines() if status.is_file() else ():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def timed(work: Callable[[], Any], device: torch.device) -> float:
    """Seconds until ``work`` is done on ``device``."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    began = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - began


def summary(seconds: list[float]) -> dict[str, float]:
    """Median and spread of repeated measurements."""
    return {
        "median": float(np.median(seconds)),
        "lowest": float(np.min(seconds)),
        "highest": float(np.max(seconds)),
        "repetitions": len(seconds),
    }


def record_row(output: str, rows: Sequence[Mapping[str, Any]], device: str = "cpu") -> None:
    """Write measurements as a table, each row with the command and the machine that made it."""
    origin = {
        "device": device, "processor": processor(), "threads": torch.get_num_threads(),
        "commit": commit(), "command": f"python benchmarks/{command()}",
        "versions": "; ".join(f"{name} {version}" for name, version in versions().items()),
    }  # fmt: skip
    path = resolve(output)
    table = pd.DataFrame([{**row, **origin} for row in rows])
    write_text(path, table.to_csv(index=False, float_format="%.6g"))
    print(f"written to {path}")


def record(
    output: str, parameters: Mapping[str, Any], device: torch.device, found: Mapping[str, Any]
) -> None:
    """Write ``found`` beside where it comes from, and say where it is."""
    path = resolve(output)
    write_json(path, {**found, "provenance": provenance(parameters, device=device)})
    print(f"written to {path}")
