"""A small clone as set-up leaves it, in a folder whose name holds a blank and an apostrophe."""

import os
import shutil
import subprocess
from pathlib import Path

import nbformat
import pytest

from mscm_lib.paths import project_root

ROOT = project_root()


class Clone:
    """A git work tree, and commands in it that see neither the user's settings nor an environment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.notebook = folder / "notebooks" / "10_train.ipynb"
        kept = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
        who = {
            f"GIT_{role}_{what}": "a@b"
            for role in ("AUTHOR", "COMMITTER")
            for what in ("NAME", "EMAIL")
        }
        self.env = kept | who | {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "LC_ALL": "C",
        }  # fmt: skip

    def run(self, *command, check=True, **options):
        done = subprocess.run(
            command, cwd=self.folder, env=self.env, capture_output=True, text=True, **options
        )
        assert not check or done.returncode == 0, done.stderr
        return done

    def git(self, *arguments, check=True):
        return self.run("git", *arguments, check=check)

    def commit(self, message="a change"):
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)


def cell(text, kind="code", name=None, printed=None):
    new = nbformat.v4.new_code_cell if kind == "code" else nbformat.v4.new_markdown_cell
    made = new(text)
    made["id"] = name or f"id-{abs(hash((text, kind))) % 10**8}"
    if printed:
        made.outputs = [nbformat.v4.new_output("stream", text=printed)]
        made.execution_count = 3
    return made


def write(path, *cells):
    path.parent.mkdir(exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=list(cells)), path)


@pytest.fixture
def clone(tmp_path):
    """With one commit before the scripts were there, and one notebook."""
    made = Clone(tmp_path / "somebody's folder")
    made.folder.mkdir()
    made.git("init", "-q", "-b", "main")
    for name in (".gitattributes", ".gitignore"):
        shutil.copy(ROOT / name, made.folder)
    write(made.notebook, cell("# Old", "markdown"), cell("x = 1"))
    made.commit("before the scripts")
    (made.folder / "scripts").mkdir()
    for name in ("git_drivers.sh", "notebook_filter.py", "notebook_drivers.py"):
        shutil.copy(ROOT / "scripts" / name, made.folder / "scripts")
    made.run("bash", "scripts/git_drivers.sh")
    write(made.notebook, cell("# Title", "markdown", "a"), cell("x = 1", name="b"))
    made.commit("with the scripts")
    return made
