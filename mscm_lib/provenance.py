"""Where a result comes from: what a reader needs to make it again."""

from __future__ import annotations

import hashlib
import platform
import subprocess
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mscm_lib.config import RunConfig
from mscm_lib.paths import project_root

MODULES_BEHIND_WEIGHTS = (
    "config.py",
    "data",
    "models",
    "losses",
    "metrics",
    "evaluation",
    "training",
)


def provenance(
    config: RunConfig | Mapping[str, Any],
    fingerprint: str = "",
    seed: int | None = None,
    device: torch.device | str = "cpu",
) -> dict[str, Any]:
    """The record that stands beside every result.

    Args:
        config: the parameters of the run, or of whatever else made the result.
        fingerprint: of the dataset, as `ReidDataset.fingerprint` gives it; "" where none was read.
        seed: of the run; None takes ``config``'s.
        device: what it was computed on.

    Returns:
        Plain values: ``commit`` (with "-dirty" where tracked files were changed, "unknown" outside
        git), ``command``, ``parameters``, ``seed``, ``dataset_fingerprint``, ``device``,
        ``processor``, ``threads``, ``system`` and ``versions``. There is no date in it.
    """
    parameters = config.as_dict() if isinstance(config, RunConfig) else dict(config)
    device = torch.device(device)
    return {
        "commit": commit(),
        "command": command(),
        "parameters": parameters,
        "seed": parameters.get("seed") if seed is None else seed,
        "dataset_fingerprint": fingerprint,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "processor": processor(),
        "threads": torch.get_num_threads(),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": versions(),
    }


def commit() -> str:
    """The commit that the library's source stands at; "unknown" outside a git checkout."""
    root = project_root()
    head = _git(root, "rev-parse", "HEAD")
    if not head:
        return "unknown"
    changed = _git(root, "status", "--porcelain", "--untracked-files=no", "--", "mscm_lib")
    return f"{head}-dirty" if changed else head


def command() -> str:
    """The command line of this process, without the machine's own folders."""
    program = Path(sys.argv[0]).name if sys.argv and sys.argv[0] else "python"
    return " ".join([program, *sys.argv[1:]])


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


def code_digest() -> str:
    """SHA-256 over the source of all modules that a run's weights can depend on."""
    root = Path(__file__).resolve().parent
    digest = hashlib.sha256()
    for name in MODULES_BEHIND_WEIGHTS:
        place = root / name
        for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            digest.update(f"{path.relative_to(root).as_posix()}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _git(root: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()
