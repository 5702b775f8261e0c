import json

import pytest

from mscm_lib import code_fingerprint as fingerprint
from mscm_lib.config import METRIC_LOSSES, RunConfig
from mscm_lib.errors import DataError
from mscm_lib.paths import project_root


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A small library; gives a function that writes a module of it and says its fingerprint."""
    (tmp_path / "dvc.yaml").write_text("")
    monkeypatch.chdir(tmp_path)
    for path, text in {
        "__init__": "",
        "a": "from mscm_lib.b import f\nfrom mscm_lib.pack import g\n",
        "b": "from mscm_lib.reports.c import draw\ndef f(x):\n    return x + 1\n",
        "reports/__init__": "",
        "reports/c": "import mscm_lib.d\n",
        "d": "",
        "pack/__init__": "from mscm_lib.pack.one import g\nfrom mscm_lib.pack.two import h\n",
        "pack/one": "def g():\n    return 1\n",
        "pack/two": "def h():\n    return 2\n",
    }.items():
        file = tmp_path / f"mscm_lib/{path}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def written(path="", text="", **how):
        if path:
            (tmp_path / f"mscm_lib/{path}.py").write_text(text)
        return fingerprint.of_modules(["mscm_lib.a"], **how)

    return written


def test_comments_docstrings_and_layout_do_not_count(library):
    plain = library()
    dressed = (
        '"""M."""\nfrom mscm_lib.reports.c import draw\n\ndef f( x ):\n    """Doc."""\n'
        "    # why\n    return x+1\n"
    )
    assert library("b", dressed) == plain
    changed = library("b", dressed.replace("x+1", "x+2"))
    assert fingerprint.differing(plain, changed) == ["mscm_lib.b"]


def test_of_a_package_only_where_the_name_comes_from_counts(library):
    plain = library()
    assert "mscm_lib.pack.one" in plain and "mscm_lib.pack.two" not in plain
    assert library("pack/two", "def h():\n    return 3\n") == plain
    assert library("pack/one", "def g():\n    return 3\n") != plain


def test_drawing_counts_only_where_it_is_asked_for(library):
    assert "mscm_lib.reports.c" not in library()
    assert {"mscm_lib.reports.c", "mscm_lib.d"} <= library(without=()).keys()


def test_what_a_package_does_when_it_is_imported_counts(library):
    plain = library()
    assert library("__init__", '"""Doc."""\n__all__ = ["a"]\n') == plain
    assert library("__init__", "import os\nos.environ['X'] = '1'\n") != plain


@pytest.mark.parametrize("loss", [*METRIC_LOSSES, "none"])
def test_of_the_losses_a_run_goes_by_its_own(loss):
    found = fingerprint.of_modules(["mscm_lib.training.engine"], loss)
    others = {f"mscm_lib.losses.{module}" for module in METRIC_LOSSES.values()}
    own = METRIC_LOSSES.get(loss)
    assert (f"mscm_lib.losses.{own}" in found) == (own is not None)
    assert "mscm_lib.losses.common" in found or own is None
    for module in others & found.keys():  # another one only if its own is built on it
        text = (project_root() / f"mscm_lib/losses/{own}.py").read_text()
        assert module.endswith(f".{own}") or module in text


def test_a_training_goes_by_no_evaluation_option_drawing_or_generator():
    found = fingerprint.of_training(RunConfig())
    assert "mscm_lib.models.network" in found and "mscm_lib.training.trainer" in found
    for name in found:
        assert not name.startswith(
            ("mscm_lib.reports", "mscm_lib.study", "mscm_lib.data.generated")
        )
        assert name not in ("mscm_lib.config", "mscm_lib.evaluation.rankings")


def test_a_training_reads_packed_arrays_and_goes_by_no_reader_of_trees():
    training = fingerprint.of_training(RunConfig())
    packing = fingerprint.of_modules(["mscm_lib.data.packed.opened"])
    assert {"mscm_lib.data.layouts.table_rows", "mscm_lib.data.packed.decoding"} <= packing.keys()
    assert not set(fingerprint.TREES) & training.keys()
    # what is searched, by which rule and in what, is no matter of trees
    assert {"mscm_lib.data.base", "mscm_lib.data.layouts.sysu"} <= training.keys()
    assert set(fingerprint.TREES) <= packing.keys()  # and every name is a module's


def _notebook(path, code, prose, **cell):
    cells = [
        {"cell_type": "markdown", "source": [prose], "metadata": {}},
        {"cell_type": "code", "source": [code], "metadata": {}, **cell},
    ]
    path.write_text(json.dumps({"cells": cells, "metadata": cell}))
    return path


def test_prose_and_outputs_do_not_count_but_code_does(tmp_path):
    read = _notebook(tmp_path / "n.ipynb", "x = 1", "Some words")
    first, prose = fingerprint.of_notebook(read), fingerprint.of_prose(read)
    _notebook(read, "x = 1  # one", "Better words", outputs=["1"], execution_count=4)
    assert fingerprint.of_notebook(read) == first and fingerprint.of_prose(read) != prose
    _notebook(read, "x = 2", "Some words")
    assert fingerprint.of_notebook(read) != first


@pytest.mark.parametrize("text", ["{", "[]", '{"cells": [{"source": "x"}]}'])
def test_a_broken_notebook_is_named(tmp_path, text):
    path = tmp_path / "10_train.ipynb"
    path.write_text(text)
    with pytest.raises(DataError, match=r"10_train\.ipynb"):
        fingerprint.of_notebook(path)


def test_a_cell_that_is_no_python_is_named(tmp_path):
    with pytest.raises(DataError, match=r"n\.ipynb: a code cell is no Python"):
        fingerprint.of_notebook(_notebook(tmp_path / "n.ipynb", "x = = 1", ""))


def test_what_brings_in_own_parts_counts_where_a_run_has_some(tmp_path):
    part = tmp_path / "my_parts.py"
    part.write_text("class Mine:\n    pass\n")
    plain = fingerprint.of_training(RunConfig())
    own = fingerprint.of_training(RunConfig().replace(backbone=f"{part}:Mine"))
    assert not set(fingerprint.OWN_PARTS) & plain.keys()
    assert set(own) - set(plain) == {"my_parts.py", *fingerprint.OWN_PARTS}
    assert all(plain[name] == own[name] for name in plain)
