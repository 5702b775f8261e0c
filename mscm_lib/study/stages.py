"""What a pipeline stage hands to its notebook, and where the notebook's outputs go."""

from __future__ import annotations

from typing import Any

from mscm_lib.config import unknown_key
from mscm_lib.errors import ConfigError
from mscm_lib.paths import resolve
from mscm_lib.study.execute import execute
from mscm_lib.study.settings import RunName, load_study


def run_stage(notebook: str, dataset: str, variant: str, trial: int, seed: int) -> None:
    """Execute one stage's notebook; outputs lie below ``runs/`` under the run's own name.

    Raises:
        ConfigError: the notebook is none of a stage's, or the run is not in the chosen study.
        NotebookError: the notebook failed.
    """
    if notebook not in STAGES:
        raise ConfigError(unknown_key("stage notebook", notebook, list(STAGES)))
    study = load_study()
    if dataset not in study.data:
        raise ConfigError(unknown_key("dataset", dataset, list(study.data)))
    run = RunName(dataset, variant, trial, seed)
    kind = STAGES[notebook]
    if kind == "reference":
        parameters: dict[str, Any] = {
            "dataset": dataset,
            "output": f"runs/reference/{dataset}",
            "variant": study.variants[-1],
            "seeds": list(study.seeds),
            "trials": list(study.trials),
        }
        name = dataset
    else:
        name = run.folder
        parameters = {
            "dataset": dataset,
            "variant": variant,
            "trial": trial,
            "seed": seed,
            "output": f"runs/{kind}/{name}",
        }
        if kind == "evaluate":
            parameters["trained"] = f"runs/train/{name}"
    execute(notebook, resolve(f"runs/notebooks/{notebook}/{name}.ipynb"), parameters)


STAGES = {"10_train": "train", "20_evaluate": "evaluate", "21_reference_rankings": "reference"}
