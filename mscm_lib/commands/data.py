"""Commands about a dataset: look it over, take it into the study, emulate its layout."""

from __future__ import annotations

import argparse
import os
import sys
import threading
from collections.abc import Mapping
from typing import Any

from mscm_lib.arguments import Add, there
from mscm_lib.config import LICENSED
from mscm_lib.paths import here, project_root


def declare(add: Add) -> None:
    """Declare them."""
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


def _doctor(options: argparse.Namespace) -> int:
    from mscm_lib.data.doctor import diagnose
    from mscm_lib.study.entry import uses_of

    uses = uses_of(options.name) if options.name in LICENSED else None
    diagnosis = diagnose(options.name, options.root, uses=uses, settings=_settings(options))
    print(diagnosis.render())
    return 0 if diagnosis.healthy else 1


def _enter(options: argparse.Namespace) -> None:
    from mscm_lib.study.entry import enter

    pointer = enter(options.name, options.root)
    print(
        f"\nEntered. {pointer.relative_to(project_root())} pins it for git; DVC will never push it."
        f"\nNow: make study STUDY={options.name}"
    )


def _emulate(options: argparse.Namespace) -> None:
    from mscm_lib.data.emulated.emulate import emulate

    settings = _settings(options)
    # Of work that is called off joblib's thread and its tracker of resources say what nobody can use.
    threading.excepthook = _told_elsewhere
    os.environ.setdefault("PYTHONWARNINGS", "ignore:resource_tracker:UserWarning")
    try:
        tree = emulate(options.name, options.root, scale=options.scale, settings=settings)
        print(f"{tree}{f' --data {options.data}' if options.data else ''}")  # ends in a command
    except KeyboardInterrupt:
        print(f"stopped; {options.root} is as it was", file=sys.stderr)
        raise


def _told_elsewhere(args: threading.ExceptHookArgs) -> None:
    """Leave an exception in joblib's own thread untold; others are told as ever."""
    if args.thread is None or args.thread.name != "ExecutorManagerThread":
        threading.__excepthook__(args)


def _settings(options: argparse.Namespace) -> Mapping[str, Any] | None:
    """How a table is read: what the study says that defines the data."""
    from mscm_lib.study.settings import find_study

    return find_study(options.data).data[options.data].settings if options.data else None
