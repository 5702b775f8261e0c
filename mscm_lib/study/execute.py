"""Run a pipeline stage's notebook, or any other, through papermill."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mscm_lib.config import check_known
from mscm_lib.errors import StudyError
from mscm_lib.files import atomic_path
from mscm_lib.paths import project_root, resolve
from mscm_lib.study.code import STAGES
from mscm_lib.study.plan import planned, planned_of


class NotebookError(StudyError):
    """A notebook's cell failed; the executed part is kept beside the wanted output."""


def run_stage(kind: str, name: str) -> None:
    """Execute one stage's notebook with the parameters that the plan names.

    Outputs lie in ``runs/<kind>/<name>``, the executed notebook in ``runs/notebooks``.

    Args:
        kind: train or evaluate, of a run, or reference, of a dataset.
        name: of the run or dataset.

    Raises:
        ConfigError: the plan does not have it.
        NotebookError: the notebook failed.
    """
    parameters = planned_of(name, kind) if kind == "reference" else planned(name, kind)
    parameters["output"] = f"runs/{kind}/{name}"
    if kind == "evaluate":
        parameters["trained"] = f"runs/train/{name}"
    output = resolve(f"runs/notebooks/{STAGES[kind]}/{name}.ipynb")
    execute(STAGES[kind], output, parameters, f"mscm run {kind} {name}")


def _of_known_parameters(record: logging.LogRecord) -> bool:
    """papermill warns of each parameter that has no default in the notebook, which checks them all."""
    return not record.getMessage().startswith("Passed unknown parameter")


@contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    """A variable that the kernels started within the block inherit."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        os.environ.pop(name)
        if before is not None:
            os.environ[name] = before


def execute(stem: str, output: Path, parameters: dict[str, Any], command: str = "") -> None:
    """Execute ``notebooks/<stem>.ipynb`` with ``parameters`` into ``output``.

    The kernel runs in the project's root. The executed notebook appears whole or not at all; after
    a failure what was executed stays at ``<output>.failed.ipynb`` for a look. ``command`` is what
    results name as the command that made them.

    Raises:
        ConfigError: there is no such notebook.
        NotebookError: a cell failed; the message is the cell's own error. Or there was no kernel of
            this environment to run it, or it died.
    """
    import papermill
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError
    from papermill.log import logger

    from mscm_lib.provenance import COMMAND

    source = project_root() / "notebooks" / f"{stem}.ipynb"
    check_known("notebook", stem, [path.stem for path in source.parent.glob("*.ipynb")])
    _check_kernel()
    failed = output.with_suffix(".failed.ipynb")
    failed.unlink(missing_ok=True)
    logger.addFilter(_of_known_parameters)
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    said = command or f"papermill notebooks/{stem}.ipynb"
    with atomic_path(output) as part, warnings.catch_warnings(), _environment(COMMAND, said):
        # papermill reads the kind of file from its ending
        target = part.with_suffix(".ipynb")
        try:
            papermill.execute_notebook(
                str(source),
                str(target),
                parameters,
                kernel_name="python3",
                log_output=True,
                stdout_file=sys.stdout,
                stderr_file=sys.stderr,
                progress_bar=False,
                cwd=str(project_root()),
                # no remarks of the kernel on its sockets and its end; no terminal's colours in files and logs
                extra_arguments=["--log-level=CRITICAL", "--InteractiveShell.colors=nocolor"],
            )
        except PapermillExecutionError as error:
            target.replace(failed)
            raise NotebookError(
                f"notebooks/{stem}.ipynb: cell {error.exec_count} failed: {error.ename}: "
                f"{error.evalue}\nThe executed part is in {failed}"
            ) from error
        except DeadKernelError as error:
            target.replace(failed)
            raise NotebookError(
                f"notebooks/{stem}.ipynb: its kernel was ended from outside, most often by the system "
                f"for want of memory. What was executed is in {failed}; the same command goes on"
            ) from error
        except RuntimeError as error:  # what nbclient raises when there is no answer at all
            raise NotebookError(f"notebooks/{stem}.ipynb: {error}. {_why_no_kernel()}") from error
        finally:
            if target.exists():
                target.replace(part)


def _check_kernel() -> None:
    """Refuse a kernel named python3 that runs another environment than this one."""
    from jupyter_client.kernelspec import KernelSpecManager

    spec = KernelSpecManager().get_kernel_spec("python3")
    program, here = Path(spec.argv[0]), Path(sys.executable)
    if program.is_absolute() and program.parent.resolve() != here.parent.resolve():
        raise NotebookError(
            f"the kernel python3 of {spec.resource_dir} runs {program}, which is not of this "
            f"environment ({here}): move that folder away, or take it out of JUPYTER_PATH"
        )


def _why_no_kernel() -> str:
    """What this environment's kernel says when it cannot start, and the remedy."""
    command = [sys.executable, "-c", "import ipykernel.kernelapp"]
    said = subprocess.run(command, capture_output=True, text=True).stderr.strip().splitlines()
    said = said or ["the kernel's own file (jupyter kernelspec list) starts it wrongly"]
    return (
        f"The cause: {said[-1]}. The remedy: make distclean setup, or mend the active environment"
    )
