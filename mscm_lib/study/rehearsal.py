"""The paper's studies rehearsed on miniature trees: every stage, search, split and draw, small.

Each rehearsal runs in a copy of the project, so that the study itself is left alone. With real data
the only differences are the path and the sizes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from mscm_lib.data.emulated.emulate import emulate
from mscm_lib.errors import StudyError
from mscm_lib.files import write_text
from mscm_lib.paths import project_root, resolve
from mscm_lib.study.reading import read_yaml
from mscm_lib.study.repository import dvc_alone

SIZES = {"height": 64, "width": 32}
RUN: dict[str, Any] = {
    "backbone": "resnet18",
    "weights": "none",
    "epochs": 2,
    "steps_per_epoch": 2,
    "identities_per_batch": 3,
    "images_per_identity": 2,
    "warmup_epochs": 1,
    "milestones": [1],
}


def rehearse(names: Sequence[str]) -> None:
    """Run the paper's study on a miniature tree of each dataset, below ``build/rehearsal``.

    Raises:
        StudyError: a stage failed; its own message stands above.
    """
    began = time.monotonic()
    for name in names:
        root = resolve(f"build/rehearsal/{name}")
        copy_project(root)
        write_miniature(root, name)
        if not (root / f"data/raw/{name}.dvc").is_file():
            tree = resolve(f"build/rehearsal/trees/{name}")
            emulate(name, tree, scale="miniature")
            _mscm(root, "enter", name, str(tree))
        _mscm(root, "study", name)
    print(f"\nRehearsed in {(time.monotonic() - began) / 60:.1f} min. Where to look:")
    for name in names:
        print(f"  build/rehearsal/{name}/results/{name}/README.md")


def _mscm(root: Path, *arguments: str) -> None:
    command = [sys.executable, "-m", "mscm_lib.cli", *arguments]
    if subprocess.run(command, cwd=root, env=environment(root)).returncode:
        raise StudyError(f"the rehearsal stopped at: mscm {arguments[0]}; its files are in {root}")


def write_miniature(root: Path, name: str) -> None:
    """The study's own file below ``root``, at miniature sizes; nothing else differs."""
    path = f"studies/{name}/study.yaml"
    values = read_yaml(resolve(path))
    for definition in values["data"].values():
        definition.update(SIZES)
    values["title"] = f"Rehearsal on a miniature tree: {values['title']}"
    values["run"] = values["run"] | RUN
    write_text(root / path, yaml.safe_dump(values, sort_keys=False))


def copy_project(destination: Path) -> None:
    """Copy the project's own files (all that git is not to ignore) to ``destination``.

    Results, data entered and the locks of finished stages stay behind. Files that are there already
    are brought up to date; what a former rehearsal made is kept for DVC to judge.
    """
    source = project_root()
    with tempfile.TemporaryDirectory() as empty:  # the tree may be of no repository of its own
        git = ["git", f"--git-dir={empty}", "--work-tree=."]
        subprocess.run([*git, "init", "--quiet"], cwd=source, check=True)
        command = [*git, "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
        listed = subprocess.run(command, cwd=source, capture_output=True, text=True, check=True)
    for name in listed.stdout.split("\0"):
        made = name.startswith(("results/", "data/")) or name.endswith("dvc.lock")
        if name and not made and (source / name).is_file():
            target = destination / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / name, target)
    dvc_alone(destination)


def environment(root: Path) -> dict[str, str]:
    """The environment in which ``root``'s own copy of the library is the one that is imported."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {"PYTHONPATH": str(root), "PATH": path}
