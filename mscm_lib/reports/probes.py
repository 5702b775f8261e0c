"""What linear probes read from an experiment's features, as tables for readers."""

from __future__ import annotations

import pandas as pd

from mscm_lib.reports.experiments import Experiment, read_table


def probes_by_kind(experiment: Experiment) -> pd.DataFrame:
    """Means over attributes and seeds of what probes read, 0 chance and 1 always right.

    Returns:
        A row a kind of target on the first dataset whose modalities keep something for themselves
        (else the first of all), a column a variant; without rows where nothing was measured.
    """
    table = read_table(experiment.study.name, "probes")
    if table.empty:
        return pd.DataFrame()
    private = table[table["kind"] == "own"]["dataset"]
    wanted = private.iloc[0] if len(private) else table["dataset"].iloc[0]
    names = {
        "shared": "shared attributes", "own": "private, their own",
        "other": "private, the other's", "camera": "camera", "modality": "modality",
    }  # fmt: skip
    here = table[table["dataset"] == wanted].copy()
    here["what"] = here["kind"].map(names) + ", " + here["images"] + " images"
    return _wide(here, "what", experiment)


def probes_by_attribute(experiment: Experiment, dataset: str) -> pd.DataFrame:
    """The same attribute by attribute on one dataset, visible and infrared images apart."""
    table = read_table(experiment.study.name, "probes")
    if table.empty:
        return pd.DataFrame()
    here = table[(table["dataset"] == dataset) & table["kind"].isin(["shared", "own", "other"])]
    named = here["target"].str.replace("_", " ") + ", " + here["kind"] + ", " + here["images"]
    return _wide(here.assign(what=named), "what", experiment)


def _wide(table: pd.DataFrame, rows: str, experiment: Experiment) -> pd.DataFrame:
    found = table.pivot_table(index=rows, columns="variant", values="above_chance", sort=False)
    found = found[[name for name in experiment.study.variants if name in found]]
    return found.rename(columns=experiment.label).rename_axis(index=None, columns=None)
