"""The book: all notebooks as one static site with navigation, search, formulas and results.

Notebooks are found by their two digits; a notebook that is added is in the next book. Sphinx, with
MyST-NB and its book theme, makes the pages. The site loads nothing from a network and opens from
disk.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import jupyter_server_mathjax
import nbformat
from joblib import Parallel, delayed

from mscm_lib.errors import StudyError
from mscm_lib.files import write_text
from mscm_lib.paths import project_root, resolve
from mscm_lib.reports.copies import KINDS, STUDY, Copies, Copy
from mscm_lib.reports.findings import findings_table
from mscm_lib.reports.pages import read_notebook, studies_of_notebooks, with_prose

DECADES = {
    "0": "Background and method",
    "1": "Training",
    "2": "Evaluation",
    "3": "Experiments",
    "4": "Looking inside",
    "6": "What a figure stands for",
    "9": "The paper's tables",
}
PAGES = ("own_data", "changes")  # of book/, beside the front page


class BookError(StudyError):
    """Sphinx could not build the site."""


@dataclass(frozen=True)
class Page:
    """One notebook's place in the book."""

    stem: str
    title: str

    @property
    def entry(self) -> str:
        """The title in the navigation: digits, and what stands before a colon."""
        return f"{self.stem[:2]} {self.title.partition(': ')[0]}"


def chapters() -> dict[str, list[Page]]:
    """Notebooks by chapter, in the order of their digits; the title is the first heading."""
    found = defaultdict(list)
    for path in sorted((project_root() / "notebooks").glob("[0-9][0-9]_*.ipynb")):
        cells = read_notebook(path).cells
        prose = next((c.source for c in cells if c.cell_type == "markdown"), path.stem)
        chapter = DECADES.get(path.stem[0], f"Notebooks {path.stem[0]}x")
        found[chapter].append(Page(path.stem, prose.splitlines()[0].lstrip("# ")))
    return dict(found)


def build_book(folder: Path | str = "build/book", ready: Mapping[str, Path] | None = None) -> Path:
    """Build the site below ``folder``; the page to open is returned.

    Args:
        folder: gets ``executed/`` (copies kept for the next time), ``source/`` and ``html/``.
        ready: executed notebooks by stem that are taken as they are.

    Raises:
        NotebookError: a notebook failed.
        BookError: Sphinx failed, or is not installed.
    """
    folder = resolve(folder)
    source, html = folder / "source", folder / "html"
    found = chapters()
    stems = [page.stem for pages in found.values() for page in pages]
    shutil.rmtree(source, ignore_errors=True)
    source.mkdir(parents=True)
    for copy in _executed(stems, Copies(folder / "executed", ready or {})):
        page = _prepared(copy)
        write_text(source / f"{copy.stem}.ipynb", nbformat.writes(page) + "\n")
    _write_frame(source, found)
    _sphinx(source, html, folder / "doctrees")
    return html / "index.html"


def _executed(stems: list[str], copies: Copies) -> list[Copy]:
    """All copies, with a line for each that is ready."""
    began, done = time.monotonic(), []
    print(f"book: {len(stems)} notebooks; copies that are up to date are kept", flush=True)
    for copy in _made(stems, copies):
        done.append(copy)
        took = f"executed in {copy.seconds:.0f} s" if copy.seconds else "kept"
        print(f"book: {len(done)}/{len(stems)} {copy.stem} {took}", flush=True)
    print(f"book: notebooks ready after {time.monotonic() - began:.0f} s", flush=True)
    return done


def _made(stems: list[str], copies: Copies) -> Iterator[Copy]:
    kept = {stem: copies.kept(stem) for stem in stems}
    yield from (copy for copy in kept.values() if copy)
    missing = [stem for stem in stems if not kept[stem]]
    # a stage's notebook takes what another left; the others know nothing of each other
    yield from (copies.make(stem) for stem in missing if stem in KINDS)
    telling = [stem for stem in missing if stem not in KINDS]
    if telling:
        jobs = Parallel(n_jobs=min(4, os.cpu_count() or 1), return_as="generator_unordered")
        yield from jobs(delayed(copies.make)(stem) for stem in telling)


def _prepared(copy: Copy) -> nbformat.NotebookNode:
    """The copy with today's prose, where its outputs come from, and figures' texts for readers."""
    source = read_notebook(resolve(f"notebooks/{copy.stem}.ipynb"))
    notebook = with_prose(read_notebook(copy.path), source)
    if copy.note:
        note = nbformat.v4.new_markdown_cell(f":::{{note}}\n{copy.note}\n:::")
        notebook.cells.insert(1, note)
    for cell in notebook.cells:
        texts = [
            output.metadata.get(kind, {}).get("alt", "")
            for output in cell.get("outputs", [])
            for kind in ("image/png", "image/svg+xml")
            if kind in output.get("data", {})
        ]
        if texts:
            cell.metadata["mystnb"] = {"image": {"alt": " ".join(texts)}}
    return notebook


def _write_frame(source: Path, found: Mapping[str, list[Page]]) -> None:
    book = project_root() / "book"
    shutil.copy2(book / "conf.py", source)
    shutil.copytree(book / "_static", source / "_static")
    _copy_mathjax(source / "_static/mathjax")
    for name in PAGES:
        shutil.copy2(book / f"{name}.md", source)
    extra = source / "_extra"
    extra.mkdir()
    for study in studies():
        shutil.copytree(resolve(f"results/{study}"), extra / "results" / study)
    text = (book / "index.md").read_text(encoding="utf-8")
    text = text.replace("<!-- results -->", results()).replace("<!-- chapters -->", contents(found))
    write_text(source / "index.md", text)


def _copy_mathjax(target: Path) -> None:
    """The package's MathJax; English is built in."""
    package = Path(jupyter_server_mathjax.__file__).parent / "static"
    shutil.copytree(package, target, ignore=shutil.ignore_patterns("localization", "SVG"))


def contents(found: Mapping[str, list[Page]]) -> str:
    """The chapters as Sphinx's tables of contents."""
    blocks = []
    for chapter, pages in found.items():
        lines = [f"{page.entry} <{page.stem}>" for page in pages]
        blocks.append(
            "\n".join(["```{toctree}", ":maxdepth: 1", f":caption: {chapter}", "", *lines, "```"])
        )
    blocks.append("\n".join(["```{toctree}", ":caption: Working on it", "", *PAGES, "```"]))
    return "\n\n".join(blocks)


def studies() -> list[str]:
    """Studies whose results are here, the quick one first."""
    names = sorted(path.parts[-3] for path in resolve("results").glob("*/tables/summary.md"))
    return sorted(names, key=lambda name: name != STUDY)


def results() -> str:
    """The results tables, with links to the pages, tables and figures that the studies left."""
    if not studies():
        return "No study has been made here yet; `make study` makes the quick one."
    blocks, experiments = [], {*studies_of_notebooks().values()}
    for study in studies():
        if study in experiments:
            continue  # a line each, below
        summary = resolve(f"results/{study}/tables/summary.md").read_text(encoding="utf-8")
        reports = resolve(f"results/{study}/reports/index.html")
        link = f'<a href="results/{study}/reports/index.html">Every run of it</a>: '
        blocks.append(
            f"## Results: {study}\n\n::::{{div}} results\n{summary}::::\n\n"
            "Rank-k, mAP and mINP in percent, mean over runs ± standard deviation. "
            + (f"{link}reports, tables, figures, provenance." if reports.is_file() else "")
        )
    blocks.append(
        f"## Results: experiments\n\n::::{{div}} results\n{findings_table()}::::\n\n"
        "Points of mAP on generated people, with 95 % intervals; verdicts by Holm's method within "
        "each experiment, where its gate is passed (PROTOCOL.md)."
    )
    return "\n\n".join(blocks)


def _sphinx(source: Path, html: Path, doctrees: Path) -> None:
    command = [sys.executable, "-m", "sphinx", "-q", "-j", "auto", "-b", "html"]
    command += ["-d", str(doctrees), str(source), str(html)]
    print("book: pages", flush=True)
    if subprocess.run(command, cwd=project_root()).returncode:
        raise BookError("Sphinx could not build the book; what it says stands above")
