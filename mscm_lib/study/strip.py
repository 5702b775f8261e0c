"""Stripped copies of notebooks and code, the ones that pipeline stages depend on.

Reading a notebook in JupyterLab changes its bytes, and so does mending a sentence. Stages depend
on copies from which everything that cannot change a result is gone: outputs, prose and metadata
from notebooks; comments, docstrings and layout from the library. For each notebook the copies
hold the library modules that it imports, directly or not, and no others. Plotting
(`mscm_lib.reports`) is left out of them: it draws results and does not make them.
"""

from __future__ import annotations

import ast
import shutil
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbstripout import strip_output

from mscm_lib.errors import DataError
from mscm_lib.files import write_text
from mscm_lib.paths import project_root

PACKAGE = "mscm_lib"
DRAWING = f"{PACKAGE}.reports"


def strip_all(destination: Path | str) -> None:
    """Write ``notebooks/`` (with prose) and ``code/<entry>/`` (without) below ``destination``.

    Entries are the notebooks by stem, and `prepare`, `generate`, `tables`, `figures` for the
    stages that run as commands.
    """
    root, destination = project_root(), Path(destination)
    library = read_library()
    shutil.rmtree(destination, ignore_errors=True)
    for path in sorted((root / "notebooks").glob("*.ipynb")):
        notebook = read_notebook(path)
        write_text(destination / "notebooks" / path.name, nbformat.writes(clean(notebook)) + "\n")
        code = code_of(notebook)
        folder = destination / "code" / path.stem
        write_text(folder / "notebook.py", code)
        _write_modules(folder, library.reached_by(code))
    for entry, modules in COMMANDS.items():
        start = "".join(f"import {module}\n" for module in modules)
        drawing = entry in ("figures", "reports")
        _write_modules(destination / "code" / entry, library.reached_by(start, drawing))


COMMANDS = {
    "prepare": [f"{PACKAGE}.data.packed"],
    "generate": [f"{PACKAGE}.data.generated"],
    "tables": [f"{PACKAGE}.study.tables"],
    "figures": [f"{PACKAGE}.reports.figures"],
    "reports": [
        f"{PACKAGE}.reports.{name}"
        for name in ("pages", "numbers", "paper_curve", "paper_tables", "experiment_figures")
    ],
}


@dataclass(frozen=True)
class Library:
    """The library's modules by dotted name: their normalised source, and what each imports."""

    sources: dict[str, str]
    imports: dict[str, set[str]]

    def reached_by(self, code: str, follow_drawing: bool = False) -> dict[str, str]:
        """Sources of every module that ``code`` imports, directly or not, sorted by name."""
        start = _imports(code, "", self.sources)
        return {
            name: self.sources[name]
            for name in sorted(closure(start, self.imports, follow_drawing))
        }


def read_library() -> Library:
    """The library as it stands below the project's root."""
    sources = {name: normalise(text) for name, text in _library(project_root()).items()}
    imports = {name: _imports(text, name, sources) for name, text in sources.items()}
    return Library(sources, imports)


def read_notebook(path: Path) -> nbformat.NotebookNode:
    """A notebook from disk; raises `DataError` naming the file when it is none."""
    try:
        return nbformat.read(path, as_version=4)
    except Exception as error:  # nbformat raises several unrelated types
        raise DataError(f"{path}: not a readable notebook ({error})") from error


def clean(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The notebook without outputs, counters and machine-dependent metadata."""
    return strip_output(
        notebook,
        keep_output=False,
        keep_count=False,
        keep_id=False,
        extra_keys=["metadata.language_info"],
    )


def code_of(notebook: nbformat.NotebookNode) -> str:
    """The code cells in order, normalised, as one module."""
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    return normalise("\n".join(cells))


def normalise(source: str) -> str:
    """``source`` without comments, docstrings and layout: the same program, the same text."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            body = node.body
            first = body[0] if body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                node.body = body[1:] or [ast.Pass()]
    return ast.unparse(tree) + "\n"


def closure(
    start: set[str], imports: dict[str, set[str]], follow_drawing: bool = False
) -> set[str]:
    """Every library module that ``start`` reaches through ``imports``."""
    found: set[str] = set()
    waiting = sorted(start)
    while waiting:
        name = waiting.pop()
        if name in found or (name.startswith(DRAWING) and not follow_drawing):
            continue
        found.add(name)
        waiting += sorted(imports.get(name, set()))
    return found


def _library(root: Path) -> dict[str, str]:
    modules = {}
    for path in sorted((root / PACKAGE).rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        modules[name] = path.read_text(encoding="utf-8")
    return modules


def _imports(source: str, importer: str, sources: dict[str, str]) -> set[str]:
    """Library modules named in ``source``, each with the packages above it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            parts = name.split(".")
            found |= {".".join(parts[: i + 1]) for i in range(len(parts))} & set(sources)
    return found - {importer}


def _write_modules(folder: Path, modules: dict[str, str]) -> None:
    for name, source in modules.items():
        write_text(folder / f"{name}.py", source)
