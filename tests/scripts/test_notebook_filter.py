"""Notebooks enter git as nbstripout would write them, and outputs never do."""

import copy
import json
import resource
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from mscm_lib.paths import project_root
from tests.scripts.conftest import cell, write

ROOT = project_root()
SOURCES = sorted((ROOT / "notebooks").glob("*.ipynb"))
strip = runpy.run_path(str(ROOT / "scripts" / "notebook_filter.py"))["strip"]


def _executed(source):
    """As JupyterLab and papermill leave a notebook: every kind of output, and their metadata."""
    notebook = copy.deepcopy(source)
    new = nbformat.v4.new_output
    outputs = [
        new("stream", text="epoch 1\nepoch 2"),
        new("display_data", {"image/png": "iVBORw0KGgo=", "text/plain": "<Figure>"}),
        new("execute_result", {"text/html": "<b>1</b>\n<i>2</i>"}, execution_count=7),
        new("error", ename="E", evalue="v", traceback=["\x1b[31mE\x1b[0m"]),
    ]
    for number, made in enumerate(c for c in notebook.cells if c.cell_type == "code"):
        made.outputs, made.execution_count = outputs[: number % 5], number
        made.metadata |= {
            "collapsed": True,
            "scrolled": False,
            "trusted": True,
            "papermill": {"s": 1},
        }
        made.metadata["execution"] = {"iopub.execute_input": "2026-01-01T00:00:00Z"}
    notebook.cells[0]["attachments"] = {
        "a.svg": {"image/svg+xml": "<svg>\n</svg>", "image/png": ["iVBO", "Rw0K"]},
        "b.json": {"application/json": ["one", "two"], "text/plain": "Größe\n日本\u2028x"},
    }
    notebook.metadata |= {
        "language_info": {"name": "python", "version": "3.12.1"},
        "widgets": {"application/vnd.jupyter.widget-state+json": {"state": {}}},
        "signature": "sha256:0",
        "papermill": {"duration": 1.5, "parameters": {"rate": 1e-05, "name": "Zürich"}},
    }
    return notebook


def test_it_writes_the_bytes_that_nbstripout_writes(tmp_path):
    paths = []
    for source in SOURCES:
        notebook = nbformat.read(source, as_version=4)
        paths += [tmp_path / source.name, tmp_path / f"executed_{source.name}"]
        paths[-2].write_text(json.dumps(notebook, indent=3), encoding="utf-8", newline="\r\n")
        nbformat.write(_executed(notebook), paths[-1])
    ours = {path: strip(path.read_bytes()) for path in paths}
    command = ["nbstripout", "--keep-id", "--extra-keys", "metadata.language_info", *paths]
    program = Path(sys.executable).parent / "nbstripout"
    subprocess.run([program, *command[1:]], check=True, cwd=tmp_path)
    for path in paths:
        theirs = path.read_bytes()
        if not path.name.startswith("executed_"):  # nbstripout leaves what holds nothing to strip
            theirs = (ROOT / "notebooks" / path.name).read_bytes()
        assert ours[path] == theirs, path.name
        assert strip(ours[path]) == ours[path]


def test_a_fresh_clone_shows_no_notebook_as_modified():
    for source in SOURCES:
        assert strip(source.read_bytes()) == source.read_bytes(), source.name


def test_no_cell_can_ask_to_keep_its_outputs():
    asking = cell("x", printed="secret")
    asking.metadata |= {"keep_output": True, "init_cell": True, "tags": ["keep_output"]}
    text = nbformat.writes(nbformat.v4.new_notebook(cells=[asking]))
    assert b"secret" not in strip(text.encode())


@pytest.mark.parametrize(
    "text",
    [
        '{"cells": [{"outputs": [{"text": "secret"',  # cut off
        '{"nbformat": 3, "worksheets": [{"cells": [{"outputs": [{"text": "secret"}]}]}]}',
        '<<<<<<< ours\n"execution_count": 3,\n=======\n"execution_count": null,\n>>>>>>> theirs\n',
        '[{"outputs": {"text": "secret"}}]',
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_what_may_hold_outputs_and_cannot_be_read_is_refused(text, encoding):
    with pytest.raises(ValueError):
        strip(text.encode(encoding))


@pytest.mark.parametrize("text", ["", '<<<<<<< ours\n"outputs": [ ],\n=======\n>>>>>>> theirs\n'])
def test_what_cannot_hold_outputs_passes_as_it_is(text):
    assert strip(text.encode()) == text.encode()


def _staged(clone):
    return clone.git("show", ":notebooks/10_train.ipynb").stdout


def _print_something(clone):
    write(
        clone.notebook, cell("# Title", "markdown", "a"), cell("x = 2", name="b", printed="secret")
    )


def test_outputs_stay_out_wherever_the_folder_is_moved(clone):
    clone.folder = clone.folder.rename(clone.folder.parent / 'an "other" folder’s name')
    clone.notebook = clone.folder / "notebooks" / "10_train.ipynb"
    _print_something(clone)
    clone.git("add", "-A")
    assert "x = 2" in _staged(clone) and "secret" not in _staged(clone)


def test_outputs_stay_out_in_a_worktree_and_after_it_is_removed(clone):
    aside = clone.folder.parent / "a work tree"
    clone.git("worktree", "add", "-q", aside, "main~1")  # from before the scripts
    shutil.copy(clone.notebook, aside / "notebooks")
    _print_something(clone)
    shutil.copy(clone.notebook, aside / "notebooks")
    clone.git("-C", aside, "add", "-A")
    assert "secret" not in clone.git("-C", aside, "show", ":notebooks/10_train.ipynb").stdout
    clone.run("bash", "scripts/git_drivers.sh")
    clone.git("worktree", "remove", "--force", aside)
    clone.git("add", "-A")
    assert "x = 2" in _staged(clone) and "secret" not in _staged(clone)


def test_commits_from_before_the_scripts_can_be_visited(clone):
    clone.git("checkout", "-q", "main~1")
    assert not (clone.folder / "scripts").exists()
    _print_something(clone)
    clone.git("add", "-A")
    assert "secret" not in _staged(clone)
    clone.git("checkout", "-q", "-f", "main")
    assert clone.git("status", "--short").stdout == ""


@pytest.mark.parametrize("fault", ["script", "python", "notebook"])
def test_git_takes_nothing_when_the_filter_fails(clone, fault):
    _print_something(clone)
    if fault == "script":
        (clone.folder / ".git" / "notebook_filter.py").unlink()
    elif fault == "python":
        clone.env["PATH"] = str(clone.folder)
        (clone.folder / "git").symlink_to(shutil.which("git"))
    else:
        text = clone.notebook.read_text()
        clone.notebook.write_text(text[: text.index("secret") + 6])
        assert clone.git("status", "--short").returncode == 0
    done = clone.git("add", "notebooks", check=False)
    missing = {"script": "notebook_filter.py", "python": "python3", "notebook": "10_train.ipynb"}
    assert done.returncode != 0 and missing[fault] in done.stderr
    assert "x = 1" in _staged(clone)


def test_a_tool_that_knows_only_the_plain_form_strips_as_well(clone):
    _print_something(clone)
    command = clone.git("config", "filter.nbstripout.clean").stdout
    with clone.notebook.open() as source:
        done = clone.run("sh", "-c", command, stdin=source)
    assert "x = 2" in done.stdout and "secret" not in done.stdout


def test_a_look_at_all_touched_notebooks_costs_one_process(clone):
    for source in SOURCES:
        shutil.copy(source, clone.folder / "notebooks")
    clone.commit()
    for path in clone.notebook.parent.iterdir():
        path.touch()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    clone.git("status", "--short")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 3  # seconds
