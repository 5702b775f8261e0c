"""A notebook that cannot run says why in one line, however it was started."""

import json
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from mscm_lib.paths import project_root
from mscm_lib.study import execute as module
from mscm_lib.study.execute import NotebookError, execute


@pytest.fixture
def notebook(tmp_path, monkeypatch):
    """A function that writes notebooks/some.ipynb of a project of its own."""
    monkeypatch.setattr(module, "project_root", lambda: tmp_path)

    def write(*sources):
        cells = [nbformat.v4.new_code_cell(source) for source in sources]
        (tmp_path / "notebooks").mkdir()
        nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "notebooks/some.ipynb")

    return write


@pytest.fixture
def kernel(tmp_path, monkeypatch):
    """A function that puts a kernel named python3 before the environment's own."""

    def write(*argv):
        folder = tmp_path / "jupyter" / "kernels" / "python3"
        folder.mkdir(parents=True)
        about = {"argv": list(argv), "display_name": "x", "language": "python"}
        (folder / "kernel.json").write_text(json.dumps(about))
        monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))

    return write


@pytest.mark.parametrize("program", ["/nowhere/bin/python", "/usr/bin/env"])
def test_the_kernel_of_another_environment_is_refused_by_name(notebook, kernel, tmp_path, program):
    notebook("1")
    kernel(program, "-m", "ipykernel_launcher", "-f", "{connection_file}")
    with pytest.raises(NotebookError) as caught:
        execute("some", tmp_path / "out.ipynb", {})
    said = str(caught.value)
    assert program in said and str(tmp_path / "jupyter") in said and "\n" not in said


def test_a_kernel_that_does_not_start_names_the_cause_and_the_remedy(notebook, kernel, tmp_path):
    notebook("1")
    kernel(sys.executable, "-c", "raise SystemExit(1)")
    with pytest.raises(NotebookError) as caught:
        execute("some", tmp_path / "out.ipynb", {})
    said = str(caught.value)
    assert "The cause: " in said and "make distclean setup" in said and "\n" not in said
    assert not (tmp_path / "out.ipynb").exists()


def test_a_kernel_that_is_killed_leaves_what_was_executed(notebook, tmp_path):
    notebook("print('so far')", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(NotebookError, match="for want of memory") as caught:
        execute("some", tmp_path / "out.ipynb", {})
    assert "\n" not in str(caught.value)
    assert "so far" in (tmp_path / "out.failed.ipynb").read_text()
    assert not (tmp_path / "out.ipynb").exists()


def test_no_terminal_colours_enter_a_notebook_or_a_log(notebook, tmp_path, capfd):
    notebook("def f():\n    return 1 / 0\n", "f()")
    with pytest.raises(NotebookError, match="cell 2 failed: ZeroDivisionError"):
        execute("some", tmp_path / "out.ipynb", {})
    text = (tmp_path / "out.failed.ipynb").read_text()
    assert "ZeroDivisionError" in text and "u001b" not in text
    assert "\x1b" not in "".join(capfd.readouterr())


def test_papermill_itself_ends_with_one_line_of_ours(tmp_path):
    """The library's own frames are gone; papermill's stand above, as it prints them for any error."""
    cells = ["from mscm_lib.study.notebook import Parameters\ngiven = Parameters(globals())"]
    cells += ["seed = 1", 'given.take("seed")']
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    notebook.metadata["kernelspec"] = {
        "name": "python3",
        "display_name": "Python 3",
        "language": "python",
    }
    notebook.cells[1].metadata["tags"] = ["parameters"]
    nbformat.write(notebook, tmp_path / "in.ipynb")
    program = Path(sys.executable).parent / "papermill"
    command = [program, "in.ipynb", "out.ipynb", "-p", "sede", "3", "--cwd", project_root()]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    said = done.stderr.split("Exception encountered at")[1].strip().splitlines()
    assert done.returncode == 1 and len(said) == 2
    assert said[1].startswith("ConfigError: unknown parameter 'sede'")
    assert "notebook.py" not in (tmp_path / "out.ipynb").read_text()
