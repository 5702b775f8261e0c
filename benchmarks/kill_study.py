"""Kill a whole study in each of its stages; does the same command finish it, with the same tables?

    python benchmarks/kill_study.py [--kills 10] [--output results/benchmarks/kill_study.json]

In a clone of the last commit a tiny study is made once undisturbed and once with kills: `mscm study`
and all that it started get SIGKILL while a stage is at work that was not hit before, at a moment drawn
uniformly over the time that it took undisturbed, saving its outputs included. After each kill git has
to see nothing changed but results and DVC's locks; the last call goes to the end. What is compared
are the study's tables and the weights, byte for byte; half-written files that are left are counted.
`benchmarks/kill_and_resume.py` asks the same of a training alone.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
import yaml
from common import record

from mscm_lib.files import file_digest
from mscm_lib.paths import project_root
from mscm_lib.study.reading import read_yaml
from mscm_lib.study.rehearsal import environment, write_miniature

STUDY = "quick"
MADE = ("results/", "dvc.lock", f"studies/{STUDY}/dvc.lock")
PEOPLE = {"train_identities": 8, "test_identities": 4, "shots": 2}
STAGE = re.compile(r"Running stage '(?:.*dvc\.yaml:)?([^']+)'")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=10, help="at most one a stage")
    parser.add_argument("--seed", type=int, default=0, help="of the stages and the moments")
    parser.add_argument("--output", default="results/benchmarks/kill_study.json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        undisturbed, killed = Path(name, "undisturbed"), Path(name, "killed")
        clone(undisturbed)
        shutil.copytree(undisturbed, killed, symlinks=True)
        lengths = made(undisturbed)
        print(f"an undisturbed study takes {sum(lengths.values()):.0f} s, {len(lengths)} stages")
        result = trials(killed, lengths, options.kills, random.Random(options.seed))
        result |= {"left": leftovers(killed), "same": digests(killed) == digests(undisturbed)}
    print(f"tables and weights are {'the same' if result['same'] else 'DIFFERENT'}")
    print("\n".join(f"left behind: {path}" for path in result["left"]))
    clean = result["same"] and not result["left"] and not any(k["changed"] for k in result["kills"])
    record(options.output, vars(options), torch.device("cpu"), result)
    return 0 if clean else 1


def clone(root: Path) -> None:
    """A clone of the last commit whose quick study takes seconds, with nothing made yet."""
    git(root.parent, "clone", "-q", str(project_root()), str(root))
    write_miniature(root, STUDY)
    path = root / f"studies/{STUDY}/study.yaml"
    values = read_yaml(path)
    data = values["data"]
    values["data"] = {STUDY: data[STUDY] | {"settings": data[STUDY]["settings"] | PEOPLE}}
    path.write_text(yaml.safe_dump(values, sort_keys=False))
    subprocess.run(["mscm", "plan"], cwd=root, env=environment(root), check=True)
    git(root, "rm", "-rq", "--ignore-unmatch", f"results/{STUDY}", "*dvc.lock")
    git(root, "add", "-A")
    git(root, "-c", "user.name=tiny", "-c", "user.email=tiny@localhost", "commit", "-qm", "Tiny")


def git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True)
    return done.stdout


def start(root: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["mscm", "study", STUDY, "--jobs", "2"],
        cwd=root,
        env=environment(root),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def made(root: Path) -> dict[str, float]:
    """Make the study; seconds from each stage's beginning to the next line of another, or the end."""
    began: dict[str, float] = {}
    with start(root) as process:
        said = []
        for line in process.stdout or ():
            said.append(line)
            if match := STAGE.search(line):
                began[match[1]] = time.monotonic()
    if process.returncode:
        sys.exit("".join(said))
    ends = [*list(began.values())[1:], time.monotonic()]
    return {name: end - start for (name, start), end in zip(began.items(), ends, strict=True)}


def trials(
    root: Path, lengths: dict[str, float], kills: int, moments: random.Random
) -> dict[str, Any]:
    """Kill the study in stages drawn by lot, in the order in which they come, and finish it."""
    wanted = {*moments.sample(sorted(lengths), min(kills, len(lengths)))}
    found = []
    while True:
        process = start(root)
        hit = ""
        for line in process.stdout or ():
            if (match := STAGE.search(line)) and match[1] in wanted:
                hit, after = match[1], moments.uniform(0, lengths[match[1]])
                time.sleep(after)
                os.killpg(process.pid, signal.SIGKILL)
                break
        process.communicate()
        if not hit:
            break
        wanted.remove(hit)
        status = git(root, "status", "--porcelain", "-uall").splitlines()
        changed = [line for line in status if not line[3:].startswith(MADE)]
        print(f"killed {after:5.2f} s into {hit}: {changed or 'no source changed'}", flush=True)
        found.append({"stage": hit, "moment_s": round(after, 3), "changed": changed})
    if process.returncode:
        sys.exit("the call after the last kill did not finish the study")
    return {"kills": found, "finished": True}


def leftovers(root: Path) -> list[str]:
    """Half-written files that outlived the kills."""
    return sorted(str(path.relative_to(root)) for path in root.rglob(".*.part"))


def digests(root: Path) -> dict[str, str]:
    tables = sorted((root / f"results/{STUDY}/tables").iterdir())
    weights = sorted(root.glob("runs/train/*/model.safetensors"))
    return {str(path.relative_to(root)): file_digest(path) for path in [*tables, *weights]}


if __name__ == "__main__":
    sys.exit(main())
