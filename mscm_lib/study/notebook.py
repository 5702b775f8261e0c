"""What every notebook does first: take its parameters, and know them by name."""

from __future__ import annotations

import ast
import types
import warnings
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pandas as pd

from mscm_lib import own_parts
from mscm_lib.coercion import coerce, shown
from mscm_lib.config import RunConfig, check_known, check_least
from mscm_lib.errors import ConfigError, StudyError
from mscm_lib.paths import existing, from_root, here
from mscm_lib.study.settings import find_study, resolve_run

# A library that imports tqdm warns of missing widgets; progress is printed as text on purpose.
warnings.filterwarnings("ignore", message="IProgress not found")


class Parameters:
    """The names that a notebook's parameters cell, and papermill's after it, set.

    papermill only warns of a misspelt parameter and goes on with the default. Here every name set
    between the construction of this object and the reading of it must be a known one.

        given = Parameters(globals())      # the cell before the one tagged `parameters`
        config = given.run_config()        # the cell after it
    """

    def __init__(self, namespace: dict[str, Any]) -> None:
        self._namespace = namespace
        self._before = set(namespace) | {"given"}
        if shell := namespace.get("get_ipython"):
            shell().set_custom_exc((StudyError,), _one_line)
        self._cell = len(namespace.get("In", []))  # of IPython's history, which the next one begins

    def values(self) -> dict[str, Any]:
        """What was set, by name, leaving out what was imported, private names and IPython's own."""
        others = self._before | {"In", "Out", "exit", "quit", "get_ipython", "open"}
        return {
            key: value
            for key, value in self._namespace.items()
            if key not in others and not key.startswith("_")
            and not isinstance(value, types.ModuleType) and not callable(value)
        }  # fmt: skip

    def take(self, *known: str) -> dict[str, Any]:
        """The values of a notebook whose parameters are exactly ``known``.

        Raises:
            ConfigError: a parameter that this notebook does not know was given, or one of another
                kind than its default.
        """
        values, defaults = self.values(), self._defaults()
        for key, value in values.items():
            check_known("parameter", key, known)
            default = defaults.get(key)
            if isinstance(default, list) and not isinstance(value, list):
                raise ConfigError(f"{key} = {shown(value)}: expected a list such as {default}")
            if isinstance(default, list) and len(kinds := {*map(type, default)}) == 1:
                values[key] = self._namespace[key] = [_coerced(key, v, *kinds) for v in value]
            if isinstance(default, (bool, int, float, str)):
                values[key] = self._namespace[key] = _coerced(key, value, type(default))
        return values | self._placed({k: v for k, v in values.items() if v != defaults.get(k)})

    def run_config(self, *others: str) -> RunConfig:
        """The run that the parameters name; what they leave out has the study's value.

        That is the study that defines the dataset, and then the variant. Where every parameter that
        weights depend on is given, as by the pipeline, no study is asked.

        Args:
            others: names that the notebook uses itself; those alone may be None.

        Raises:
            ConfigError: a name is unknown or misspelt, a value is wrong, or values do not combine.
        """
        given = self._placed(self.values())
        values = {key: value for key, value in given.items() if key not in others}
        if RunConfig().training().keys() <= values.keys():
            return RunConfig.from_mapping(values)
        study = find_study(coerce("dataset", values.get("dataset"), str))
        variant = coerce("variant", values.get("variant"), str)
        return resolve_run(study, values["dataset"], variant, values)

    def _placed(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """``values`` with paths found from where the person is; the notebook has them so too."""
        placed = dict(values)
        for key, value in values.items():
            if not isinstance(value, str) or value in ("", "none", "imagenet"):
                continue
            if key == "output":
                placed[key] = from_root(here(value))
            elif key in _READ:
                placed[key] = from_root(existing(value, "file", "folder"))
            elif key in own_parts.KEYS and own_parts.is_own(value):
                file, _, name = value.rpartition(":")
                placed[key] = f"{from_root(existing(file))}:{name}"
            self._namespace[key] = placed[key]
        return placed

    def _defaults(self) -> dict[str, Any]:
        """What the parameters cell sets, before papermill's: the first value of each name."""
        found: dict[str, Any] = {}
        for cell in self._namespace.get("In", [])[self._cell :]:
            with suppress(SyntaxError):
                for node in ast.parse(cell).body:
                    match node:
                        case ast.Assign([ast.Name(name)], value) if name not in self._before:
                            with suppress(ValueError):
                                found.setdefault(name, ast.literal_eval(value))
        return found


def _coerced(key: str, value: Any, kind: type) -> Any:
    """`coerce`, with no seed below zero."""
    found = coerce(key, value, kind)
    if key in ("seed", "seeds"):
        check_least(key, found, 0)
    return found


def _one_line(
    shell: Any, kind: type, error: Exception, trace: Any, tb_offset: Any = None
) -> list[str]:
    """Show an error that names its own cause and remedy without the library's lines above it."""
    said = [f"{kind.__name__}: {error}"]
    shell._showtraceback(kind, error, said)
    return said


def as_table(values: dict[str, Any], header: str = "value") -> pd.DataFrame:
    """A mapping as a two-column table for display."""
    texts = [", ".join(map(str, v)) if isinstance(v, list) else str(v) for v in values.values()]
    return pd.DataFrame({header: texts}, index=pd.Index(values, name="parameter"))


_READ = ("checkpoint", "trained", "weights", "results", "sysu_root", "regdb_root", "llcm_root")
"""Parameters that are paths to read, wherever a notebook has them; ``output`` is one to write."""
