"""House rules that every notebook keeps."""

import ast

import nbformat
import pytest
from nbstripout import strip_output

from mscm_lib.paths import project_root

SOURCES = sorted((project_root() / "notebooks").glob("*.ipynb"))
assert SOURCES


@pytest.fixture(params=SOURCES, ids=lambda path: path.stem)
def notebook(request):
    return nbformat.read(request.param, as_version=4)


def _code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_sources_hold_no_outputs(notebook):
    assert all(not cell.outputs and cell.execution_count is None for cell in _code(notebook))


def test_the_git_filter_changes_nothing(notebook, request):
    """A fresh clone, in which set-up configures the filter, shows no notebook as modified."""
    path = request.node.callspec.params["notebook"]
    filtered = strip_output(
        notebook, keep_output=False, keep_count=False, keep_id=True,
        extra_keys=["metadata.language_info"],
    )  # fmt: skip
    assert nbformat.writes(filtered).rstrip("\n") == path.read_text().rstrip("\n")


def test_one_parameters_cell_of_plain_values(notebook):
    tagged = [c for c in notebook.cells if "parameters" in c.metadata.get("tags", [])]
    assert len(tagged) == 1
    for statement in ast.parse(tagged[0].source).body:
        assert isinstance(statement, ast.Assign)
        ast.literal_eval(statement.value)  # no derived values


def test_prose_carries_the_thread(notebook):
    code = _code(notebook)
    assert 25 <= len(notebook.cells) <= 45
    assert len(notebook.cells) - len(code) >= len(code)
    assert notebook.cells[0].source.startswith("# ")


def test_code_cells_are_short(notebook):
    """Twelve lines, or twenty where a cell builds a function or a class."""
    for cell in _code(notebook):
        built = ast.ClassDef, ast.FunctionDef
        builds = any(isinstance(node, built) for node in ast.parse(cell.source).body)
        assert len(cell.source.splitlines()) <= (20 if builds else 12), cell.source


def test_kernel_is_python3(notebook):
    assert notebook.metadata.kernelspec.name == "python3"
