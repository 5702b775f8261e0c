"""Shared by every test: one torch thread, and the project as it is committed.

Tests run in a copy of the working tree's sources with the results of the last commit, so that they
read nothing that a user's own study, experiments or book have left, and leave nothing there. In a
tree without git nothing tells the one from the other, and its results are taken as they are.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # so that workers side by side do not fight for cores
os.environ.setdefault("MKL_NUM_THREADS", "1")

import matplotlib
import torch

from mscm_lib.study.rehearsal import copy_project

matplotlib.use("Agg")
torch.set_num_threads(1)
SOURCE = Path(__file__).resolve().parent.parent
TREE = "MSCM_TEST_TREE"


def pytest_configure(config):
    """Make the copy once for all workers, and go there."""
    os.environ.pop("MSCM_COMMAND", None)
    if TREE not in os.environ:
        os.environ[TREE] = tempfile.mkdtemp(prefix="mscm tree ")
        config.own_tree = os.environ[TREE]
        os.chdir(SOURCE)
        copy_committed(Path(os.environ[TREE]))
    os.environ["PYTHONPATH"] = str(SOURCE)  # of kernels and commands that tests start there
    os.chdir(os.environ[TREE])


def pytest_unconfigure(config):
    if hasattr(config, "own_tree"):
        os.chdir(SOURCE)
        shutil.rmtree(config.own_tree, ignore_errors=True)
        del os.environ[TREE]


def copy_committed(destination):
    """The working tree's sources below ``destination``, with the results of the last commit."""
    copy_project(destination)
    archive = subprocess.run(
        ["git", "archive", "--format=tar", "HEAD", "results"], cwd=SOURCE, capture_output=True
    )
    if archive.returncode:
        shutil.copytree(SOURCE / "results", destination / "results", dirs_exist_ok=True)
    else:
        subprocess.run(["tar", "-x", "-C", destination], input=archive.stdout, check=True)
