"""Two processes against one on the same global batches: how far apart after ten steps?

    python benchmarks/two_processes.py [--output results/benchmarks/two_processes.json]

Trains the same run once in one process and once in two under torchrun (gloo, CPU), with
synchronised batch norm, and compares every weight, every running statistic and the history.

The comparison that counts is in float64. Two processes add the same numbers in another order, and
in float32 the difference in the last digit pushes some activations over the corner of a ReLU, after
which the two trajectories part as any two float32 orders of summation do; the float32 figures are
printed beside it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from common import record, tiny_run
from safetensors.torch import load_file

from mscm_lib.config import RunConfig
from mscm_lib.data.batches.loader import Batch, Loader
from mscm_lib.files import read_json, write_json
from mscm_lib.models import MSCMNet
from mscm_lib.training import train

HEIGHT = (
    64  # at 32 the last map has two pixels, and untrained gradients are a thousand times larger
)
STEPS = 10
ALLOWED = 1e-5


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", default="results/benchmarks/two_processes.json")
    parser.add_argument("--only-float64", action="store_true")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        return child(Path(options.child[0]), options.child[1])
    formats = ["float64"] if options.only_float64 else ["float64", "float32"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = tiny_run(
            folder / "data", HEIGHT, epochs=1, steps_per_epoch=STEPS, precision="float32",
            warmup_epochs=0,
        )  # fmt: skip
        write_json(folder / "config.json", config.as_dict())
        found = {number_format: compare(folder, number_format) for number_format in formats}
    parameters = config.replace(data_folder="drawn for this").as_dict()
    record(options.output, parameters, torch.device("cpu"), found)
    return 0 if max(found["float64"].values()) < ALLOWED else 1


def compare(folder: Path, number_format: str) -> dict[str, float]:
    """Largest differences after `STEPS` steps."""
    start(folder, number_format, processes=1)
    start(folder, number_format, processes=2)
    one, two = (folder / f"{number_format}-{n}" for n in (1, 2))
    weights = [load_file(path / "model.safetensors") for path in (one, two)]
    away = {k: float((weights[0][k] - weights[1][k]).abs().max()) for k in weights[0]}
    running = {name for name in away if "running_" in name}
    histories = [pd.read_csv(path / "history.csv") for path in (one, two)]
    losses = ["loss", "identity_loss", "metric_loss", "accuracy"]
    found = {
        "weights": max(v for k, v in away.items() if k not in running),
        "running_statistics": max(away[k] for k in running),
        "history": float((histories[0][losses] - histories[1][losses]).abs().max().max()),
    }
    for name, value in found.items():
        print(f"{number_format}: {name} differ by at most {value:.2e} after {STEPS} steps")
    return found


def start(folder: Path, number_format: str, processes: int) -> None:
    words = [__file__, "--child", str(folder), number_format]
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, *launcher, *words], env=environment, check=True)


def child(folder: Path, number_format: str) -> int:
    torch.set_num_threads(1)
    if number_format == "float64":
        compute_in_float64()
    config = RunConfig.from_mapping(read_json(folder / "config.json"))
    name = f"{number_format}-{os.environ['WORLD_SIZE']}"
    train(config, folder / name, folder / f"state-{name}", log=lambda line: None)
    return 0


def compute_in_float64() -> None:
    """Make `train` build its network and its views in float64, which no parameter offers."""
    build, batches = MSCMNet.from_config, Loader.epoch

    def built(config: RunConfig, identities: int) -> MSCMNet:
        return build(config, identities).double()

    def doubled(self: Loader, *place: Any) -> Generator[Batch]:
        for views, labels in batches(self, *place):
            yield Batch(tuple(view.double() for view in views), labels)

    MSCMNet.from_config = staticmethod(built)  # type: ignore[method-assign]
    Loader.epoch = doubled  # type: ignore[method-assign,assignment]


if __name__ == "__main__":
    sys.exit(main())
