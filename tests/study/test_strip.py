import nbformat
import pytest

from mscm_lib.errors import DataError
from mscm_lib.study.strip import clean, closure, code_of, normalise, read_notebook


def _notebook(code, prose):
    cells = [nbformat.v4.new_markdown_cell(prose), nbformat.v4.new_code_cell(code)]
    return nbformat.v4.new_notebook(cells=cells)


def test_comments_docstrings_and_layout_do_not_count():
    plain = "def f(x):\n    return x + 1\n"
    dressed = '"""Module."""\n\n\ndef f( x ):\n    """Doc."""\n    # why\n    return x+1\n'
    assert normalise(plain) == normalise(dressed)
    assert normalise(plain) != normalise(plain.replace("1", "2"))


def test_a_function_of_a_docstring_alone_stays_a_function():
    assert normalise('class A:\n    """Doc."""\n') == "class A:\n    pass\n"


def test_prose_and_outputs_do_not_count_but_code_does():
    read = _notebook("x = 1", "Some words")
    executed = _notebook("x = 1", "Better words")
    executed.cells[1].outputs = [nbformat.v4.new_output("stream", text="1")]
    executed.cells[1].execution_count = 4
    executed.metadata["language_info"] = {"name": "python", "version": "3.11.7"}
    assert code_of(read) == code_of(executed)
    assert code_of(read) != code_of(_notebook("x = 2", "Some words"))
    stripped = clean(executed)
    assert "language_info" not in stripped.metadata
    assert stripped.cells[1].outputs == []


def test_closure_follows_imports_and_leaves_drawing_out():
    imports = {
        "mscm_lib.a": {"mscm_lib.b"},
        "mscm_lib.b": {"mscm_lib.reports.c"},
        "mscm_lib.reports.c": {"mscm_lib.d"},
    }
    assert closure({"mscm_lib.a"}, imports) == {"mscm_lib.a", "mscm_lib.b"}
    assert closure({"mscm_lib.a"}, imports, follow_drawing=True) == {
        "mscm_lib.a",
        "mscm_lib.b",
        "mscm_lib.reports.c",
        "mscm_lib.d",
    }


def test_a_broken_notebook_is_named(tmp_path):
    path = tmp_path / "10_train.ipynb"
    path.write_text("{")
    with pytest.raises(DataError, match=r"10_train\.ipynb"):
        read_notebook(path)
