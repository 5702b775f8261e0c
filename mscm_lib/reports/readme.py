"""README.md's findings, notebooks and tables, written from what studies and benchmarks left."""

from __future__ import annotations

import re
from pathlib import Path

from mscm_lib.files import made, write_text
from mscm_lib.markdown import markdown_table
from mscm_lib.paths import resolve
from mscm_lib.reports.benchmarks import benchmark_table
from mscm_lib.reports.diagrams import write_diagrams
from mscm_lib.reports.executed import shown, title
from mscm_lib.reports.findings import findings
from mscm_lib.study.copies import all_notebooks, studies_of_notebooks

CHAPTERS = {
    "0": "Background and method",
    "1": "Training",
    "2": "Evaluation",
    "3": "Experiments",
    "4": "Looking inside",
    "5": "What the paper does not compare",
    "6": "Why numbers differ",
    "9": "Results, and the paper's tables",
}
_BLOCK = re.compile(r"(<!-- (\w+)(?:: (\S+))? -->\n).*?(<!-- end -->)", re.DOTALL)


def refreshed(text: str) -> str:
    """``text`` with each block between ``<!-- name -->`` and ``<!-- end -->`` written again.

    ``findings``: a line a study; ``notebooks``: all of them, by chapter; ``results: <study>``: that
    study's summary table; ``benchmarks``: what they measured.

    Raises:
        DataError: a block names a study that has no results.
    """
    makers = {
        "findings": lambda _: findings(),
        "notebooks": lambda _: notebooks(),
        "results": _results,
        "benchmarks": lambda _: benchmark_table(),
    }
    return _BLOCK.sub(lambda match: f"{match[1]}{makers[match[2]](match[3])}{match[4]}", text)


def chapters() -> dict[str, list[str]]:
    """Stems of all notebooks by chapter; one that is added is in it by its digits."""
    found: dict[str, list[str]] = {}
    of_studies = studies_of_notebooks()
    for path in all_notebooks():
        kind = "3" if path.stem in of_studies and path.stem[0] == "2" else path.stem[0]
        chapter = CHAPTERS.get(kind, f"Notebooks {kind}x")
        found.setdefault(chapter, []).append(path.stem)
    return found


def notebooks() -> str:
    """A Markdown table of the chapters with links to their notebooks."""
    rows = [
        [chapter, "<br>".join(f"[{s[:2]} {title(s)}]({shown(s)})" for s in stems)]
        for chapter, stems in chapters().items()
    ]
    return markdown_table(["chapter", "notebooks"], rows)


def refresh(path: Path | str = "README.md") -> None:
    """Rewrite README.md's blocks in place, and draw the diagrams that it shows."""
    write_diagrams()
    path = resolve(path)
    write_text(path, refreshed(path.read_text(encoding="utf-8")))


def _results(study: str) -> str:
    how = f"make it with `make study STUDY={study}`, or take the block out of README.md"
    return made(resolve(f"results/{study}/tables/summary.md"), how).read_text(encoding="utf-8")
