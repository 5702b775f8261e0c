"""What every variant costs: parameters, operations, activation memory, latency.

    python benchmarks/cost.py                              # all variants at 384x192, ResNet-50
    python benchmarks/cost.py --variants mscmnet baseline  # these alone; other rows are kept
    python benchmarks/cost.py --repeats 0                  # counts alone, on a busy machine

One row a variant, printed and written to results/benchmarks/cost.csv. Counts are exact and the same
everywhere; latency is the fastest of some passes on the device at hand.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from mscm_lib.config import RunConfig, unknown_key
from mscm_lib.errors import ConfigError
from mscm_lib.files import atomic_path
from mscm_lib.hardware import Hardware, choose_hardware
from mscm_lib.models import MSCMNet
from mscm_lib.models.cost import cost, latency
from mscm_lib.models.variants import VARIANTS
from mscm_lib.paths import resolve


def main() -> None:
    """Measure the variants that the command line names, one after the other."""
    options = parse()
    torch.set_num_threads(options.threads or torch.get_num_threads())
    hardware = choose_hardware(RunConfig(device=options.device, precision=options.precision))
    path = resolve(options.output)
    for name in options.variants:
        if name not in VARIANTS:
            raise ConfigError(unknown_key("variant", name, list(VARIANTS)))
        table = add_row(path, measure(name, hardware, options))
    print(table.to_string(index=False))
    print(f"written to {path}")


def measure(name: str, hardware: Hardware, options: argparse.Namespace) -> dict[str, Any]:
    """One row of the table."""
    arguments = {"backbone": options.backbone, **VARIANTS[name]}
    net = MSCMNet(options.identities, height=options.height, width=options.width, **arguments)
    counted = cost(net, views=2 if name == "baseline" else 4)
    net = hardware.place(net).eval()
    row: dict[str, Any] = {
        "variant": name,
        "image": f"{options.height}x{options.width}",
        "parameters_M": round(counted.parameters / 1e6, 2),
        "without_classifier_M": round(counted.parameters_without_classifier / 1e6, 2),
        "embed_GFLOP_per_image": round(counted.embed_flops / 1e9, 2),
        "train_GFLOP_per_sample": round(counted.train_flops / 1e9, 1),
        "activations_MiB_per_sample": round(counted.activation_bytes / 2**20, 1),
    }
    for batch in (1, 64):
        column = f"latency_ms_batch_{batch}"
        row[column] = None
        if options.repeats:
            with hardware.autocast():
                row[column] = round(1e3 * latency(net, batch, options.repeats), 1)
    where = f"{hardware.name} {hardware.precision}"
    row["device"] = (
        where if hardware.device.type == "cuda" else f"{where}, {torch.get_num_threads()} threads"
    )
    return row


def add_row(path: Path, row: dict[str, Any]) -> pd.DataFrame:
    """The table on disk with ``row`` added, or in the place of the variant's former row."""
    rows = pd.read_csv(path).to_dict("records") if path.is_file() else []
    by_name = {old["variant"]: old for old in rows} | {row["variant"]: row}
    table = pd.DataFrame([by_name[name] for name in VARIANTS if name in by_name])
    with atomic_path(path) as part:
        table.to_csv(part, index=False, lineterminator="\n")
    return table


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS))
    parser.add_argument("--backbone", default="resnet50")
    parser.add_argument("--identities", type=int, default=395)
    parser.add_argument("--height", type=int, default=384)
    parser.add_argument("--width", type=int, default=192)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--output", default="results/benchmarks/cost.csv")
    return parser.parse_args()


if __name__ == "__main__":
    main()
