"""What a pipeline stage hands to its notebook, and where the notebook's outputs go."""

from __future__ import annotations

from mscm_lib.config import unknown_key
from mscm_lib.errors import ConfigError
from mscm_lib.paths import resolve
from mscm_lib.study.code import STAGES
from mscm_lib.study.plan import planned, planned_of


def run_stage(kind: str, name: str) -> None:
    """Execute one stage's notebook with the parameters that the plan names.

    ``kind`` is train or evaluate, of a run, or reference, of a dataset. Outputs lie in
    ``runs/<kind>/<name>``, the executed notebook in ``runs/notebooks``.

    Raises:
        ConfigError: no stage is called so, or the plan does not have the run.
        NotebookError: the notebook failed.
    """
    if kind not in STAGES:
        raise ConfigError(unknown_key("stage", kind, list(STAGES)))
    reference = kind == "reference"
    parameters = planned_of(name, kind) if reference else planned(name, kind)
    parameters["output"] = f"runs/{kind}/{name}"
    if kind == "evaluate":
        parameters["trained"] = f"runs/train/{name}"
    stem = STAGES[kind]
    from mscm_lib.study.execute import execute  # takes seconds: what is asked is checked first

    said = f"mscm run {kind} {name}"
    execute(stem, resolve(f"runs/notebooks/{stem}/{name}.ipynb"), parameters, said)
