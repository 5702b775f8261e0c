"""The ``mscm`` command: what the Makefile and the pipeline's stages call."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mscm_lib.errors import StudyError
from mscm_lib.paths import project_root, resolve


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand; a `StudyError` becomes one line on standard error and exit status 2."""
    options = _parser().parse_args(arguments)
    try:
        return options.call(options) or 0
    except StudyError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _study(options: argparse.Namespace) -> int:
    from mscm_lib.study.entry import check_sources
    from mscm_lib.study.pipeline import repro, repro_side_by_side
    from mscm_lib.study.settings import load_study

    study = load_study()
    check_sources(study)
    began = time.monotonic()
    print(f"{study.title}: {sum(1 for _ in study.runs())} runs; dvc repro")
    if options.targets:
        repro("the study", options.targets)
    else:
        repro_side_by_side("the study", study, options.jobs)
    minutes = (time.monotonic() - began) / 60
    folder = f"results/{study.name}"
    print(f"\nDone in {minutes:.1f} min. Where to look:")
    print(f"  {folder}/reports/index.html   every table, figure and executed notebook")
    print(f"  {folder}/tables/summary.md    the results table")
    print("  make lab                      read and run the notebooks")
    return 0


def _preset(options: argparse.Namespace) -> int:
    from mscm_lib.files import write_text
    from mscm_lib.study.presets import preset_path, study_text, study_text_on
    from mscm_lib.study.settings import check_study

    path = preset_path(options.name)
    text = study_text_on(options.name, options.on) if options.on else study_text(path)
    study = check_study(path, text)
    write_text(resolve("params.yaml"), text)
    print(f"params.yaml now describes: {study.title}. Make it with: make study")
    return 0


def _strip(options: argparse.Namespace) -> None:
    from mscm_lib.study.strip import strip_all

    strip_all(resolve("build/stripped"))


def _prepare(options: argparse.Namespace) -> None:
    from mscm_lib.study.prepare import prepare

    prepare(options.dataset)


def _run(options: argparse.Namespace) -> None:
    from mscm_lib.study.stages import run_stage

    run_stage(options.notebook, options.dataset, options.variant, options.trial, options.seed)


def _tables(options: argparse.Namespace) -> None:
    from mscm_lib.study.tables import write_tables

    write_tables()


def _figures(options: argparse.Namespace) -> None:
    from mscm_lib.reports.figures import write_figures

    write_figures()


def _reports(options: argparse.Namespace) -> None:
    from mscm_lib.reports.pages import write_reports

    write_reports()


def _book(options: argparse.Namespace) -> None:
    from mscm_lib.reports.book import build_book

    print(f"\nThe book is made. Open {build_book().relative_to(project_root())}")


def _rehearse(options: argparse.Namespace) -> None:
    from mscm_lib.study.rehearsal import rehearse

    rehearse(options.names or ("sysu", "regdb", "llcm"))


def _experiments(options: argparse.Namespace) -> None:
    from mscm_lib.study.experiments import run_experiments

    run_experiments(options.names, options.jobs)


def _readme(options: argparse.Namespace) -> None:
    from mscm_lib.reports.readme import refresh

    refresh()


def _enter(options: argparse.Namespace) -> None:
    from mscm_lib.study.entry import enter

    pointer = enter(options.name, options.root)
    print(
        f"\nEntered. {pointer.relative_to(project_root())} pins it for git; DVC will never push it."
        f"\nNow: make preset PRESET={options.name} && make study"
    )


def _index(options: argparse.Namespace) -> None:
    from mscm_lib.retrieval import build_index
    from mscm_lib.study.settings import RunName, find_study, resolve_run

    run = RunName(options.dataset, options.variant, options.trial, options.seed)
    own = {"trial": run.trial, "seed": run.seed}
    config = resolve_run(find_study(run.dataset), run.dataset, run.variant, own)
    folder = options.out or Path("build/index") / run.folder
    weights = resolve(f"runs/train/{run.folder}/model.safetensors")
    index = build_index(config, weights, resolve(folder), options.search, options.method)
    print(f"{len(index):,} images of {run.dataset}. Ask it: mscm search {folder} IMAGE MODALITY")


def _search(options: argparse.Namespace) -> None:
    from mscm_lib.retrieval import Searcher

    searcher = Searcher.open(options.folder)
    matches = searcher.search(
        options.image, options.modality, options.top, options.camera, options.identity
    )
    for match in matches:
        rank = "left out" if match.excluded else f"{match.rank:8d}"
        mark = {None: " ", True: "right", False: "wrong"}[match.right]
        print(f"{rank}  {match.score:6.3f}  id {match.identity:<6} {match.path}  {mark}".rstrip())
    if options.figure:
        from mscm_lib.reports.figures import save
        from mscm_lib.reports.ranked import ranked_figure

        title = f"{options.image.name} in {searcher.index.about['dataset']}"
        drawn = ranked_figure(
            searcher.pixels(options.image), matches, searcher.pictures(matches), title
        )
        save(options.figure, drawn, f"Ranked list for {options.image.name}.")


def _doctor(options: argparse.Namespace) -> int:
    from mscm_lib.data.doctor import diagnose
    from mscm_lib.study.entry import LICENSED, uses_of

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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="mscm", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")

    def add(name: str, call: object, text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(call=call)
        return command

    study = add("study", _study, "make the chosen study with DVC")
    study.add_argument("targets", nargs="*", help="stages to make; all when none is named")
    study.add_argument("--jobs", type=int, default=1, help="runs at a time, when all are made")
    preset = add("preset", _preset, "choose a study")
    preset.add_argument("name")
    preset.add_argument("--on", help="put an experiment on this preset's data, such as sysu")
    add("strip", _strip, "write the stripped copies that stages depend on")
    add("prepare", _prepare, "pack a dataset's images").add_argument("dataset")
    run = add("run", _run, "execute one notebook as a pipeline stage")
    run.add_argument("notebook")
    run.add_argument("dataset")
    run.add_argument("variant", nargs="?", default="mscmnet")
    run.add_argument("trial", nargs="?", type=int, default=0)
    run.add_argument("seed", nargs="?", type=int, default=0)
    add("tables", _tables, "collect the runs' metrics into results/<study>/tables")
    add("figures", _figures, "draw results/<study>/figures from the tables")
    add("reports", _reports, "render the executed notebooks and the index page")
    add("readme", _readme, "write the results table into README.md")
    add("book", _book, "make the book of all notebooks: build/book/html/index.html")
    rehearse = add("rehearse", _rehearse, "run the paper's studies on miniature emulated trees")
    rehearse.add_argument("names", nargs="*", help="sysu, regdb, llcm; all when none is named")
    experiments = add("experiments", _experiments, "make the experiments on the generated people")
    experiments.add_argument(
        "names", nargs="*", help="presets on _lab.yaml; all when none is named"
    )
    experiments.add_argument("--jobs", type=int, default=1, help="runs at a time")
    index = add("index", _index, "keep a finished run's gallery as an index to search in")
    index.add_argument("dataset")
    index.add_argument("variant", nargs="?", default="mscmnet")
    index.add_argument("trial", nargs="?", type=int, default=0)
    index.add_argument("seed", nargs="?", type=int, default=0)
    index.add_argument("--search", help="whose gallery; the dataset's first search by default")
    index.add_argument("--method", default="exact", help="exact, or approximate for millions")
    index.add_argument("--out", type=Path, help="folder; build/index/<run> by default")
    search = add("search", _search, "rank a gallery index for one picture")
    search.add_argument("folder", type=Path)
    search.add_argument("image", type=Path)
    search.add_argument("modality", choices=["visible", "infrared"])
    search.add_argument("--top", type=int, default=10)
    search.add_argument("--camera", type=int, help="of the picture: follow the camera rule")
    search.add_argument("--identity", type=int, help="of the person: mark right and wrong")
    search.add_argument("--figure", type=Path, help="draw the list into this PNG file")
    doctor = add(
        "doctor", _doctor, "look a dataset over: what is there, what is broken, what to do"
    )
    doctor.add_argument("name", choices=["sysu", "regdb", "llcm", "table", "generated"])
    doctor.add_argument("root", type=Path)
    doctor.add_argument("--data", help="of a study: a table is read as its settings there say")
    enter = add("enter", _enter, "take a real dataset into the study: look it over, track it")
    enter.add_argument("name", choices=["sysu", "regdb", "llcm"])
    enter.add_argument("root", type=Path)
    emulate = add("emulate", _emulate, "write the generated benchmark in an official layout")
    emulate.add_argument("name", choices=["sysu", "regdb", "llcm", "table"])
    emulate.add_argument("root", type=Path)
    emulate.add_argument("--data", help="of a study: a table is laid out as its settings there say")
    emulate.add_argument("--scale", choices=["full", "miniature"], default="miniature")
    return parser


if __name__ == "__main__":
    sys.exit(main())
