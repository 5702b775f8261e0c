"""Merges and diffs of notebooks: by cells where nbdime can, as text where not, and nothing is lost."""

import os
import shlex
import sys
from pathlib import Path

import nbformat
import pytest

from tests.scripts.conftest import cell, write

TITLE, CODE, END = (
    cell("# Title", "markdown", "a"),
    cell("x = 1", name="b"),
    cell("y = 2", name="c"),
)


def _two_sides(clone, ours, theirs):
    """Both made from TITLE, CODE, END; checked out: ours."""
    write(clone.notebook, TITLE, CODE, END)
    clone.commit("base")
    clone.git("branch", "theirs")
    write(clone.notebook, *ours)
    clone.commit("ours")
    clone.git("checkout", "-q", "theirs")
    write(clone.notebook, *theirs)
    clone.commit("theirs")
    clone.git("checkout", "-q", "main")


def test_a_diff_of_an_executed_copy_shows_its_outputs(clone):
    clone.env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{clone.env['PATH']}"
    copy = clone.folder / "results/quick/reports/a.ipynb"
    copy.parent.mkdir(parents=True)
    said = []
    for number in (1, 2):
        executed = cell("print(x)", name="b")
        executed["outputs"] = [nbformat.v4.new_output("stream", text=f"rank-1 {number}\n")]
        write(copy, TITLE, executed)
        said.append(copy.read_bytes())
        clone.commit(f"made {number}")
    assert clone.git("show", "HEAD:results/quick/reports/a.ipynb").stdout.encode() == said[1]
    shown = clone.git("diff", "HEAD~1", "HEAD").stdout
    assert "rank-1 1" in shown and "rank-1 2" in shown and "/cells/1/outputs" in shown


def _nbdime(clone, code):
    """An environment whose nbdime does as ``code`` says; `out` is the file to write."""
    folder = clone.folder / ".venv" / "bin"
    folder.mkdir(parents=True)
    (folder / "git-nbmergedriver").touch()
    stub = folder / "stub.py"
    stub.write_text(f"import sys\nout = sys.argv[5]\n{code}\n")
    call = shlex.join([sys.executable, "-IS", str(stub)])  # a shebang's path may hold no blank
    (folder / "python").write_text(f'#!/bin/sh\nexec {call} "$@"\n')
    (folder / "python").chmod(0o755)


def _merge(clone):
    return clone.git("merge", "-q", "theirs", check=False)


def test_the_crash_of_nbdime_on_two_insertions_at_one_place_loses_no_cell(clone):
    """Cells alike but for their names: nbdime ends with a TypeError, and one side alone in the file."""
    clone.env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{clone.env['PATH']}"
    alike = "value = compute(1)\nassert value == 2"
    ours = cell("Why it is so.", "markdown"), cell(alike, name="ours")
    theirs = cell(alike, name="theirs"), cell("How it is done.", "markdown")
    _two_sides(clone, [TITLE, *ours, CODE, END], [TITLE, *theirs, CODE, END])
    done = _merge(clone)
    assert "nbdime failed (TypeError" in done.stderr
    text = clone.notebook.read_text()
    assert "Why it is so." in text and "How it is done." in text
    assert done.returncode == 0 or ("<<<<<<<" in text and ">>>>>>>" in text)


@pytest.mark.parametrize(
    "code",
    [
        "raise SystemExit(70)",  # crashed
        "raise SystemExit(1)",  # says conflict, and leaves one side
        "sys.exit(open(out, 'w').write('') * 0)",  # says merged, and wrote nothing
        "import os; os.kill(os.getpid(), 9)",
    ],
)
def test_when_nbdime_fails_both_sides_stand_there_with_marks(clone, code):
    _nbdime(clone, code)
    _two_sides(clone, [TITLE, cell("ours"), CODE, END], [TITLE, cell("theirs"), CODE, END])
    done = _merge(clone)
    assert done.returncode == 1 and "10_train.ipynb: nbdime " in done.stderr
    text = clone.notebook.read_text()
    assert all(word in text for word in ("<<<<<<<", '"ours"', "=======", '"theirs"', ">>>>>>>"))
    assert "UU notebooks/10_train.ipynb" in clone.git("status", "--short").stdout
    assert "ours" in clone.git("diff").stdout  # the filter lets conflict marks be looked at


def test_without_nbdime_sides_that_do_not_touch_are_merged(clone):
    changed = cell("y = 3", name="c")
    _two_sides(clone, [TITLE, cell("new"), CODE, END], [TITLE, CODE, changed])
    assert _merge(clone).returncode == 0
    sources = [c.source for c in nbformat.read(clone.notebook, 4).cells]
    assert sources == ["# Title", "new", "x = 1", "y = 3"]


def test_a_text_merge_that_is_no_notebook_is_a_conflict(clone):
    """Each side changes one bracket of a pair: the lines merge, the JSON does not."""
    _nbdime(clone, "raise SystemExit(70)")
    folder = clone.folder
    (folder / "base").write_text('{"cells": [\n1,\n2,\n3,\n4\n]}\n')
    (folder / "ours").write_text('{"cells": {\n1,\n2,\n3,\n4\n]}\n')
    (folder / "theirs").write_text('{"cells": [\n1,\n2,\n3,\n4\n]}}\n')
    script = folder / ".git" / "notebook_drivers.py"
    done = clone.run("python3", script, "merge", "base", "ours", "theirs", "7", "n", check=False)
    assert done.returncode == 1 and "no notebook" in done.stderr


def test_an_environment_that_is_gone_stops_neither_diff_nor_merge(clone):
    _nbdime(clone, "")
    (clone.folder / ".venv" / "bin" / "python").unlink()
    (clone.folder / ".venv" / "bin" / "python").symlink_to("/nowhere/python3")
    _two_sides(clone, [TITLE, cell("ours"), CODE, END], [TITLE, CODE, END, cell("theirs")])
    assert '+    "ours"' in clone.git("diff", "main~1").stdout
    assert _merge(clone).returncode in (0, 1)
    assert "ours" in clone.notebook.read_text() and "theirs" in clone.notebook.read_text()


def test_a_diff_into_a_pipe_holds_no_colours(clone):
    _nbdime(clone, "print(sys.argv)")
    write(clone.notebook, TITLE, cell("x = 5", name="b"))
    assert "--no-color" in clone.git("diff").stdout
    clone.env["GIT_PAGER_IN_USE"] = "true"
    assert "--no-color" not in clone.git("diff").stdout
