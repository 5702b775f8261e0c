"""Executed copies of notebooks for the book, made once and kept while nothing that matters changes.

Sources hold no outputs. A notebook that tells something reads committed results and runs in
seconds; its copy is kept as long as its code, the library code that it imports, and the committed
files that this code names are the same. A notebook that trains or evaluates is not run again: the
chosen study's executed copy is shown, and where no study has been made, one of a few steps.
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

from mscm_lib.files import file_digest, write_text
from mscm_lib.paths import project_root, resolve
from mscm_lib.study.execute import execute
from mscm_lib.study.settings import RunName, Study, load_study
from mscm_lib.study.stages import STAGES
from mscm_lib.study.strip import Library, code_of, read_library, read_notebook

# Committed files that a notebook reads if its code, or the library code it reaches, has these words.
INPUTS = {
    ("results/",): ("results/**/*.csv", "results/**/*.json"),
    ("load_study", "find_study", "run_config", "load_variants"): (
        "params.yaml",
        "presets/*.yaml",
        "variants.yaml",
    ),
    ("'notebooks'",): ("notebooks/*.ipynb",),
    ("'published.csv'",): ("mscm_lib/reports/published*.csv",),
}
# Every notebook reaches these to check its parameters; they say nothing about what it reads.
CHECKS = ("mscm_lib.study.settings", "mscm_lib.study.presets", "mscm_lib.study.notebook")
FEW_STEPS: dict[str, Any] = {
    "seed": 0,
    "epochs": 1,
    "steps_per_epoch": 4,
    "warmup_epochs": 0,
    "milestones": [],
    "gallery_trials": 2,
}
FEW_STEPS_NOTE = (
    "The chosen study has not been made here, so this copy was executed on a few steps only: it "
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

    def __post_init__(self) -> None:
        self._library: Library = read_library()
        self._study: Study = load_study()

    def kept(self, stem: str) -> Copy | None:
        """The copy that is there and up to date, if there is one."""
        if stem in self.ready:
            return Copy(stem, self.ready[stem])
        return (self._of_the_study(stem) if stem in STAGES else None) or self._here(stem)

    def make(self, stem: str) -> Copy:
        """Execute ``notebooks/<stem>.ipynb``, a stage's notebook on a few steps.

        Raises:
            NotebookError: the notebook failed; the message names it and the cell.
        """
        parameters = self._parameters(stem)
        if STAGES.get(stem) == "evaluate" and not resolve(WEIGHTS).is_file():
            self.make("10_train")
        path, began = self.folder / f"{stem}.ipynb", time.monotonic()
        said = io.StringIO()  # what the notebook prints stands in its copy
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            execute(stem, path, parameters)
        write_text(path.with_suffix(".sha256"), self.fingerprint(stem, parameters))
        return Copy(stem, path, self._note(stem), time.monotonic() - began)

    def _of_the_study(self, stem: str) -> Copy | None:
        study = self._study
        variant = "mscmnet" if "mscmnet" in study.variants else study.variants[-1]
        for dataset in study.data:
            run = RunName(dataset, variant, study.trials[0], study.seeds[0])
            name = dataset if STAGES[stem] == "reference" else run.folder
            path = resolve(f"runs/notebooks/{stem}/{name}.ipynb")
            if path.is_file():
                return Copy(stem, path, f"This copy was executed for `{name}` of: {study.title}.")
        return None

    def _here(self, stem: str) -> Copy | None:
        path, key = self.folder / f"{stem}.ipynb", self.folder / f"{stem}.sha256"
        if not (path.is_file() and key.is_file()):
            return None
        if key.read_text(encoding="utf-8") != self.fingerprint(stem, self._parameters(stem)):
            return None
        return Copy(stem, path, self._note(stem))

    def _note(self, stem: str) -> str:
        return FEW_STEPS_NOTE if stem in STAGES else ""

    def _parameters(self, stem: str) -> dict[str, Any]:
        if stem not in STAGES:
            return {}
        kind = STAGES[stem]
        places = {"dataset": self._drawn_dataset(), "output": f"{SHORT}/{kind}"}
        if kind == "reference":
            return places | {"seeds": [0]}
        return FEW_STEPS | places | ({"trained": f"{SHORT}/train"} if kind == "evaluate" else {})

    def _drawn_dataset(self) -> str:
        """A generated dataset, which needs nothing: the chosen study's, else the quick study's."""
        for study in (self._study, load_study("presets/quick.yaml")):
            for key, definition in study.data.items():
                if definition.reader == "generated":
                    return key
        raise AssertionError("presets/quick.yaml defines no generated dataset")

    def fingerprint(self, stem: str, parameters: Mapping[str, Any]) -> str:
        """SHA-256 over all that the outputs of an executed notebook depend on.

        Its code, the library code that it reaches (drawing included), its parameters, and the
        committed files of `INPUTS` that this code names.
        """
        root = project_root()
        code = code_of(read_notebook(root / "notebooks" / f"{stem}.ipynb"))
        reached = self._library.reached_by(code, follow_drawing=True)
        text = json.dumps([code, reached, parameters], sort_keys=True)
        said = [code, *(source for name, source in reached.items() if name not in CHECKS)]
        paths = [
            path
            for words, patterns in INPUTS.items()
            if any(word in source for word in words for source in said)
            for pattern in patterns
            for path in sorted(root.glob(pattern))
        ]
        listed = [f"{path.relative_to(root)} {file_digest(path)}" for path in paths]
        return hashlib.sha256("\n".join([text, *listed]).encode()).hexdigest()
