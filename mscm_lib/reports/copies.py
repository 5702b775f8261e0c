"""Executed copies of notebooks for the book, made once and kept while nothing that matters changes.

Sources hold no outputs. A notebook that tells something reads committed results and runs in
seconds; its copy is kept as long as its code, the library code that it reaches, the studies and the
committed results are the same. A notebook that trains or evaluates is not run again: the quick
study's executed copy is shown, and where it has not been made, one of a few steps.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mscm_lib.code_fingerprint import of_notebook, of_prose
from mscm_lib.files import file_digest, write_text
from mscm_lib.paths import project_root, resolve
from mscm_lib.study.execute import execute
from mscm_lib.study.settings import load_study
from mscm_lib.study.stages import STAGES

KINDS = {stem: kind for kind, stem in STAGES.items()}
STUDY = "quick"  # whose runs are shown
INPUTS = ("results/**/*.csv", "results/**/*.json", "studies/*/study.yaml", "variants.yaml",
          "mscm_lib/reports/published*.csv")  # fmt: skip
FEW_STEPS: dict[str, Any] = {
    "seed": 0,
    "epochs": 1,
    "steps_per_epoch": 4,
    "warmup_epochs": 0,
    "milestones": [],
    "gallery_trials": 2,
}
FEW_STEPS_NOTE = (
    "The quick study has not been made here, so this copy was executed on a few steps only: it "
    "shows what the notebook does, and its figures mean nothing. `make study` makes the study, and "
    "the next `make book` shows it."
)
SHORT = "build/book/short"  # what notebooks executed on few steps leave
WEIGHTS = f"{SHORT}/train/model.safetensors"


@dataclass(frozen=True)
class Copy:
    """An executed notebook, and what its reader must know about where its outputs come from."""

    stem: str
    path: Path
    note: str = ""
    seconds: float = 0.0  # that its execution took, 0 where it was there


@dataclass
class Copies:
    """Finds, or else makes, the executed copy of a notebook.

    Attributes:
        folder: where copies that are made here are kept.
        ready: executed notebooks by stem that are taken as they are.
    """

    folder: Path
    ready: Mapping[str, Path] = field(default_factory=dict)

    def kept(self, stem: str) -> Copy | None:
        """The copy that is there and up to date, if there is one."""
        if stem in self.ready:
            return Copy(stem, self.ready[stem])
        return (self._of_the_study(stem) if stem in KINDS else None) or self._here(stem)

    def make(self, stem: str) -> Copy:
        """Execute ``notebooks/<stem>.ipynb``, a stage's notebook on a few steps.

        Raises:
            NotebookError: the notebook failed; the message names it and the cell.
        """
        parameters = self._parameters(stem)
        if KINDS.get(stem) == "evaluate" and not resolve(WEIGHTS).is_file():
            self.make("10_train")
        path, began = self.folder / f"{stem}.ipynb", time.monotonic()
        said = io.StringIO()  # what the notebook prints stands in its copy
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            execute(stem, path, parameters)
        write_text(path.with_suffix(".sha256"), self.fingerprint(stem, parameters))
        return Copy(stem, path, self._note(stem), time.monotonic() - began)

    def _of_the_study(self, stem: str) -> Copy | None:
        study = load_study(STUDY)
        run = next(run for run in study.runs() if run.variant != study.reference)
        name = run.dataset if KINDS[stem] == "reference" else run.name
        path = resolve(f"runs/notebooks/{stem}/{name}.ipynb")
        if not path.is_file():
            return None
        return Copy(stem, path, f"This copy was executed for `{name}` of: {study.title}.")

    def _here(self, stem: str) -> Copy | None:
        path, key = self.folder / f"{stem}.ipynb", self.folder / f"{stem}.sha256"
        if not (path.is_file() and key.is_file()):
            return None
        if key.read_text(encoding="utf-8") != self.fingerprint(stem, self._parameters(stem)):
            return None
        return Copy(stem, path, self._note(stem))

    def _note(self, stem: str) -> str:
        return FEW_STEPS_NOTE if stem in KINDS else ""

    def _parameters(self, stem: str) -> dict[str, Any]:
        if stem not in KINDS:
            return {}
        kind = KINDS[stem]
        places = {"dataset": STUDY, "output": f"{SHORT}/{kind}"}
        if kind == "reference":
            return places | {"seeds": [0]}
        return FEW_STEPS | places | ({"trained": f"{SHORT}/train"} if kind == "evaluate" else {})

    def fingerprint(self, stem: str, parameters: Mapping[str, Any]) -> str:
        """SHA-256 over all that the outputs of an executed notebook can depend on.

        Its code and the library code that it reaches (drawing included), its parameters, and the
        committed results and studies.
        """
        code = of_notebook(resolve(f"notebooks/{stem}.ipynb"), drawing=True)
        told = _prose() if "mscm_lib.reports.guide" in code else {}
        text = json.dumps([code, parameters, _inputs(), told], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def _inputs() -> dict[str, str]:
    """Digests of the committed files that notebooks read."""
    root = project_root()
    return {
        path.relative_to(root).as_posix(): file_digest(path)
        for pattern in INPUTS
        for path in sorted(root.glob(pattern))
    }


def _prose() -> dict[str, str]:
    """Digests of all notebooks with their prose, which the guide reads."""
    return {path.name: of_prose(path) for path in sorted(resolve("notebooks").glob("*.ipynb"))}
