"""The book: the executed notebooks and the studies' front pages as one static site.

It executes nothing. Files keep their places, so that a link that holds in the repository holds in the
book. A notebook without an executed copy is shown as its source, and says which command fills it.
Sphinx makes the pages; the site loads nothing from a network and opens from disk.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import jupyter_server_mathjax
import nbformat

from mscm_lib.errors import StudyError
from mscm_lib.files import write_text
from mscm_lib.paths import project_root, resolve
from mscm_lib.reports.executed import PICTURES, read_notebook, relinked, same_code, shown, title
from mscm_lib.reports.readme import chapters, refreshed
from mscm_lib.study.copies import all_notebooks, home, of_no_study

PAGES = ("own_data", "changes", "api")  # of book/, beside the front page
CARDS = ("PROTOCOL", "MODEL_CARD", "DATASET_CARD")  # of the repository


class BookError(StudyError):
    """Sphinx could not build the site."""


def build_book(folder: Path | str = "build/book") -> Path:
    """Build the site below ``folder``; the page to open is returned.

    Raises:
        DataError: an executed notebook is damaged.
        BookError: Sphinx failed, or is not installed.
    """
    folder = resolve(folder)
    source, html = folder / "source", folder / "html"
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(project_root() / "book", source)
    mathjax = Path(jupyter_server_mathjax.__file__).parent / "static"
    spared = shutil.ignore_patterns("localization", "SVG")  # English is built in
    shutil.copytree(mathjax, source / "_static/mathjax", ignore=spared)
    for study in studies():
        left_out = shutil.ignore_patterns("summary.md", ".*")
        shutil.copytree(resolve(f"results/{study}"), source / "results" / study, ignore=left_out)
    for path in all_notebooks():
        place = source / shown(path.stem)
        if not place.is_file():
            place.parent.mkdir(exist_ok=True)
            shutil.copyfile(path, place)
    pages = sorted(source.glob("**/*.ipynb"))
    for path in pages:
        write_text(path, leading(nbformat.writes(page(path)) + "\n", path.parent, source))
    front = (source / "index.md").read_text(encoding="utf-8")
    said = refreshed(resolve("README.md").read_text(encoding="utf-8"))
    said = said.partition("## What was found\n")[2].partition("\n## ")[0]
    front = front.replace("<!-- found -->", said)
    names = [path.relative_to(source).with_suffix("").as_posix() for path in pages]
    front = front.replace("<!-- chapters -->", contents(names))
    write_text(source / "index.md", leading(front, source, source))
    shutil.copytree(resolve("results/diagrams"), source / "results/diagrams")
    for card in CARDS:
        told = (
            resolve(f"{card}.md").read_text(encoding="utf-8").replace("(README.md)", "(index.md)")
        )
        write_text(source / f"{card}.md", leading(told, source, source))
    _sphinx(source, html, folder / "doctrees")
    return html / "index.html"


def studies() -> list[str]:
    """Studies that have a front page, the quick one first."""
    names = sorted(path.parent.name for path in resolve("results").glob("*/README.md"))
    return sorted(names, key=lambda name: name != "quick")


def page(path: Path) -> nbformat.NotebookNode:
    """A notebook for the book: what its reader must know of its outputs, and figures' texts."""
    notebook, stem = read_notebook(path), path.stem
    study = home(stem) if path.parent.name == "notebooks" else path.parent.parent.name
    command = "`make pages`" if stem in of_no_study() else f"`make study STUDY={study}`"
    note = ""
    if path.parent.name == "notebooks":
        note = f"It has not been executed here. {command} executes it, and the next book shows it."
    elif not same_code(notebook, read_notebook(resolve(f"notebooks/{stem}.ipynb"))):
        note = f"It was executed before its code was changed. {command} executes it again."
    if note:
        notebook.cells.insert(1, nbformat.v4.new_markdown_cell(f":::{{note}}\n{note}\n:::"))
    for cell in notebook.cells:
        shows = [o for o in cell.get("outputs", []) if {*PICTURES} & {*o.get("data", {})}]
        texts = [o.metadata.get(kind, {}).get("alt", "") for o in shows for kind in PICTURES]
        if any(texts):
            cell.metadata["mystnb"] = {"image": {"alt": " ".join(filter(None, texts))}}
    return notebook


def leading(text: str, folder: Path, source: Path) -> str:
    """``text`` with links to notebooks that are not where they say leading to where they are shown."""
    return relinked(text, folder, source, lambda link: (folder / link).is_file())


def contents(pages: list[str]) -> str:
    """Sphinx's tables of contents: the chapters, the studies, and what stands beside them."""
    listed = {
        chapter: [
            f"{s[:2]} {title(s).partition(': ')[0]} <{shown(s).removesuffix('.ipynb')}>"
            for s in stems
        ]
        for chapter, stems in chapters().items()
    }
    known = {shown(path.stem).removesuffix(".ipynb") for path in all_notebooks()}
    listed["Studies"] = [f"{name.replace('_', '-')} <results/{name}/README>" for name in studies()]
    listed["Working on it"] = [*PAGES, *CARDS]
    blocks = [_toctree(f":caption: {chapter}", lines) for chapter, lines in listed.items()]
    others = [f"{_of_study(name)} <{name}>" for name in pages if name not in known]
    if others:
        blocks.append(_toctree(":hidden:\n:caption: The same notebooks, of other studies", others))
    return "\n\n".join(blocks)


def _of_study(name: str) -> str:
    """``lab: 11 Was the training healthy?`` of ``results/lab/reports/11_training_report``."""
    study, stem = Path(name).parts[1].replace("_", "-"), Path(name).name
    return f"{study}: {stem[:2]} {title(stem).partition(': ')[0]}"


def _toctree(option: str, lines: list[str]) -> str:
    return "\n".join(["```{toctree}", ":maxdepth: 1", option, "", *lines, "```"])


def _sphinx(source: Path, html: Path, doctrees: Path) -> None:
    command = [sys.executable, "-m", "sphinx", "-q", "-j", "auto", "-b", "html"]
    command += ["-d", str(doctrees), str(source), str(html)]
    print("book: pages", flush=True)
    if subprocess.run(command, cwd=project_root()).returncode:
        raise BookError("Sphinx could not build the book; what it says stands above")
