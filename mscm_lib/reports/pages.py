"""Rendered reports: executed notebooks as self-contained HTML pages, and the index that links them.

Pages load nothing from anywhere: figures are embedded, formulas are MathML, styles are inline.
The prose comes from today's notebook sources and the outputs from the executed notebook, so that a
mended sentence shows without running anything again.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import latex2mathml.converter
import nbformat
import pandas as pd
from nbconvert import HTMLExporter
from pygments.formatters import HtmlFormatter

from mscm_lib.config import LICENSED
from mscm_lib.errors import DataError
from mscm_lib.files import atomic_path, read_json, write_text
from mscm_lib.paths import resolve
from mscm_lib.study.execute import execute
from mscm_lib.study.settings import RunName, Study, load_study
from mscm_lib.study.tables import results_table

# Executed here, from what the stages left.
NARRATIVE = ("11_training_report", "90_results")
PAPER_TABLES = "91_paper_tables"  # beside them, where the study is one of the paper's datasets
PAGES_OF_RUNS = 8  # git holds the pages: of a study of more runs, none of single runs is among them


@dataclass(frozen=True)
class Report:
    """One page: its notebook, the executed copy, and how the index names it."""

    stem: str
    executed: Path
    page: str
    label: str


def write_reports(name: str) -> None:
    """Render the study's notebooks into ``results/<study>/reports`` with an index page.

    Raises:
        ConfigError: there is no study of that name.
        DataError: a stage's executed notebook is missing.
        NotebookError: one of the notebooks that read the results failed.
    """
    study = load_study(name)
    target = resolve(f"results/{study.name}/reports")
    reports = [*_narrative(study), *_stage_reports(study)]
    with atomic_path(target) as folder:
        folder.mkdir()
        for report in reports:
            print(f"report {report.page}", flush=True)
            body, title = render(report.executed, report.stem)
            body = lead_on(body, reports)
            write_text(folder / report.page, page(title, body, navigation(study)))
        write_text(folder / "index.html", page(study.title, _index(study, reports), ""))


def _narrative(study: Study) -> list[Report]:
    reports = []
    wanted = study.variants_of or study.name
    own = [stem for stem, name in studies_of_notebooks().items() if name == wanted]
    for stem in (*own, *NARRATIVE):
        executed = resolve(f"runs/notebooks/{stem}/{study.name}.ipynb")
        execute(stem, executed, {"study": study.name})
        reports.append(_told(stem, executed))
    if any(definition.reader in LICENSED for definition in study.data.values()):
        executed = resolve(f"runs/notebooks/{PAPER_TABLES}/{study.name}.ipynb")
        execute(PAPER_TABLES, executed, {})
        reports.append(_told(PAPER_TABLES, executed))
    return reports


def _told(stem: str, executed: Path) -> Report:
    return Report(stem, executed, f"{stem}.html", stem[3:].replace("_", " "))


def studies_of_notebooks() -> dict[str, str]:
    """For each notebook about one experiment, by stem: the study that its parameters name."""
    found = {}
    for path in sorted(resolve("notebooks").glob("[23]?_*.ipynb")):
        for cell in read_notebook(path).cells:
            if "parameters" in cell.metadata.get("tags", []):
                for name in re.findall(r"^study = [\"'](\w+)[\"']", cell.source, re.MULTILINE):
                    found[path.stem] = name
    return found


def _stage_reports(study: Study) -> list[Report]:
    names = [("21_reference_rankings", dataset, dataset) for dataset in study.data]
    runs = list(study.runs())
    for stem in ("10_train", "20_evaluate") if len(runs) <= PAGES_OF_RUNS else ():
        names += [(stem, run.name, _label(run)) for run in runs]
    reports = []
    for stem, name, label in names:
        executed = resolve(f"runs/notebooks/{stem}/{name}.ipynb")
        if not executed.is_file():
            raise DataError(f"{executed}: no such file; `dvc repro` makes it, or `dvc checkout`")
        reports.append(Report(stem, executed, f"{stem}--{name}.html", label))
    return reports


def _label(run: RunName) -> str:
    trial = f", split {run.trial}" if run.trial else ""
    return f"{run.variant} on {run.dataset}{trial}, seed {run.seed}"


def read_notebook(path: Path) -> nbformat.NotebookNode:
    """A notebook from disk; raises `DataError` naming the file when it is none."""
    try:
        return nbformat.read(path, as_version=4)
    except Exception as error:  # nbformat raises several unrelated types
        raise DataError(f"{path}: not a readable notebook ({error})") from error


def render(executed: Path, stem: str) -> tuple[str, str]:
    """HTML body and title of an executed notebook, with the prose of its present source.

    Papermill's injected parameters are kept. Where the source's code is no longer the executed
    one, the executed notebook is shown as it ran.
    """
    ran = read_notebook(executed)
    source = read_notebook(resolve(f"notebooks/{stem}.ipynb"))
    notebook = with_prose(ran, source)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = formulas(cell.source)
    notebook.cells = [cell for cell in notebook.cells if cell.source.strip()]
    exporter = HTMLExporter(
        template_name="basic",
        preprocessors=["nbconvert.preprocessors.coalescestreams.CoalesceStreamsPreprocessor"],
    )
    body, _ = exporter.from_notebook_node(notebook)
    heading = next((c.source for c in source.cells if c.cell_type == "markdown"), stem)
    return body, heading.splitlines()[0].lstrip("# ")


def lead_on(body: str, reports: Sequence[Report]) -> str:
    """The page's body with its links to notebooks leading to what a reader of pages can open.

    That is the notebook's own page; the index, if several runs have one; else the source, as it
    lies three folders up and is shown by the repository's host and by JupyterLab.
    """
    pages: dict[str, list[str]] = {}
    for report in reports:
        pages.setdefault(report.stem, []).append(report.page)

    def target(match: re.Match[str]) -> str:
        stem, heading = match[1], match[2] or ""
        found = pages.get(stem, [])
        if len(found) == 1:
            return f'href="{found[0]}{heading}"'
        return 'href="index.html"' if found else f'href="../../../notebooks/{stem}.ipynb{heading}"'

    return re.sub(r'href="(\d\d_\w+)\.ipynb(#[^"]*)?"', target, body)


def with_prose(ran: nbformat.NotebookNode, source: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The executed notebook with the present source's prose, if the code is still the same."""
    injected = [c for c in ran.cells if "injected-parameters" in c.metadata.get("tags", [])]
    executed = [c for c in ran.cells if c.cell_type == "code" and c not in injected]
    wanted = [c for c in source.cells if c.cell_type == "code"]
    if [c.source for c in executed] != [c.source for c in wanted]:
        return ran
    outputs = iter(executed)
    cells = []
    for cell in source.cells:
        cells.append(next(outputs) if cell.cell_type == "code" else cell)
        if "parameters" in cell.metadata.get("tags", []):
            cells += injected
    return nbformat.v4.new_notebook(cells=cells, metadata=ran.metadata)


_MATH = re.compile(r"\$\$(.+?)\$\$|(?<![\\$\w])\$([^$\n]+?)\$(?!\w)", re.DOTALL)


def formulas(markdown: str) -> str:
    """``$…$`` and ``$$…$$`` as MathML, which browsers draw without a script."""

    def convert(match: re.Match[str]) -> str:
        display = "block" if match[1] else "inline"
        return latex2mathml.converter.convert((match[1] or match[2]).strip(), display=display)

    parts = re.split(r"(```.*?```|`[^`]*`)", markdown, flags=re.DOTALL)  # code stays as it is
    return "".join(p if p.startswith("`") else _MATH.sub(convert, p) for p in parts)


def navigation(study: Study) -> str:
    """The line above each report that leads back to the index."""
    return f'<nav><a href="index.html">{html.escape(study.title)}</a></nav>'


def page(title: str, body: str, above: str) -> str:
    """A whole HTML page around ``body``, styles included."""
    return (
        "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{html.escape(title)}</title><style>{STYLE}"
        f"{HtmlFormatter().get_style_defs('.highlight')}</style></head>"
        f"<body>{above}<main>{body}</main></body></html>\n"
    )


def _index(study: Study, reports: list[Report]) -> str:
    tables = resolve(f"results/{study.name}/tables")
    figures = sorted(resolve(f"results/{study.name}/figures").glob("*.png"))
    summary = pd.read_csv(tables / "summary.csv")
    provenance = read_json(tables / "provenance.json")
    parts = [
        f"<h1>{html.escape(study.title)}</h1>",
        "<h2>Results</h2>",
        results_table(summary).to_html(index=False, border=0),
    ]
    for figure in figures:
        link = f"../figures/{figure.name}"
        text = figure.with_suffix(".txt").read_text(encoding="utf-8").strip()
        parts.append(
            f"<figure><img src='{link}' alt='{html.escape(text, quote=True)}'>"
            f"<figcaption>{html.escape(text)}</figcaption></figure>"
        )
    parts.append("<h2>Notebooks</h2><ul>")
    for report in reports:
        parts.append(f"<li><a href='{report.page}'>{report.stem}</a>: {html.escape(report.label)}")
    parts.append("</ul>")
    if sum(1 for _ in study.runs()) > PAGES_OF_RUNS:
        parts.append(
            "<p>Every run's own executed notebooks are in <code>runs/notebooks/10_train</code> and "
            "<code>20_evaluate</code>, which <code>dvc repro</code> makes.</p>"
        )
    parts.append("<h2>Tables</h2><ul>")
    parts += [f"<li><a href='../tables/{t.name}'>{t.name}</a>" for t in sorted(tables.iterdir())]
    parts.append("</ul><h2>Where these numbers come from</h2>")
    parts.append(f"<pre>{html.escape(json.dumps(provenance, indent=2))}</pre>")
    return "\n".join(parts)


STYLE = """
body{margin:0;font:16px/1.55 system-ui,sans-serif;color:#1b1f24;background:#fff}
nav{padding:.6rem 1rem;border-bottom:1px solid #d8dee4}main{max-width:60rem;margin:0 auto;padding:1rem}
h1,h2,h3{line-height:1.25}a{color:#0b62c4}.anchor-link,.prompt{display:none}
img,svg{max-width:100%;height:auto}figure{margin:1.5rem 0}figcaption{color:#57606a;font-size:.9rem}
pre{overflow-x:auto;font-size:.82rem;line-height:1.4;background:#f6f8fa;padding:.6rem .8rem;border-radius:6px}
.output pre{background:#fff;border-left:3px solid #d8dee4;border-radius:0}
table{border-collapse:collapse;border:0;font-size:.88rem;display:block;overflow-x:auto;margin:1rem 0}
th,td{padding:.3rem .7rem;text-align:right;border-bottom:1px solid #d8dee4;white-space:nowrap}
th:first-child,td:first-child{text-align:left}code{background:#f6f8fa;padding:.1em .3em;border-radius:4px}
pre code{padding:0}math[display=block]{margin:.8rem 0}
"""
