"""A study's front page, ``results/<study>/README.md``: what was found, by what, and where to read on.

A code host shows it, and the book has it as a page.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from mscm_lib.files import write_text
from mscm_lib.markdown import markdown_table
from mscm_lib.paths import resolve
from mscm_lib.provenance import mixed
from mscm_lib.reports.executed import title
from mscm_lib.reports.experiments import read_measured
from mscm_lib.reports.findings import EARLIER, found, gate
from mscm_lib.study.changes import changed
from mscm_lib.study.copies import copies_beside, copy_path
from mscm_lib.study.searched import PAGE
from mscm_lib.study.settings import Study

_FIRST = ("contrasts", "retrieval")  # the figures that stand beside the findings
_SHOWN = ("command", "commit", "seed", "device", "threads", "dataset_fingerprint")


def write_summary(name: str) -> None:
    """Write the front page of a study.

    Raises:
        ConfigError: there is no study of that name.
        DataError: its tables are not there.
    """
    experiment = read_measured(name)
    study, records = experiment.study, experiment.provenance
    folder = resolve(f"results/{name}/tables")
    summary = (folder / "summary.md").read_text(encoding="utf-8")
    tables = sorted(path.name for path in folder.iterdir() if path.suffix != ".md")
    figures = {p.stem: p for p in sorted(resolve(f"results/{name}/figures").glob("*.png"))}
    said = found(experiment)
    drawn = [_figure(figures.pop(name)) for name in _FIRST if name in figures]
    blocks = [
        f"# {study.title}",
        f"## What was found\n\n{said[0].upper()}{said[1:]}.\n\n{gate(experiment)} {_freshness(study)}",
        *drawn,
        "## The figures\n\nRank-k, mAP and mINP in percent, mean over runs ± standard deviation; each "
        f"row with the command that makes it again.\n\n{summary}",
        f"## The notebooks, executed\n\n{contents(study)}{_searches(study)}",
        *(_figure(path) for path in figures.values()),
        "## Where these numbers come from\n\n" + provenance(records),
        f"<details><summary>All parameters of {len(records)} runs</summary>\n\n"
        f"{parameters(records)}\n</details>",
        "Tables: " + ", ".join(f"[{table}](tables/{table})" for table in tables),
    ]
    text = "\n\n".join(block.rstrip("\n") for block in blocks)
    write_text(resolve(f"results/{name}/README.md"), text + "\n")


def contents(study: Study) -> str:
    """The executed notebooks that are there, in the order to read them in: a list in Markdown."""
    there = [stem for stem in copies_beside(study) if copy_path(study.name, stem).is_file()]
    return "\n".join(f"- [{stem[:2]} {title(stem)}](reports/{stem}.ipynb)" for stem in there)


def _searches(study: Study) -> str:
    """A line on the page of searches, where it is there."""
    if not resolve(f"results/{study.name}/{PAGE}").is_file():
        return ""
    return f"\n\n[{PAGE}]({PAGE}) shows searches one by one; saved to a disk, a browser opens it."


def provenance(records: Mapping[str, Any]) -> str:
    """What made each run, a row a run, and below it the versions; a table in Markdown."""
    rows = [
        [name, *(_short(made.get(key, "")) for key in _SHOWN)] for name, made in records.items()
    ]
    head = ["run", *(key.replace("_", " ") for key in _SHOWN)]
    one = next(iter(records.values()))
    versions = ", ".join(f"{name} {number}" for name, number in one["versions"].items())
    made = f"{one['processor']}, {one['system']}; {versions}."
    if said := mixed([*records.values()]):
        made = f"**Mixed**: {said}."
    return f"{markdown_table(head, rows)}\n{made}"


def parameters(records: Mapping[str, Any]) -> str:
    """What all runs have in common, and what differs, as two tables in Markdown."""
    table = pd.DataFrame({name: record["parameters"] for name, record in records.items()})
    table = table.astype(str)
    same = table.nunique(axis=1) == 1
    alike, apart = table.loc[same].iloc[:, :1], table.loc[~same].T
    common = markdown_table(["parameter", "value"], alike.itertuples(name=None))
    return f"{common}\n{markdown_table(['run', *apart.columns], apart.itertuples(name=None))}"


def _freshness(study: Study) -> str:
    if found := list(dict.fromkeys(map(_in_words, changed(study)))):
        *others, last = found
        told = f"{', '.join(others)} and {last}" if others else last
        again = f"`make study STUDY={study.name}` makes the runs again"
        return f"**{EARLIER}**: {told} changed since, and {again}."
    return "The code and the parameters are still those that made these runs."


def _in_words(path: str) -> str:
    """What a reader calls that which a file of `changed` stands for."""
    match path.split("/"):
        case ["plan", run, _]:
            return f"parameters of {run}"
        case ["build", "own", _, run]:
            return f"the code of training or the own parts of {run}"
        case ["build", "code", "train", _]:
            return "the code of training"
        case ["build", "code", _]:
            return "the code of evaluation"
    return f"the list of finished runs ({path})"


def _figure(path: Path) -> str:
    text = path.with_suffix(".txt").read_text(encoding="utf-8").strip()
    return f"![{text}](figures/{path.name})\n\n*{text}*"


def _short(value: object) -> str:
    text = str(value)
    return text[:12] if len(text) == 40 or len(text) == 64 else text
