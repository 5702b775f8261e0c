"""Kill a training at random moments; does it end as the undisturbed one does, byte for byte?

    python benchmarks/kill_and_resume.py [--kills 20] [--output results/benchmarks/…json]

Each trial starts a run in a process of its own, kills it (SIGKILL) at a moment drawn uniformly over
the length of an undisturbed run, imports and state files included, starts it again to its end, and
compares model.safetensors and history.csv. States are saved after every step and every epoch, so
that kills land in half-written ones too.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from common import record, tiny_run

from mscm_lib.config import RunConfig
from mscm_lib.files import file_digest, read_json, write_json
from mscm_lib.training import train, trainer

FILES = ("model.safetensors", "history.csv")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--output", default="results/benchmarks/kill_and_resume.json")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        return child(options.child)
    with tempfile.TemporaryDirectory() as name:
        found, config = trials(Path(name), options.kills, options.seed)
    same = sum(row["same"] for row in found)
    print(f"{same} of {len(found)} killed runs ended byte-identical to the undisturbed one")
    run = config.replace(data_folder="drawn for this").as_dict()
    parameters = {"run": run, "kills": options.kills, "seed": options.seed}
    result = {"killed": len(found), "identical": same, "trials": found}
    record(options.output, parameters, torch.device("cpu"), result)
    return 0 if same == len(found) else 1


def trials(folder: Path, kills: int, seed: int) -> tuple[list[dict[str, Any]], RunConfig]:
    config = tiny_run(folder / "data")
    write_json(folder / "config.json", config.as_dict())
    began = time.monotonic()
    start(folder, "undisturbed").wait()
    length = time.monotonic() - began
    wanted = digests(folder / "undisturbed")
    print(f"an undisturbed run takes {length:.1f} s, of {config.epochs} epochs")
    moments, found = random.Random(seed), []
    for trial in range(kills):
        name = f"trial{trial}"
        moment = moments.uniform(0, length)
        process = start(folder, name)
        time.sleep(moment)
        process.kill()
        process.wait()
        again = start(folder, name)
        lines, _ = again.communicate()
        resumed = [line for line in lines.splitlines() if line.startswith("going on")]
        same = again.returncode == 0 and digests(folder / name) == wanted
        place = resumed[0] if resumed else "from the beginning"
        print(f"killed after {moment:5.2f} s; {place}: {'same' if same else 'DIFFERENT'}")
        found.append({"moment_s": round(moment, 3), "resumed": place, "same": same})
    return found, config


def start(folder: Path, name: str) -> subprocess.Popen[str]:
    command = [sys.executable, __file__, "--child", str(folder / name)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def child(folder: Path) -> int:
    torch.set_num_threads(1)
    trainer.SAVE_SECONDS = 0.0
    config = RunConfig.from_mapping(read_json(folder.parent / "config.json"))
    train(config, folder / "out", folder / "state")
    return 0


def digests(folder: Path) -> str:
    return json.dumps([file_digest(folder / "out" / name) for name in FILES])


if __name__ == "__main__":
    sys.exit(main())
