"""A diff of two notebook versions, as set up by the repository, shows prose and code only."""

import runpy
import subprocess
import sys
from pathlib import Path

import nbformat

from mscm_lib.paths import project_root


def _notebook(path, number, prose, code):
    cells = [nbformat.v4.new_markdown_cell(prose), nbformat.v4.new_code_cell(code)]
    for cell in cells:
        cell["id"] = f"{cell.cell_type}-tag{number}"
    cells[1].outputs = [nbformat.v4.new_output("stream", text=f"printed {number}\n")]
    cells[1].execution_count = number
    cells[1].metadata["seen"] = f"metadata {number}"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)


def test_a_notebook_diff_shows_prose_and_code_only(tmp_path):
    options = runpy.run_path(str(project_root() / "scripts/notebook_drivers.py"))["UNSEEN"]
    _notebook(tmp_path / "old.ipynb", 1, "What stays.\n\nOld words.", "import math\n\nx = 1")
    _notebook(tmp_path / "new.ipynb", 2, "What stays.\n\nNew words.", "import math\n\nx = 2")
    driver = Path(sys.executable).parent / "nbdiff"
    command = [driver, "--no-git", "--no-color", *options, "old.ipynb", "new.ipynb"]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True).stdout
    for word in ("Old words.", "New words.", "x = 1", "x = 2"):
        assert word in said
    for word in ("printed", "execution_count", "metadata", "-tag"):
        assert word not in said
