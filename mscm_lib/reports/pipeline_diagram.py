"""The pipeline as a diagram, drawn from the files that it is run by."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from mscm_lib.paths import resolve
from mscm_lib.reports.style import INFRARED, PALETTE, VISIBLE
from mscm_lib.reports.svg import FAINT, Drawing, Point

MADE = PALETTE[2]
STAGES = {
    "prepare": (10, 122, 440, VISIBLE),
    "train": (10, 196, 148, INFRARED),
    "reference": (270, 196, 180, INFRARED),
    "evaluate": (122, 288, 176, INFRARED),
    "tables": (10, 380, 440, MADE),
    "figures": (10, 454, 220, MADE),
    "reports": (10, 528, 440, MADE),
}
"""Where a stage stands: left, top, width, colour."""
HANDED: dict[tuple[str, str], tuple[Point, ...]] = {
    ("prepare", "train"): ((75, 167), (75, 196)),
    ("prepare", "reference"): ((360, 167), (360, 196)),
    ("prepare", "evaluate"): ((205, 167), (205, 288)),
    ("train", "evaluate"): ((90, 258), (90, 319), (122, 319)),
    ("train", "tables"): ((40, 258), (40, 380)),
    ("reference", "tables"): ((380, 258), (380, 380)),
    ("evaluate", "tables"): ((205, 350), (205, 380)),
    ("tables", "figures"): ((120, 425), (120, 454)),
    ("tables", "reports"): ((340, 425), (340, 528)),
    ("figures", "reports"): ((120, 499), (120, 528)),
}
"""The way of an arrow from one stage to another that reads what it wrote."""


def pipeline() -> str:
    """The stages, what each writes, and who reads it, as ``dvc.yaml`` and a study's file have it.

    All later stages depend on digests of code and on the plan or the study's file: one arrow.
    """
    stages: dict[str, Any] = {}
    for path in ("dvc.yaml", "studies/quick/dvc.yaml"):
        stages |= yaml.safe_load(resolve(path).read_text(encoding="utf-8"))["stages"]
    stages.pop("rankings")  # a page beside the figures, with arrows from everywhere
    # one box: a stage a notebook, each on the tables, and the front page on all of them
    told = [*stages.pop("summary")["deps"], *stages["report-90_results"]["deps"]]
    stages = {name: stage for name, stage in stages.items() if not name.startswith("report-")}
    deps = [path for path in told if "/reports/" not in path]
    stages["reports"] = {"deps": deps, "outs": ["results/quick/reports, README.md"]}
    reads = {name: stage.get("do", stage)["deps"] for name, stage in stages.items()}
    writes = {name: _written(stage) for name, stage in stages.items()}
    shown = {name: _for_readers(path) for name, path in writes.items()}
    d = Drawing(590, "The pipeline: a study is planned; its data are prepared; runs are trained, "
                "evaluated, and told in tables, figures and notebooks")  # fmt: skip
    d.box(10, 12, 215, 62, ["mscm plan", "studies/<study>/study.yaml", "→ plan/, runs.json"], FAINT)
    d.box(235, 12, 215, 62, ["strip", "notebooks, mscm_lib", f"→ {shown['strip']}"], FAINT)
    d.words(230, 96, "parameters and digests of code: to every stage")
    d.arrow((230, 102), (230, 122))
    for name, (x, y, width, colour) in STAGES.items():
        notebook = re.search(r"\d\d_\w+", str(stages[name]))
        lines = [name, *([notebook[0]] if notebook else []), f"→ {shown[name]}"]
        d.box(x, y, width, 11 + 17 * len(lines), lines, colour)
        begins = writes[name].split("${")[0]
        for reader in stages:
            if any(path.startswith(begins) for path in reads[reader]):
                d.arrow(*HANDED[name, reader])
    return d.svg()


def _written(stage: Mapping[str, Any]) -> str:
    """The first thing that a stage writes, as DVC has it."""
    out = stage.get("do", stage)["outs"][0]
    return str(out if isinstance(out, str) else next(iter(out)))


def _for_readers(path: str) -> str:
    what = "<run>" if path.startswith(("runs/train", "runs/evaluate")) else "<data>"
    return path.replace("${key}", what).replace("/quick/", "/<study>/")
