"""What every notebook does first: take its parameters, and know them by name."""

from __future__ import annotations

import types
import warnings
from typing import Any

import pandas as pd

from mscm_lib.config import RunConfig, unknown_key
from mscm_lib.errors import ConfigError
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

    def values(self) -> dict[str, Any]:
        """What was set, by name, leaving out what was imported, private names and IPython's own."""
        return {
            key: value
            for key, value in self._namespace.items()
            if key not in self._before
            and not key.startswith("_")
            and key not in _IPYTHON
            and not isinstance(value, types.ModuleType)
            and not callable(value)
        }

    def take(self, *known: str) -> dict[str, Any]:
        """The values of a notebook whose parameters are exactly ``known``.

        Raises:
            ConfigError: a parameter that this notebook does not know was given.
        """
        values = self.values()
        for key in values:
            if key not in known:
                raise ConfigError(unknown_key("parameter", key, list(known)))
        return values

    def run_config(self, *others: str) -> RunConfig:
        """The run that the parameters name, with the study's and the variant's values filled in.

        A parameter left at None keeps the study's value. ``others`` are names that the notebook
        uses itself.

        Raises:
            ConfigError: a name is unknown or misspelt, a value is wrong, or values do not combine.
        """
        values = {
            key: value
            for key, value in self.values().items()
            if key not in others and value is not None
        }
        for key in ("dataset", "variant"):
            if not isinstance(values.get(key), str):
                raise ConfigError(f"{key} = {values.get(key)!r}: expected a name")
        study = find_study(values["dataset"])
        return resolve_run(study, values["dataset"], values["variant"], values)


def as_table(values: dict[str, Any], header: str = "value") -> pd.DataFrame:
    """A mapping as a two-column table for display."""
    texts = [", ".join(map(str, v)) if isinstance(v, list) else str(v) for v in values.values()]
    return pd.DataFrame({header: texts}, index=pd.Index(values, name="parameter"))


_IPYTHON = {"In", "Out", "exit", "quit", "get_ipython", "open"}
