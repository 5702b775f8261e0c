"""Whether a notebook's links to notebooks and their headings hold."""

from __future__ import annotations

import re
from pathlib import Path

from mscm_lib.config import check_known
from mscm_lib.reports.executed import prose
from mscm_lib.study.copies import all_notebooks

_LINK = re.compile(r"\[[^\]]*\]\(([\w./-]+\.ipynb)(?:#([^)\s]+))?\)")
_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*$", re.MULTILINE)


def broken_links(stem: str) -> list[str]:
    """Links of a notebook to a notebook, or to a heading in one, that is not there.

    A heading is named as JupyterLab and nbconvert name it: its text with hyphens for spaces.

    Raises:
        ConfigError: there is no notebook ``stem``.
    """
    known = {path.name: path for path in all_notebooks()}
    check_known("notebook", f"{stem}.ipynb", known)
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
