"""The ``mscm`` command: what the Makefile and the pipeline's stages call."""

from __future__ import annotations

import argparse
import io
import os
import re
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from mscm_lib import __version__
from mscm_lib.arguments import Parser, known, picture, there, whole
from mscm_lib.config import LICENSED
from mscm_lib.errors import ConfigError, StudyError
from mscm_lib.paths import absent, here, located, project_root, resolve


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand; a `StudyError` becomes one line on standard error and exit status 2."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal's encoding may lack a character
            stream.reconfigure(errors="backslashreplace")
    options = _parser().parse(arguments)
    try:
        status = options.call(options) or 0
        sys.stdout.flush()
        return status
    except StudyError as error:
        said = re.sub(r"\x1b\[[\d;]*[A-Za-z]", "", str(error))  # a library's own colours
        print(f"error: {said}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever reads has enough: mscm search ... | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


RUN = """\
This is what DVC calls: `make study` runs every stage that is missing, in order. By hand it makes one
stage again, after those that it needs, and `dvc commit` then takes its outputs into dvc.lock:

  train NAME       notebooks/10_train.ipynb with plan/NAME/train.yaml   -> runs/train/NAME
  evaluate NAME    notebooks/20_evaluate.ipynb on what was trained      -> runs/evaluate/NAME
  reference DATA   notebooks/21_reference_rankings.ipynb, no training   -> runs/reference/DATA

The executed notebook is in runs/notebooks. `mscm check studies/quick/study.yaml` lists a study's runs."""


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

    print(described(read_study(options.file.absolute())))


def _plan(options: argparse.Namespace) -> None:
    from mscm_lib.study.plan import write_plan

    changed = write_plan()
    print("\n".join(changed) if changed else "The plan is up to date with studies/.")


def _former(options: argparse.Namespace) -> int:
    names = " ".join(options.words) or "quick"
    on = f" ON={options.on}" if options.on else ""
    print(f"error: {options.said} is now: make study STUDY={names}{on}", file=sys.stderr)
    return 2


def _strip(options: argparse.Namespace) -> None:
    from mscm_lib.study.code import write_code, write_own_code
    from mscm_lib.study.settings import load_study

    if options.study:
        write_own_code(load_study(options.study))
    else:
        write_code()


def _prepare(options: argparse.Namespace) -> None:
    from mscm_lib.study.prepare import prepare

    prepare(options.dataset)


def _run(options: argparse.Namespace) -> None:
    from mscm_lib.study.stages import run_stage

    run_stage(options.stage, options.name)


def _tables(options: argparse.Namespace) -> None:
    from mscm_lib.study.tables import write_tables

    write_tables(options.study)


def _figures(options: argparse.Namespace) -> None:
    from mscm_lib.reports.figures import write_figures

    write_figures(options.study)


def _report(options: argparse.Namespace) -> None:
    from mscm_lib.reports.executed import write_report

    write_report(options.study, options.notebook)


def _summary(options: argparse.Namespace) -> None:
    from mscm_lib.reports.summary import write_summary

    write_summary(options.study)


def _book(options: argparse.Namespace) -> None:
    from mscm_lib.reports.book import build_book

    print(f"\nThe book is made. Open {build_book().relative_to(project_root())}")


def _rehearse(options: argparse.Namespace) -> None:
    from mscm_lib.study.rehearsal import rehearse

    rehearse(options.names or LICENSED)


def _readme(options: argparse.Namespace) -> None:
    from mscm_lib.reports.readme import refresh

    refresh()


def _enter(options: argparse.Namespace) -> None:
    from mscm_lib.study.entry import enter

    pointer = enter(options.name, options.root)
    print(
        f"\nEntered. {pointer.relative_to(project_root())} pins it for git; DVC will never push it."
        f"\nNow: make study STUDY={options.name}"
    )


def _index(options: argparse.Namespace) -> None:
    from mscm_lib.config import RunConfig
    from mscm_lib.retrieval import build_index
    from mscm_lib.study.plan import planned

    config = RunConfig.from_mapping(planned(options.run, "evaluate"))
    folder = options.out or resolve(f"build/index/{options.run}")
    weights = resolve(f"runs/train/{options.run}/model.safetensors")
    index = build_index(config, weights, folder, options.search, options.method)
    told = os.path.relpath(folder)
    print(f"{len(index):,} images of {config.dataset}. Ask it: mscm search {told} IMAGE MODALITY")


def _search(options: argparse.Namespace) -> int:
    from mscm_lib.retrieval.command import search

    return search(
        options.folder, options.image, options.modality, options.top, options.camera,
        options.identity, options.figure,
    )  # fmt: skip


def _export(options: argparse.Namespace) -> None:
    weights = located(options.weights)
    if not weights.is_file():
        weights = resolve(f"runs/train/{options.weights}/model.safetensors")
    if not weights.is_file():
        raise ConfigError(f"{absent(options.weights)}; nor is it a finished run (no {weights})")
    from mscm_lib.models.export import export_halves

    for path in export_halves(weights, options.out, options.format, options.feature):
        print(f"{path}: images (B, 3, H, W) -> {options.feature} features (B, C)")


def _doctor(options: argparse.Namespace) -> int:
    from mscm_lib.data.doctor import diagnose
    from mscm_lib.study.entry import uses_of

    uses = uses_of(options.name) if options.name in LICENSED else None
    diagnosis = diagnose(options.name, options.root, uses=uses, settings=_settings(options))
    print(diagnosis.render())
    return 0 if diagnosis.healthy else 1


def _emulate(options: argparse.Namespace) -> None:
    from mscm_lib.data.emulate import emulate

    settings = _settings(options)
    print(emulate(options.name, options.root, scale=options.scale, settings=settings))


def _settings(options: argparse.Namespace) -> Mapping[str, Any] | None:
    """How a table is read: what the study says that defines the data."""
    from mscm_lib.study.settings import find_study

    return find_study(options.data).data[options.data].settings if options.data else None


def _a_study(name: str) -> None:
    from mscm_lib.study.settings import study_path

    study_path(name)


def _a_run(name: str) -> None:
    from mscm_lib.study.plan import planned

    planned(name, "evaluate")


def _help(options: argparse.Namespace) -> None:
    options.parser.print_help()


def _parser() -> Parser:
    parser = Parser(
        prog="mscm", description="A study of MSCMNet: make it, look into it, search with it."
    )
    parser.add_argument("--version", action="version", version=f"mscm {__version__}")
    parser.set_defaults(call=_help, parser=parser)
    commands = parser.add_subparsers(title="commands", metavar="command", dest="command")

    def add(name: str, call: object, text: str, more: str = "") -> Parser:
        command: Parser = commands.add_parser(name, help=text, description=f"{text}\n\n{more}")
        command.set_defaults(call=call, parser=command)
        return command

    study = add("study", _study, "make a study with DVC: studies/<name>/study.yaml")
    study.add_argument(
        "name",
        nargs="?",
        default="quick",
        type=known(_a_study),
        help="of a study in studies/; quick by default",
    )
    study.add_argument(
        "--on", type=known(_a_study), help="put its variants on another study's data"
    )
    study.add_argument("--jobs", type=whole(0), default=0, help="runs at a time; 0: as many as fit")
    check = add("check", _check, "look a study file over: its runs, and what they would cost")
    check.add_argument("file", type=there("file"), help="such as studies/quick/study.yaml")
    add("plan", _plan, "write the plan of all runs from studies/*/study.yaml")
    for former in ("preset", "experiments"):
        command = add(former, _former, "as it was; now `mscm study`")
        command.add_argument("words", nargs="*", help="as it was")
        command.add_argument("--on", help="as it was")
        command.add_argument("--jobs", help="as it was")
        command.set_defaults(said=f"mscm {former}")
    strip = add("strip", _strip, "write the digests of code that stages depend on")
    strip.add_argument(
        "study", nargs="?", type=known(_a_study), help="whose own parts' digests to write"
    )
    add("prepare", _prepare, "pack a dataset's images").add_argument(
        "dataset", help="of the plan, such as quick"
    )
    run = add("run", _run, "execute one notebook as a pipeline stage", RUN)
    run.add_argument(
        "stage", choices=["train", "evaluate", "reference"], help="train, evaluate or reference"
    )
    run.add_argument(
        "name", help="a run of the plan, such as quick-mscmnet-t0-s0; of reference, a dataset"
    )
    for name, call, text in (
        ("tables", _tables, "collect a study's runs into results/<study>/tables"),
        ("figures", _figures, "draw results/<study>/figures from the tables"),
        ("summary", _summary, "write results/<study>/README.md: findings, figures, notebooks"),
    ):
        add(name, call, text).add_argument("study", type=known(_a_study), help="its name")
    report = add("report", _report, "keep a notebook's executed copy in results/<study>/reports")
    report.add_argument("study", type=known(_a_study), help="its name")
    report.add_argument("notebook", help="such as 90_results")
    add("readme", _readme, "write README.md's findings, notebooks and tables")
    add("book", _book, "make the book of all notebooks: build/book/html/index.html")
    rehearse = add("rehearse", _rehearse, "run the paper's studies on miniature emulated trees")
    rehearse.add_argument(
        "names", nargs="*", choices=LICENSED, metavar="dataset",
        help="sysu, regdb, llcm; all when none is named",
    )  # fmt: skip
    index = add("index", _index, "keep a finished run's gallery as an index to search in")
    index.add_argument("run", type=known(_a_run), help="such as quick-mscmnet-t0-s0")
    index.add_argument("--search", help="whose gallery; the dataset's first search by default")
    index.add_argument(
        "--method", choices=["exact", "approximate"], default="exact",
        help="exact, or approximate for millions",
    )  # fmt: skip
    index.add_argument("--out", type=here, help="folder; build/index/<run> by default")
    search = add("search", _search, "rank a gallery index for a picture, or several")
    search.add_argument("folder", type=there("folder"), help="what `mscm index` wrote")
    search.add_argument(
        "image", nargs="+", type=picture,
        help="pictures of persons; - alone: their paths from standard input, a line each",
    )  # fmt: skip
    search.add_argument("modality", choices=["visible", "infrared"], help="visible or infrared")
    search.add_argument("--top", type=whole(1), default=10, help="ranks wanted; 10 by default")
    search.add_argument("--camera", type=whole(1), help="of the picture: follow the camera rule")
    search.add_argument("--identity", type=whole(0), help="of the person: mark right and wrong")
    search.add_argument("--figure", type=here, help="draw the list into this PNG file")
    export = add("export", _export, "write a trained network for other programs, a file a modality")
    export.add_argument("weights", help="a finished run, or its model.safetensors")
    export.add_argument("out", type=here, help="folder for visible and infrared")
    export.add_argument(
        "--format", choices=["onnx", "pt2"], default="onnx", help="onnx, or pt2 of torch.export"
    )
    export.add_argument(
        "--feature", choices=["neck", "pooled"], default="neck", help="neck, or pooled"
    )
    doctor = add(
        "doctor", _doctor, "look a dataset over: what is there, what is broken, what to do"
    )
    doctor.add_argument("name", choices=[*LICENSED, "table", "generated"], help="its layout")
    doctor.add_argument("root", type=there("folder", "file"), help="its folder, or its table")
    doctor.add_argument("--data", help="of a study: a table is read as its settings there say")
    enter = add("enter", _enter, "take a real dataset into the study: look it over, track it")
    enter.add_argument("name", choices=LICENSED, help="its layout")
    enter.add_argument("root", type=there("folder"), help="its folder")
    emulate = add("emulate", _emulate, "write the generated benchmark in an official layout")
    emulate.add_argument("name", choices=[*LICENSED, "table"], help="the layout")
    emulate.add_argument("root", type=here, help="a new folder")
    emulate.add_argument("--data", help="of a study: a table is laid out as its settings there say")
    emulate.add_argument(
        "--scale",
        choices=["full", "miniature"],
        default="miniature",
        help="full: with every published count",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
