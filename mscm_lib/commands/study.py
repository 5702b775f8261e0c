"""Commands that make a study: what the Makefile and the pipeline's stages call."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from importlib import import_module

from mscm_lib.arguments import Add, a_study, there, whole
from mscm_lib.config import LICENSED
from mscm_lib.paths import project_root

RUN = """\
This is what DVC calls: `make study` runs every stage that is missing, in order. By hand it makes one
stage again, after those that it needs, and `dvc commit` then takes its outputs into dvc.lock:

  train NAME       notebooks/10_train.ipynb with plan/NAME/train.yaml   -> runs/train/NAME
  evaluate NAME    notebooks/20_evaluate.ipynb on what was trained      -> runs/evaluate/NAME
  reference DATA   notebooks/21_reference_rankings.ipynb, no training   -> runs/reference/DATA

The executed notebook is in runs/notebooks. `mscm check studies/quick/study.yaml` lists a study's runs."""


def declare(add: Add) -> None:
    """Declare them."""
    study = add("study", _study, "make a study with DVC: studies/<name>/study.yaml")
    study.add_argument(
        "name", nargs="?", default="quick", type=a_study, help="of a study in studies/; quick by default"
    )  # fmt: skip
    study.add_argument("--on", type=a_study, help="put its variants on another study's data")
    study.add_argument("--jobs", type=whole(0), default=0, help="runs at a time; 0: as many as fit")
    check = add(
        "check", _check, "look a study file over: its runs, what they would cost, own parts and data"
    )  # fmt: skip
    check.add_argument("file", type=there("file"), help="such as studies/quick/study.yaml")
    add("plan", _plan, "write the plan of all runs from studies/*/study.yaml")
    strip = add("strip", _strip, "write the digests of code that stages depend on")
    strip.add_argument("study", nargs="?", type=a_study, help="whose own parts' digests to write")
    prepare = add("prepare", _later("study.prepare:prepare", "dataset"), "pack a dataset's images")
    prepare.add_argument("dataset", help="of the plan, such as quick")
    run = add(
        "run", _later("study.execute:run_stage", "stage", "name"),
        "execute one notebook as a pipeline stage", RUN,
    )  # fmt: skip
    run.add_argument(
        "stage", choices=["train", "evaluate", "reference"], help="train, evaluate or reference"
    )
    run.add_argument(
        "name", help="a run of the plan, such as quick-mscmnet-t0-s0; of reference, a dataset"
    )
    for name, place, text in (
        ("tables", "study.tables:write_tables", "collect a study's runs into results/<study>/tables"),
        ("figures", "reports.figures:write_figures", "draw results/<study>/figures from the tables"),
        ("rankings", "reports.searches:write_rankings",
         "write results/<study>/rankings.html: searches to look through"),
        ("summary", "reports.summary:write_summary",
         "write results/<study>/README.md: findings, figures, notebooks"),
    ):  # fmt: skip
        add(name, _later(place, "study"), text).add_argument("study", type=a_study, help="its name")
    report = add(
        "report", _later("reports.executed:write_report", "study", "notebook"),
        "keep a notebook's executed copy in results/<study>/reports",
    )  # fmt: skip
    report.add_argument("study", type=a_study, help="its name")
    report.add_argument("notebook", help="such as 90_results")
    add(
        "readme",
        _later("reports.readme:refresh"),
        "write README.md's findings, notebooks and tables",
    )
    add("book", _book, "make the book of all notebooks: build/book/html/index.html")
    rehearse = add(
        "rehearse", _later("study.rehearsal:rehearse", "names"),
        "run the paper's studies on miniature emulated trees",
    )  # fmt: skip
    rehearse.add_argument(
        "names", nargs="*", choices=LICENSED, default=[*LICENSED], metavar="dataset",
        help="sysu, regdb, llcm; all when none is named",
    )  # fmt: skip


def _later(place: str, *names: str) -> Callable[[argparse.Namespace], None]:
    """Calls ``module:function`` with the options of these names; imported when it is called."""

    def call(options: argparse.Namespace) -> None:
        module, function = place.split(":")
        wanted = getattr(import_module(f"mscm_lib.{module}"), function)
        wanted(*(getattr(options, name) for name in names))

    return call


def _study(options: argparse.Namespace) -> int:
    from mscm_lib.study.settings import write_study_on

    study = write_study_on(options.name, options.on or "")
    from mscm_lib.study.changes import told
    from mscm_lib.study.pipeline import make

    began = time.monotonic()
    print(f"{study.title}: {sum(1 for _ in study.runs())} runs; dvc repro", flush=True)
    make(study, options.jobs)
    folder = f"results/{study.name}"
    print(f"\nDone in {(time.monotonic() - began) / 60:.1f} min.\n\n{told(study.name)}")
    print("\nWhere to look:")
    print(f"  {folder}/README.md   what was found, the figures, every executed notebook")
    print("  make book            all of it as one site with search: build/book/html/index.html")
    print("  make lab             read and run the notebooks")
    return 0


def _check(options: argparse.Namespace) -> None:
    from mscm_lib.study.plan import described
    from mscm_lib.study.settings import read_study
    from mscm_lib.study.trial import tried

    study = read_study(options.file.absolute())
    print(described(study), flush=True)
    if study.peers:
        from mscm_lib.reports.peers import peers_of

        print(f"  beside {', '.join(peers_of(study)[1])}")
    for line in tried(study):
        print(line, flush=True)


def _plan(options: argparse.Namespace) -> None:
    from mscm_lib.study.plan import write_plan

    changed = write_plan()
    print("\n".join(changed) if changed else "The plan is up to date with studies/.")


def _strip(options: argparse.Namespace) -> None:
    from mscm_lib.study.code import write_code, write_own_code
    from mscm_lib.study.settings import load_study

    if options.study:
        write_own_code(load_study(options.study))
    else:
        write_code()


def _book(options: argparse.Namespace) -> None:
    from mscm_lib.reports.book import build_book

    print(f"\nThe book is made. Open {build_book().relative_to(project_root())}")
