"""Fingerprints of code: what pipeline stages, resumable states and caches go by.

Reading a notebook changes its bytes, and so does mending a sentence. A fingerprint lists modules of
the library, and a notebook's code, each with the digest of its program alone: comments, docstrings,
layout, prose and outputs do not count. It holds what is imported, directly or not: of a package the
modules whose names are taken from it, of the metric losses the one that a run uses. Parameters count
by their values, which stand in the plan, so what reads them is left out, and so is what only words
errors and writes files. The parts that a stage needs no result of are left out for it (``without``):
what draws results, what reads a dataset's tree, what brings in a user's own parts.
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from mscm_lib.config import METRIC_LOSSES, RunConfig
from mscm_lib.errors import DataError
from mscm_lib.own_parts import sources
from mscm_lib.paths import project_root

PACKAGE = "mscm_lib"
DRAWING = (f"{PACKAGE}.reports",)
"""What draws results and does not make them."""
LOSSES = f"{PACKAGE}.losses"
_NO_NUMBERS = ("config", "coercion", "settings", "errors", "files", "paths", "provenance",
               "code_fingerprint")  # fmt: skip
_READS_PLANS = ("settings", "definition", "variants", "reading", "plan", "code", "notebook",
                "prepare", "execute")  # fmt: skip
_READS_TREES = ("listing", "listed", "mistaken", "recognise", "regdb_checks", "table_checks",
                "table_rows", "table_text")  # fmt: skip
LEFT_OUT = (
    *(f"{PACKAGE}.{name}" for name in _NO_NUMBERS),
    *(f"{PACKAGE}.study.{name}" for name in _READS_PLANS),
)
OWN_PARTS = tuple(
    f"{PACKAGE}.{name}" for name in ("own_parts", "own_checks", "models.own", "losses.own")
)
"""What brings in a user's parts, of which a run without any reads nothing."""
TREES = (
    f"{PACKAGE}.data.faults",
    *(f"{PACKAGE}.data.layouts.{name}" for name in _READS_TREES),
    f"{PACKAGE}.data.packed.decoding",
)
"""What reads a tree on disk into packed arrays, whose own digest counts for all that comes after."""
PACKED = (*DRAWING, *TREES)
"""What does not count where packed arrays are read and numbers made."""
Fingerprint = dict[str, str]
"""Digests by name of a module, a notebook or a file."""


def of_modules(
    modules: Iterable[str], loss: str | None = None, without: Sequence[str] = DRAWING
) -> Fingerprint:
    """The library's modules that ``modules`` reach through their imports.

    Args:
        modules: dotted names.
        loss: the metric loss that counts; None: all count.
        without: modules and packages that do not count here.

    Raises:
        DataError: there is no such module.
    """
    start = [*modules]
    if loss in METRIC_LOSSES:
        start.append(f"{LOSSES}.{METRIC_LOSSES[loss]}")
    passed_over = _dotted((*LEFT_OUT, *without))
    seen, found = set[str](), Fingerprint()
    while start:
        name = start.pop()
        above = name.rpartition(".")[0]
        found |= _frame(above) if above else {}
        seen.add(name)
        digest, imports = _module(name)
        found[name] = digest
        if name == LOSSES and loss is not None:  # which imports them all, to choose one
            imports = imports - {f"{LOSSES}.{module}" for module in METRIC_LOSSES.values()}
        start += [n for n in imports - seen if not f"{n}.".startswith(passed_over)]
        seen |= imports
    return dict(sorted(found.items()))


def of_training(config: RunConfig) -> Fingerprint:
    """What a run's weights are made by, the user's own parts included."""
    own = of_own_parts(config)
    without = PACKED if own else (*PACKED, *OWN_PARTS)
    return of_modules([f"{PACKAGE}.training.engine"], config.metric_loss, without) | own


def of_own_parts(config: RunConfig) -> Fingerprint:
    """The files of a run's own parts (see `mscm_lib.own_parts`)."""
    return {path.name: _digest(_parsed(path)) for path in sources(config)}


def of_notebook(
    path: Path, loss: str | None = None, without: Sequence[str] = DRAWING
) -> Fingerprint:
    """A notebook's code, and the library's modules that it reaches; arguments as `of_modules`.

    Raises:
        DataError: the file is no notebook, or a cell is no Python.
    """
    code = "\n".join(source for kind, source in _cells(path) if kind == "code")
    try:
        tree = _program(code)
    except SyntaxError as error:
        raise DataError(f"{path}: a code cell is no Python ({error})") from error
    taken = {name for name in _imported(tree) if not f"{name}.".startswith(_dotted(LEFT_OUT))}
    return {path.name: _digest(tree)} | of_modules(taken, loss, without)


def _parsed(path: Path) -> ast.Module:
    try:
        return _program(path.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError) as error:
        raise DataError(f"{path}: not readable as Python ({error})") from error


@cache
def _program(text: str) -> ast.Module:
    return ast.parse(text)


def of_prose(path: Path) -> str:
    """The digest of a notebook's cells, prose included and outputs left out."""
    return hashlib.sha256(json.dumps(_cells(path)).encode()).hexdigest()[:16]


def _cells(path: Path) -> list[tuple[str, str]]:
    """Kind and source of a notebook's cells; raises `DataError` where the file is none."""
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        return [(cell["cell_type"], "".join(cell["source"])) for cell in cells]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: not a readable notebook ({error})") from error


def differing(one: Fingerprint, other: Fingerprint) -> list[str]:
    """Names whose digests differ, or that only one has."""
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


def _module(name: str) -> tuple[str, frozenset[str]]:
    """A module's digest, and the library's modules that it takes names from."""
    tree = _tree(name)
    return _digest(tree), _imported(tree) - {name}


def _tree(name: str) -> ast.Module:
    path = _file(name)
    if path is None:
        raise DataError(f"{name}: no such module in {project_root()}")
    return _parsed(path)


def _frame(package: str) -> Fingerprint:
    """What a package, and those above it, do when a module is imported beside importing others."""
    above = package.rpartition(".")[0]
    own = _on_import(_tree(package))
    return (_frame(above) if above else {}) | ({f"{package} (import)": own} if own else {})


@cache
def _on_import(tree: ast.Module) -> str:
    """The digest of what a package's own file does beside importing and defining; "" for nothing."""
    plain = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)
    own = [node for node in tree.body if not isinstance(node, plain)]
    own = [node for node in own if not ast.unparse(node).startswith(("__all__", "'", '"'))]
    return _digest(ast.Module(own, [])) if own else ""


@cache
def _imported(tree: ast.Module) -> frozenset[str]:
    """Library modules that a program takes names from; of a package, where the name is from."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if _file(alias.name)}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {_home(node.module, alias.name) for alias in node.names}
    return frozenset(n for n in found if n.split(".")[0] == PACKAGE and _file(n))


def _home(module: str, name: str) -> str:
    """The module that ``from module import name`` takes the name from."""
    if _file(f"{module}.{name}"):
        return f"{module}.{name}"
    path = _file(module)
    if path and path.name == "__init__.py" and module.split(".")[0] == PACKAGE:
        for node in _tree(module).body:
            if isinstance(node, ast.ImportFrom) and node.module:
                names = {alias.asname or alias.name for alias in node.names}
                if name in names and not node.level:
                    return _home(node.module, name)
    return module


def _dotted(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(f"{name}." for name in names)


@cache
def _digest(tree: ast.Module) -> str:
    """Of the program without docstrings; comments and layout are gone in the tree."""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    whole = [(node, node.body) for node in ast.walk(tree) if isinstance(node, kinds)]
    for node, body in whole:
        match body:
            case [ast.Expr(ast.Constant(str())), *rest]:
                node.body = rest or [ast.Pass()]
    text = ast.unparse(tree)
    for node, body in whole:  # others read the same tree, and a copy takes longer than all the rest
        node.body = body
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _file(name: str) -> Path | None:
    """A module's file in the project."""
    return _found(project_root(), name)


@cache
def _found(root: Path, name: str) -> Path | None:
    path = root.joinpath(*name.split("."))
    files = (path / "__init__.py", path.with_suffix(".py"))
    return next((file for file in files if file.is_file()), None)
