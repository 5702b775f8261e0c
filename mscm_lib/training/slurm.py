"""A study's runs on a SLURM cluster, through submitit; README.md has the whole call.

A `StageJob` executes the stage's notebook on one device, as ``dvc repro`` would; afterwards ``dvc
commit --force train`` tells DVC that the stages are done, and ``make study`` goes on from there. A
`TrainJob` is one training on many devices: ``tasks_per_node=8, gpus_per_node=8, nodes=2`` makes
sixteen processes of it.

A job that reaches its time limit or is preempted goes back into the queue by itself and resumes
from its last saved state; the nodes must share the project's folder.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import submitit
from submitit.helpers import DelayedSubmission, TorchDistributedEnvironment

from mscm_lib.config import RunConfig
from mscm_lib.errors import ConfigError, TrainingError
from mscm_lib.paths import project_root, resolve
from mscm_lib.training.engine import train

_COMMAND = [sys.executable, "-m", "mscm_lib.cli", "run"]


def _queue_again(job: Callable[[], str]) -> DelayedSubmission:
    """Called by submitit before a job is ended from outside: queue it again as it is."""
    return DelayedSubmission(job)


@dataclass(frozen=True)
class TrainJob:
    """One training, in as many processes as the job has tasks.

    Attributes:
        config: the run's parameters.
        output: the run's folder.
        state: the folder of its resumable state; None for the default.
    """

    config: RunConfig
    output: Path
    state: Path | None = None
    checkpoint = _queue_again

    def __call__(self) -> str:
        """Train in this task; returns the run's summary."""
        if submitit.JobEnvironment().num_tasks > 1:
            TorchDistributedEnvironment().export(set_cuda_visible_devices=False)
        return train(self.config, self.output, self.state).summary


@dataclass(frozen=True)
class StageJob:
    """One pipeline stage's notebook: ``arguments`` of ``mscm run``, as ("train", "<run>")."""

    arguments: tuple[str, ...]
    checkpoint = _queue_again

    def __call__(self) -> str:
        """Execute the notebook; raises `TrainingError` with what it said when it failed."""
        words = [*_COMMAND, *self.arguments]
        done = subprocess.run(words, cwd=project_root(), capture_output=True, text=True)
        print(done.stdout, end="")
        if done.returncode:
            raise TrainingError(f"{' '.join(words)} failed: {done.stderr.strip()}")
        return done.stdout


def submit(
    jobs: Mapping[str, Callable[[], Any]],
    logs: Path | str = "build/slurm",
    cluster: str = "slurm",
    **resources: Any,
) -> dict[str, submitit.Job[Any]]:
    """Hand ``jobs`` to the cluster as one array; returns a handle for each, without waiting.

    Args:
        jobs: what to run, by name.
        logs: folder for submitit's scripts, outputs and results.
        cluster: "slurm", "local" (processes on this machine) or "debug" (in this process).
        resources: as `submitit.AutoExecutor.update_parameters` takes them, for example
            ``timeout_min``, ``gpus_per_node``, ``slurm_partition``, ``slurm_array_parallelism``.

    Raises:
        ConfigError: there is no such cluster here, or a resource is unknown.
    """
    try:
        executor = submitit.AutoExecutor(resolve(logs), cluster=cluster)
        executor.update_parameters(name="mscm", **resources)
    except (NameError, RuntimeError, ValueError) as error:
        raise ConfigError(f"cluster = {cluster!r} cannot take these jobs: {error}") from error
    with executor.batch():
        handles = {name: executor.submit(job) for name, job in jobs.items()}
    return handles
