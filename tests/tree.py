"""The project as it is committed, for all tests.

Tests run in a copy of the working tree's sources with the results of the last commit, so that they
read nothing that a user's own study, experiments or book have left, and leave nothing there. In a
tree without git nothing tells the one from the other, and its results are taken as they are.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from mscm_lib.study.rehearsal import copy_project

SOURCE = Path(__file__).resolve().parent.parent
TREE, ORIGIN = "MSCM_TEST_TREE", "MSCM_TEST_ORIGIN"


def enter():
    """Go to the copy, which the first process makes; gives it to whoever has to remove it."""
    made = None
    if TREE not in os.environ:
        made = os.environ[TREE] = tempfile.mkdtemp(prefix="mscm tree ")
        os.environ[ORIGIN] = str(SOURCE)  # workers import this module from the copy
        os.chdir(SOURCE)
        copy_committed(Path(made))
    os.environ.pop("MSCM_COMMAND", None)
    os.environ["PYTHONPATH"] = str(SOURCE)  # of kernels and commands that tests start there
    os.chdir(os.environ[TREE])
    return made


def leave(made):
    """Remove the copy."""
    os.chdir(SOURCE)
    shutil.rmtree(made, ignore_errors=True)
    del os.environ[TREE]


def committed(name):
    """A file's bytes at the last commit; in a tree without git as they are."""
    origin = Path(os.environ[ORIGIN])
    shown = subprocess.run(["git", "show", f"HEAD:{name}"], cwd=origin, capture_output=True)
    return (origin / name).read_bytes() if shown.returncode else shown.stdout


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
