"""The reading guide's material: what notebooks there are, whether links hold, what has been run."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pandas as pd

from mscm_lib.config import unknown_key
from mscm_lib.errors import ConfigError
from mscm_lib.paths import project_root, resolve
from mscm_lib.study.settings import load_study, study_names

_LINK = re.compile(r"\[[^\]]*\]\(([\w./-]+\.ipynb)(?:#([^)\s]+))?\)")
_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*$", re.MULTILINE)


def contents() -> str:
    """Every notebook as a list in Markdown: its title, which is a link, and the claim it makes."""
    lines = []
    for path in _notebooks():
        heading, _, rest = _prose(path)[0].partition("\n")
        claim = re.search(r"\*\*(?:Claim: )?(.+?)\*\*", rest, re.DOTALL)
        told = f": {claim[1][0].upper()}{claim[1][1:]}" if claim else ""
        title = heading.lstrip("# ")
        lines.append(f"- [**{path.stem[:2]}** {title}]({path.name}){told}")
    return "\n".join(lines)


def notebook_path(name: str) -> Path | None:
    """The notebook of that name, or None where there is none yet."""
    return next((path for path in _notebooks() if path.stem == name), None)


def broken_links(stem: str) -> list[str]:
    """Links of a notebook to a notebook, or to a heading in one, that is not there.

    A heading is named as JupyterLab and nbconvert name it: its text with hyphens for spaces.

    Raises:
        ConfigError: there is no notebook ``stem``.
    """
    known = {path.name: path for path in _notebooks()}
    if f"{stem}.ipynb" not in known:
        raise ConfigError(unknown_key("notebook", stem, sorted(known)))
    broken = []
    for cell in _prose(known[f"{stem}.ipynb"]):
        for target, heading in _LINK.findall(cell):
            if target not in known:
                broken.append(target)
            elif heading and heading not in headings(known[target]):
                broken.append(f"{target}#{heading}")
    return broken


def headings(path: Path) -> set[str]:
    """The names by which links reach a notebook's headings."""
    return {anchor(text) for cell in _prose(path) for text in _HEADING.findall(cell)}


def anchor(heading: str) -> str:
    """A heading's name in a link, as JupyterLab and nbconvert make it; the book keeps to it."""
    return heading.replace(" ", "-")


def results_state() -> pd.DataFrame:
    """Every study: whether its results are here, and the command that makes them.

    Columns: study (index), about, datasets, runs (trainings that it takes), state, command.
    """
    rows = []
    for study in map(load_study, study_names()):
        done = summary_path(study.name).is_file()
        rows.append(
            {
                "study": study.name,
                "about": study.title,
                "datasets": ", ".join(study.data),
                "runs": sum(1 for _ in study.runs()),
                "state": "measured" if done else "not run here",
                "command": f"make study STUDY={study.name}",
            }
        )
    return pd.DataFrame(rows).set_index("study")


def summary_path(study: str) -> Path:
    """The table that sums up a study's results, which need not be there."""
    return resolve(f"results/{study}/tables/summary.csv")


def _notebooks() -> list[Path]:
    return sorted((project_root() / "notebooks").glob("[0-9][0-9]_*.ipynb"))


def _prose(path: Path) -> list[str]:
    notebook = nbformat.read(path, as_version=4)
    return [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
