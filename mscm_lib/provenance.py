"""Where a result comes from: what a reader needs to make it again."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch

COMMAND = "MSCM_COMMAND"
"""The environment variable by which a kernel knows the command that it runs for."""
_IN_COMMON = ("commit", "processor", "device", "threads", "system", "versions")


def provenance(
    parameters: Mapping[str, Any], fingerprint: str = "", *, device: torch.device
) -> dict[str, Any]:
    """The record that stands beside every result: plain values, and no date.

    Args:
        parameters: of the run, or of whatever else made the result.
        fingerprint: of the dataset, as `ReidDataset.fingerprint` gives it; "" where none was read.
        device: what it was computed on.
    """
    return {
        "commit": commit(),
        "command": command(),
        "parameters": dict(parameters),
        "seed": parameters.get("seed"),
        "dataset_fingerprint": fingerprint,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "processor": processor(),
        "threads": torch.get_num_threads(),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": versions(),
    }


def machine(origin: Mapping[str, Any]) -> str:
    """What a result was computed on, from its provenance: the accelerator, or threads of a CPU."""
    if origin["device"] == "cpu":
        return f"{origin['threads']} threads of {origin['processor']}"
    return str(origin["device"])


def commit() -> str:
    """The commit that the library's own source stands at; "-dirty" where it differs from it.

    "unknown" where no git repository tracks that source, as in an installed copy below the working
    tree of another project.
    """
    package = Path(__file__).resolve().parent
    if not git(package, "ls-files", "--error-unmatch", "--", "__init__.py"):
        return "unknown"
    head = git(package, "rev-parse", "HEAD")
    changed = git(package, "status", "--porcelain", "--", ".")
    return f"{head}-dirty" if changed else head or "unknown"


def command() -> str:
    """The command that makes the result, without the machine's own folders.

    Of a notebook, what the pipeline calls it by, or the command line that started its kernel.
    """
    if os.environ.get(COMMAND):
        return os.environ[COMMAND]
    words = sys.argv
    if Path(words[0]).stem == "ipykernel_launcher":
        with suppress(psutil.Error):
            words = psutil.Process().parent().cmdline()  # type: ignore[union-attr]
        if len(words) > 1 and Path(words[0]).stem.startswith("python"):
            words = words[1:]
    program = Path(words[0]).name if words and words[0] else "python"
    return " ".join([program, *words[1:]])


def processor() -> str:
    """The CPU's model name."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that numbers depend on."""
    found = {"python": platform.python_version(), "numpy": np.__version__}
    for name, package in (("torchvision", "torchvision"), ("mscm_lib", "mscm-study")):
        try:
            found[name] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return {**found, "torch": torch.__version__}


def git(root: Path, *arguments: str) -> str:
    """What git says in a folder; "" where it fails or is not there."""
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.rstrip("\n")  # a line of `git status` may begin with a blank


def mixed(records: Sequence[Mapping[str, Any]]) -> str:
    """What the runs of one table should have in common and have not, in a sentence; "" if nothing."""
    found = {key: sorted({str(each[key]) for each in records}) for key in _IN_COMMON}
    told = [f"{key} ({'; '.join(values)})" for key, values in found.items() if len(values) > 1]
    if not told:
        return ""
    return f"these runs differ in {', in '.join(told)}, and so may their figures by that alone"
