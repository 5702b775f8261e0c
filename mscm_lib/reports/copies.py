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
}
# Every notebook reaches these two to check its parameters; they say nothing about what it reads.
CHECKS = ("mscm_lib.study.settings", "mscm_lib.study.notebook")
FEW_STEPS: dict[str, Any] = {
    "seed": 0,
    "epochs": 1,
    "steps_per_epoch": 4,
    "warmup_epochs": 0,
    "milestones": [],
    "gallery_trials": 2,
}
SHORT = "build/book/short"  # what notebooks run on few steps leave


@dataclass(frozen=True)
class Copy:
    """An executed notebook, and what its reader must know about where its outputs come from."""

    stem: str
    path: Path
    note: str = ""
    seconds: float = 0.0  # that its execution took, 0 where it was there


@dataclass
class Copies:
    """Finds or makes the executed copy of each notebook.

    Attributes:
        folder: where copies that are made here are kept.
        ready: executed notebooks by stem that are taken as they are.
    """

    folder: Path
    ready: Mapping[str, Path] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._library: Library = read_library()
        self._study: Study = load_study()

    def get(self, stem: str) -> Copy:
        """The executed copy of ``notebooks/<stem>.ipynb``.

        Raises:
            NotebookError: the notebook failed; the message names it and the cell.
        """
        if stem in self.ready:
            return Copy(stem, self.ready[stem])
        if stem not in STAGES:
            return self._kept(stem, {})
        return self._of_the_study(stem) or self._short(stem)

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

    def _short(self, stem: str) -> Copy:
        dataset = self._drawn_dataset()
        parameters = FEW_STEPS | {"dataset": dataset, "output": f"{SHORT}/{STAGES[stem]}"}
        if STAGES[stem] == "evaluate":
            parameters["trained"] = f"{SHORT}/train"
            if not resolve(f"{SHORT}/train/model.safetensors").is_file():
                self._short("10_train")
        if STAGES[stem] == "reference":
            parameters = {"dataset": dataset, "seeds": [0], "output": parameters["output"]}
        note = (
            "The chosen study has not been made here, so this copy was executed on a few steps "
            "only: it shows what the notebook does, and its figures mean nothing. "
            "`make study` makes the study, and the next `make book` shows it."
        )
        return self._kept(stem, parameters, note)

    def _drawn_dataset(self) -> str:
        """A generated dataset, which needs nothing: the chosen study's, else the quick study's."""
        for study in (self._study, load_study("presets/quick.yaml")):
            for key, definition in study.data.items():
                if definition.reader == "generated":
                    return key
        raise AssertionError("presets/quick.yaml defines no generated dataset")

    def _kept(self, stem: str, parameters: dict[str, Any], note: str = "") -> Copy:
        path, key = self.folder / f"{stem}.ipynb", self.folder / f"{stem}.sha256"
        wanted = self.fingerprint(stem, parameters)
        if path.is_file() and key.is_file() and key.read_text(encoding="utf-8") == wanted:
            return Copy(stem, path, note)
        began = time.monotonic()
        said = io.StringIO()  # what the notebook prints stands in its copy
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            execute(stem, path, parameters)
        write_text(key, wanted)
        return Copy(stem, path, note, time.monotonic() - began)

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
