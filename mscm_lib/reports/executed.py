"""Executed notebooks as git keeps them: small, the same bytes from the same outputs, read anywhere.

A code host draws them, figures included, and nbdime compares two of them. What one execution adds that
the next would not (times, places on a disk, random names, bars of what is done) is left out, figures have a
palette, tables have words, and links lead to what lies beside them.
"""

from __future__ import annotations

import base64
import io
import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import nbformat
from nbconvert.preprocessors import CoalesceStreamsPreprocessor
from PIL import Image

from mscm_lib.config import check_known
from mscm_lib.errors import DataError
from mscm_lib.files import made, write_text
from mscm_lib.paths import project_root, resolve
from mscm_lib.reports.headings import in_words
from mscm_lib.study import copies
from mscm_lib.study.copies import copies_beside, copy_path, home
from mscm_lib.study.execute import execute
from mscm_lib.study.settings import load_study

PICTURES = ("image/png", "image/svg+xml")
_BETTER_THAN_PLAIN = (*PICTURES, "text/html", "text/markdown", "text/latex")
_FULL_BAR = re.compile(r"^.*100%\|.*\n?", re.MULTILINE)
_LINK = re.compile(r"\]\(((?:[\w./-]+/)?(\d\d_\w+)\.ipynb)")


def write_report(name: str, stem: str) -> None:
    """Write ``results/<study>/reports/<stem>.ipynb``.

    Raises:
        ConfigError: there is no study of that name, or it has no such notebook.
        DataError: a stage's executed notebook is missing.
        NotebookError: the notebook failed.
    """
    study = load_study(name)
    check_known("notebook", stem, copies_beside(study))
    path = resolve(f"build/reports/{study.name}/{stem}.ipynb")
    if stem in copies.RAN:
        ran = resolve(copies.executed_by_stage(study, stem))
        path = made(ran, "`dvc repro` makes it, or `dvc checkout`")
    else:
        given = dict(copies.parameters(study, stem))
        execute(stem, path, given, f"mscm report {study.name} {stem}")
    shown = with_prose(read_notebook(path), read_notebook(resolve(f"notebooks/{stem}.ipynb")))
    write_text(copy_path(study.name, stem), leading(portable(shown), study.name))


def read_notebook(path: Path) -> nbformat.NotebookNode:
    """A notebook from disk; raises `DataError` naming the file when it is none."""
    try:
        return nbformat.read(path, as_version=4)
    except Exception as error:  # nbformat raises several unrelated types
        raise DataError(f"{path}: not a readable notebook ({error})") from error


def prose(path: Path) -> list[str]:
    """The Markdown cells of a notebook."""
    return [cell.source for cell in read_notebook(path).cells if cell.cell_type == "markdown"]


def title(stem: str) -> str:
    """A notebook's first heading."""
    return prose(resolve(f"notebooks/{stem}.ipynb"))[0].splitlines()[0].lstrip("# ")


def shown(stem: str) -> str:
    """Where a notebook is read, from the root: its executed copy, or its source where there is none."""
    there = copy_path(home(stem), stem).is_file()
    folder = f"results/{home(stem)}/reports" if there else "notebooks"
    return f"{folder}/{stem}.ipynb"


def same_code(ran: nbformat.NotebookNode, source: nbformat.NotebookNode) -> bool:
    """Whether an executed notebook is of its present source, papermill's cell apart."""
    first, second = ([cell.source for cell in _code(each)] for each in (ran, source))
    return first == second


def _code(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [c for c in notebook.cells if c.cell_type == "code" and not _injected(c)]


def _injected(cell: nbformat.NotebookNode) -> bool:
    return "injected-parameters" in cell.metadata.get("tags", [])


def with_prose(ran: nbformat.NotebookNode, source: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The executed notebook with the present source's prose, if the code is still the same.

    So a mended sentence in a training's notebook shows without a training.
    """
    if not same_code(ran, source):
        return ran
    outputs = iter(_code(ran))
    cells = []
    for cell in source.cells:
        cells.append(next(outputs) if cell.cell_type == "code" else cell)
        if "parameters" in cell.metadata.get("tags", []):
            cells += [c for c in ran.cells if _injected(c)]
    return nbformat.v4.new_notebook(cells=cells, metadata=ran.metadata)


def portable(notebook: nbformat.NotebookNode) -> str:
    """The notebook's text without what only one execution, one machine or one program knows."""
    notebook, _ = CoalesceStreamsPreprocessor().preprocess(notebook, {})
    for number, cell in enumerate(notebook.cells):
        tags = cell.metadata.get("tags")
        cell.metadata = nbformat.NotebookNode({"tags": tags} if tags else {})
        if _injected(cell):
            cell.id = "injected-parameters"
        for output in cell.get("outputs", []):
            if output.get("name") == "stderr":
                output.text = _FULL_BAR.sub("", output.text)
            if "data" in output:
                output.data = _plainly(output.data, f"T_{number}")
                output.metadata.pop("text/plain", None)
        if cell.cell_type == "code":
            cell.outputs = [o for o in cell.outputs if o.get("text", "-")]
    language = {"name": "python", "file_extension": ".py", "mimetype": "text/x-python"}
    kept = {"kernelspec": notebook.metadata.kernelspec, "language_info": language}
    notebook.metadata = nbformat.from_dict(kept)
    text = nbformat.writes(notebook, version=4) + "\n"
    return text.replace(json.dumps(f"{project_root()}/")[1:-1], "")


def _plainly(data: nbformat.NotebookNode, name: str) -> nbformat.NotebookNode:
    """A display's forms that a host shows: no widgets, no plain text beside a better form."""
    better = [kind for kind in _BETTER_THAN_PLAIN if kind in data]
    data = nbformat.NotebookNode({k: data[k] for k in (better or ["text/plain"]) if k in data})
    if "image/png" in data:
        data["image/png"] = _with_palette(data["image/png"])
    if "text/html" in data:
        data["text/html"] = in_words(data["text/html"])
    if styled := re.search(r'<table id="(T_\w+)"', data.get("text/html", "")):
        data["text/html"] = data["text/html"].replace(styled[1], name)  # pandas draws it by lot
    return data


def _with_palette(png: str) -> str:
    """The picture in 256 colours, where that is smaller; one that has a palette stays as it is."""
    raw, stream = base64.b64decode(png), io.BytesIO()
    with Image.open(io.BytesIO(raw)) as picture:
        if picture.mode == "P":
            return png
        dpi = picture.info.get("dpi")
        method, dither = Image.Quantize.MEDIANCUT, Image.Dither.NONE
        few = picture.convert("RGB").quantize(256, method=method, dither=dither)
        few.save(stream, "PNG", optimize=True, **({"dpi": dpi} if dpi else {}))
    return base64.b64encode(min(raw, stream.getvalue(), key=len)).decode()


def leading(text: str, study: str) -> str:
    """A notebook's text with its links to notebooks leading to executed copies, else to the sources."""
    beside = {f"{stem}.ipynb" for stem in copies_beside(load_study(study))}
    text = text.replace("](../", "](../../../")  # sources lie one folder deep
    folder = Path(f"results/{study}/reports")
    return relinked(text, folder, Path(), lambda link: "/" in link or link in beside)


def relinked(text: str, folder: Path, root: Path, stays: Callable[[str], bool]) -> str:
    """``text``, in ``folder`` below ``root``, with links to notebooks leading to where each is `shown`.

    Those of which ``stays`` says so remain as they are.
    """

    def target(match: re.Match[str]) -> str:
        place = os.path.relpath(root / shown(match[2]), folder)
        return match[0] if stays(match[1]) else f"]({place}"

    return _LINK.sub(target, text)
