"""What every variant costs: parameters, operations, activation memory, latency.

    python benchmarks/cost.py                              # all of variants.yaml, 384x192
    python benchmarks/cost.py --variants mscmnet baseline  # these alone; other rows are kept
    python benchmarks/cost.py --repeats 0                  # counts alone; latencies are kept

One row a variant, printed and written to results/benchmarks/cost.csv. Variants whose networks are
the same are measured once, and have the same row. Counts are exact and the same everywhere, in
float32. Latency is that of the fastest pass on the device at hand, of this call or of an earlier one
whose row stands in the file: other work on the machine only ever adds to it, so a second call brings
it nearer to what the network needs. Delete the file when the networks have changed.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from mscm_lib.config import RunConfig, check_known
from mscm_lib.files import atomic_path
from mscm_lib.hardware import Hardware, choose_hardware
from mscm_lib.models import MSCMNet
from mscm_lib.models.cost import cost, latency
from mscm_lib.paths import resolve
from mscm_lib.provenance import command, commit, processor
from mscm_lib.study.settings import load_variants

BATCHES = (1, 64)


def main() -> None:
    """Measure the variants that the command line names, one network after the other."""
    options = parse()
    torch.set_num_threads(options.threads or torch.get_num_threads())
    variants = load_variants()
    for name in options.variants or variants:
        check_known("variant", name, variants)
    size = {"height": options.height, "width": options.width, "backbone": options.backbone}
    common = {**size, "weights": "none", "device": options.device, "precision": options.precision}
    configs = {name: RunConfig.from_mapping(common, v) for name, v in variants.items()}
    path = resolve(options.output)
    measured: dict[Any, dict[str, Any]] = {}
    for name in options.variants or variants:
        net = MSCMNet.from_config(configs[name], options.identities)
        network = (configs[name].views, *map(str, net.architecture().values()))
        if network not in measured:
            measured[network] = measure(net, configs[name], options.repeats)
        table = write_row(path, {"variant": name, **measured[network]}, list(variants))
    print(table.to_string(index=False))
    print(f"written to {path}")


def measure(net: MSCMNet, config: RunConfig, repeats: int) -> dict[str, Any]:
    """One network's row; without latencies where ``repeats`` is 0."""
    hardware = choose_hardware(config)
    counted = cost(net, views=config.views)
    row: dict[str, Any] = {
        "image": f"{config.height}x{config.width}",
        "parameters_M": round(counted.parameters / 1e6, 2),
        "without_classifier_M": round(counted.parameters_without_classifier / 1e6, 2),
        "embed_GFLOP_per_image": round(counted.embed_flops / 1e9, 2),
        "train_GFLOP_per_sample": round(counted.train_flops / 1e9, 1),
        "activations_MiB_per_sample": round(counted.activation_bytes / 2**20, 1),
    }
    if not repeats:
        return row
    net = hardware.place(net).eval()
    with hardware.autocast():
        for batch in BATCHES:
            seconds = latency(net, batch, repeats=max(1, repeats // batch))
            row[f"latency_ms_batch_{batch}"] = round(1e3 * seconds, 1)
    return {**row, "device": device_name(hardware), "commit": commit(), "command": command()}


def device_name(hardware: Hardware) -> str:
    """What computed, in which number format, and on a CPU with how many threads."""
    if hardware.device.type == "cuda":
        return f"{hardware.name}, {hardware.precision}"
    return f"{processor()}, {hardware.precision}, {torch.get_num_threads()} threads"


def write_row(path: Path, row: dict[str, Any], order: list[str]) -> pd.DataFrame:
    """The table on disk with ``row`` in it; what the row does not say stays as it was there."""
    rows = pd.read_csv(path).to_dict("records") if path.is_file() else []
    by_name = {old["variant"]: old for old in rows}
    old = by_name.get(row["variant"], {})
    if old.get("device") == row.get("device"):
        faster = {key: min(row[key], old[key]) for key in row if key.startswith("latency")}
        row = row | faster
    by_name[row["variant"]] = old | row
    table = pd.DataFrame([by_name[name] for name in order if name in by_name])
    with atomic_path(path) as part:
        table.to_csv(part, index=False, lineterminator="\n")
    return table


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--variants", nargs="+", help="of variants.yaml; default: all")
    parser.add_argument("--backbone", default="resnet50", help="where the variant names none")
    parser.add_argument("--identities", type=int, default=395)
    parser.add_argument("--height", type=int, default=384)
    parser.add_argument("--width", type=int, default=192)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument(
        "--repeats", type=int, default=20, help="timed passes at batch 1; fewer at larger ones"
    )
    parser.add_argument("--output", default="results/benchmarks/cost.csv")
    return parser.parse_args()


if __name__ == "__main__":
    main()
