"""The reading guide's material: what notebooks there are, whether links hold, what has been measured."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from mscm_lib.config import unknown_key
from mscm_lib.errors import ConfigError
from mscm_lib.reports.executed import prose
from mscm_lib.reports.experiments import read_experiment, span
from mscm_lib.reports.findings import link, markdown_table
from mscm_lib.study.copies import all_notebooks

Pair = tuple[str, str, str]
"""A study, one of its variants, and the one that it is compared with."""
_LINK = re.compile(r"\[[^\]]*\]\(([\w./-]+\.ipynb)(?:#([^)\s]+))?\)")
_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*$", re.MULTILINE)


def evidence(asked: Mapping[int, Sequence[Pair]]) -> str:
    """What has been measured for each numbered answer: a table in Markdown.

    Differences are in points of mAP with 95 % intervals, from the studies' committed tables; a pair
    that has not been measured is open, and has the command that measures it.
    """
    rows = []
    for number, pairs in asked.items():
        for name, variant, other in pairs:
            experiment = read_experiment(name)
            asks = f"**{experiment.label(variant)}** less **{experiment.label(other)}**: {link(name, '../')}"
            told = [f"open: not measured here, `{experiment.command}`", ""]
            if experiment.measured:
                row = experiment.against(other).loc[variant]
                told = [span(row), str(row["verdict"])]
            rows.append([number, asks, *told])
    return markdown_table(["answer", "compared", "points of mAP [95 %]", "verdict"], rows)


def broken_links(stem: str) -> list[str]:
    """Links of a notebook to a notebook, or to a heading in one, that is not there.

    A heading is named as JupyterLab and nbconvert name it: its text with hyphens for spaces.

    Raises:
        ConfigError: there is no notebook ``stem``.
    """
    known = {path.name: path for path in all_notebooks()}
    if f"{stem}.ipynb" not in known:
        raise ConfigError(unknown_key("notebook", stem, sorted(known)))
    links = [found for cell in prose(known[f"{stem}.ipynb"]) for found in _LINK.findall(cell)]
    return [
        f"{target}#{heading}".rstrip("#")
        for target, heading in links
        if target not in known or (heading and heading not in _headings(known[target]))
    ]


def anchor(heading: str) -> str:
    """A heading's name in a link, as JupyterLab and nbconvert make it; the book keeps to it."""
    return heading.replace(" ", "-")


def _headings(path: Path) -> set[str]:
    return {anchor(text) for cell in prose(path) for text in _HEADING.findall(cell)}
