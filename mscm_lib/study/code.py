"""The code that each stage depends on, as DVC sees it: a file of digests a stage in ``build/code``.

The files are of `mscm_lib.code_fingerprint`: opening or rewording a notebook, a comment or a
docstring leaves them as they are, and one can read in them which module has changed.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from mscm_lib import code_fingerprint as fingerprint
from mscm_lib.config import METRIC_LOSSES, RunConfig
from mscm_lib.files import write_text
from mscm_lib.own_parts import sources
from mscm_lib.paths import resolve
from mscm_lib.study.settings import Study

FOLDER, OWN = "build/code", "build/own"
GENERATE, PREPARE, WRITE = (f"{FOLDER}/{name}" for name in ("generate", "prepare", "write"))
TRAIN, EVALUATE, REFERENCE = "10_train", "20_evaluate", "21_reference_rankings"
STAGES = {"train": TRAIN, "evaluate": EVALUATE, "reference": REFERENCE}
_COMMANDS = {
    "prepare": ("data.packed.opened", fingerprint.DRAWING),
    "generate": ("data.generated", fingerprint.PACKED),
    "write": ("data.packed.writing", fingerprint.PACKED),
    "tables": ("study.tables", fingerprint.PACKED),
    "figures": ("reports.figures", fingerprint.TREES),
    "rankings": ("reports.searches", fingerprint.TREES),
    "reports": ("reports.executed", fingerprint.TREES),
    "summary": ("reports.summary", fingerprint.TREES),
}
"""A command's module, and what does not count for it."""


def train_entry(config: RunConfig, study: str) -> str:
    """The file of the code that trains a run; ``study`` is one that has it.

    Of a run with parts of the user's own, `write_own_code` writes it, whose stage depends on them.
    """
    if sources(config):
        return f"{OWN}/{study}/{config.dataset}-{config.variant}"
    return f"{FOLDER}/train/{config.metric_loss}"


def write_own_code(study: Study) -> None:
    """The files of those of a study's runs that have parts of the user's own."""
    folder = resolve(f"{OWN}/{study.name}")
    shutil.rmtree(folder, ignore_errors=True)
    notebook = resolve(f"notebooks/{TRAIN}.ipynb")
    for run in study.runs():
        config = study.config(run)
        if sources(config):
            digests = fingerprint.of_notebook(notebook, config.metric_loss, fingerprint.PACKED)
            digests |= fingerprint.of_own_parts(config)
            _write(resolve(train_entry(config, study.name)), digests)


def write_code() -> None:
    """Write every stage's file, and one for each notebook's executed copy, whose prose counts."""
    notebooks = resolve("notebooks")
    files = {
        entry: fingerprint.of_modules([f"{fingerprint.PACKAGE}.{module}"], without=without)
        for entry, (module, without) in _COMMANDS.items()
    }
    for stem in (EVALUATE, REFERENCE):
        files[stem] = fingerprint.of_notebook(
            notebooks / f"{stem}.ipynb", without=fingerprint.PACKED
        )
    for loss in (*METRIC_LOSSES, "none"):
        files[f"train/{loss}"] = fingerprint.of_notebook(
            notebooks / f"{TRAIN}.ipynb", loss, (*fingerprint.PACKED, *fingerprint.OWN_PARTS)
        )
    prose = {path.stem: fingerprint.of_prose(path) for path in notebooks.glob("[0-9]*.ipynb")}
    for stem, digest in prose.items():
        path = notebooks / f"{stem}.ipynb"
        # a stage's notebook is not executed again for its copy; the guide reads all the others
        code = {} if stem in STAGES.values() else fingerprint.of_notebook(path, without=())
        read = prose if f"{fingerprint.PACKAGE}.reports.guide" in code else {stem: digest}
        files[f"told/{stem}"] = code | {f"{name} (prose)": text for name, text in read.items()}
    shutil.rmtree(resolve(FOLDER), ignore_errors=True)
    for entry, digests in files.items():
        _write(resolve(f"{FOLDER}/{entry}"), digests)


def _write(path: Path, digests: fingerprint.Fingerprint) -> None:
    write_text(path, "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items())))
