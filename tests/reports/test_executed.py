"""Executed copies: today's prose, the run's outputs, and nothing that another execution would change."""

import base64
import io
import json
import re

import nbformat
import numpy as np
import pytest
from PIL import Image

from mscm_lib.errors import ConfigError
from mscm_lib.paths import project_root, resolve
from mscm_lib.reports import executed
from mscm_lib.reports.headings import EMPTY, WORDS, in_words
from mscm_lib.study.copies import (
    RAN,
    all_notebooks,
    copies_beside,
    dependencies,
    notebooks_of,
    studies_of_notebooks,
)
from mscm_lib.study.settings import load_study

COPIES = sorted(resolve("results").glob("*/reports/*.ipynb"))
LARGEST = 6_000_000  # the quick study's, with a copy of every notebook of no study


def _notebook(prose, output=None):
    cells = [
        nbformat.v4.new_markdown_cell(prose),
        nbformat.v4.new_code_cell("seed = 0", metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell("print(seed)"),
    ]
    if output:
        injected = nbformat.v4.new_code_cell("seed = 3", metadata={"tags": ["injected-parameters"]})
        cells.insert(2, injected)
        cells[-1].outputs = [nbformat.v4.new_output("stream", text=output)]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})


def test_prose_is_todays_and_outputs_are_the_runs():
    merged = executed.with_prose(_notebook("old words", "3\n"), _notebook("new words"))
    assert [c.source for c in merged.cells] == ["new words", "seed = 0", "seed = 3", "print(seed)"]
    assert merged.cells[-1].outputs[0].text == "3\n"


def test_a_run_of_other_code_is_shown_as_it_ran():
    ran, source = _notebook("old words", "3\n"), _notebook("new words")
    source.cells[-1].source = "print(seed + 1)"
    assert executed.with_prose(ran, source) is ran
    assert not executed.same_code(ran, source)


def _as_papermill_leaves_it(number):
    """The same outputs in other pieces, at another time, with other names."""
    notebook = _notebook("words", "epoch 1\n")
    cell = notebook.cells[-1]
    new = nbformat.v4.new_output
    if number:
        cell.outputs = [new("stream", text="epo"), new("stream", text="ch 1\n")]
    for each in notebook.cells:
        each.id = each.cell_type if not executed._injected(each) else f"drawn-{number}"
        each.metadata["papermill"] = {"duration": number}
    notebook.cells[1].id = "the-first"
    table = f'<style>#T_{number}ab {{}}</style><table id="T_{number}ab"><td id="T_{number}ab_row0">'
    forms = {"text/html": table, "text/plain": f"<Styler at 0x7f{number}>"}
    widget = {"application/vnd.jupyter.widget-view+json": {"model_id": number}, "text/plain": "bar"}
    said = new("stream", text=f"in {project_root()}/runs\n")
    bar = new(
        "stream", name="stderr", text=f"embedding: 100%|███| 9/9 [00:0{number}<00:00, 9img/s]\n"
    )
    cell.outputs += [new("display_data", forms), new("display_data", widget), said, bar]
    notebook.metadata["papermill"] = {"end_time": number, "output_path": f"/tmp/{number}"}
    return notebook


def test_two_executions_alike_have_the_same_bytes():
    one, other = (executed.portable(_as_papermill_leaves_it(number)) for number in (0, 1))
    assert one == other
    for word in ("papermill", "widget", "Styler at", str(project_root()), "img/s"):
        assert word not in one
    assert "in runs\\n" in one and "bar" in one
    nbformat.validate(nbformat.reads(one, as_version=4))


def test_a_warning_beside_a_bar_stays():
    notebook = _notebook("words", "done\n")
    text = "embedding: 100%|███| 9/9 [00:01<00:00, 9img/s]\na warning\n"
    notebook.cells[-1].outputs += [nbformat.v4.new_output("stream", name="stderr", text=text)]
    kept = nbformat.reads(executed.portable(notebook), as_version=4).cells[-1].outputs
    assert [each.text for each in kept] == ["done\n", "a warning\n"]


def test_tables_speak_in_words():
    table = "<th>mean_ap</th><td>rank1</td><td>0.5</td><td>mean_ap of what</td><td>NaN</td><td>none</td>"
    said = "<th>mAP</th><td>rank-1</td><td>0.5</td><td>mean_ap of what</td>"
    assert in_words(table) == f"{said}<td>{EMPTY}</td><td>none</td>"
    typed = "<th>parameter</th><th>metric_loss</th><td>None</td>"
    assert in_words(typed) == typed


def test_a_picture_gets_smaller_and_stays_the_same_to_the_eye():
    ramp = np.add.outer(np.arange(200), np.arange(200)).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(np.stack([ramp, ramp[::-1], ramp], -1)).save(stream, "PNG", dpi=(120, 120))
    before = stream.getvalue()
    after = base64.b64decode(executed._with_palette(base64.b64encode(before).decode()))
    assert len(after) <= len(before)
    pixels = [np.asarray(Image.open(io.BytesIO(b)).convert("RGB"), float) for b in (before, after)]
    assert abs(pixels[0] - pixels[1]).mean() < 8


def test_links_lead_to_copies_and_else_to_sources():
    text = "[a](05_qct.ipynb#A) [b](90_results.ipynb) [c](../PROTOCOL.md)"
    assert executed.leading(text, "quick") == text.replace("](../", "](../../../")
    there = "../../quick/reports" if resolve("results/quick/reports/05_qct.ipynb").is_file() else ""
    told = executed.leading(text, "components")
    assert f"]({there or '../../../notebooks'}/05_qct.ipynb#A)" in told
    assert "](90_results.ipynb)" in told  # each study has its own


def test_a_notebook_that_a_study_has_not_is_refused():
    with pytest.raises(ConfigError, match="unknown notebook '30_components'"):
        executed.write_report("quick", "30_components")


def test_every_notebook_has_a_home():
    homes = {*copies_beside(load_study("quick"))} | {*studies_of_notebooks()}
    assert homes == {path.stem for path in all_notebooks()}
    for stem, name in studies_of_notebooks().items():
        assert stem in notebooks_of(load_study(name))


def test_no_copy_makes_another_study():
    """A result of another study as a dependency would have DVC make that study."""
    for name in ("quick", "components", "sysu"):
        study = load_study(name)
        for stem in copies_beside(study):
            read = [d for d in dependencies(study, stem) if d.startswith("results/")]
            own = {f"results/{name}/tables", "results/benchmarks", "results/first_edition.csv"}
            assert {*read} <= own


@pytest.mark.parametrize("path", COPIES, ids=lambda path: f"{path.parts[-3]}-{path.stem}")
def test_a_committed_copy_is_whole_and_holds_nothing_of_a_machine(path):
    text = path.read_text(encoding="utf-8")
    notebook = nbformat.reads(text, as_version=4)
    nbformat.validate(notebook)
    assert not any(word in text for word in ("/tmp/", "papermill_", "widget-view", " at 0x"))
    assert executed.portable(notebook) == text
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert outputs and not [o for o in outputs if o.output_type == "error"]
    assert {*json.loads(text)["metadata"]} == {"kernelspec", "language_info"}


@pytest.mark.parametrize("path", COPIES, ids=lambda path: f"{path.parts[-3]}-{path.stem}")
def test_a_committed_copy_says_and_runs_what_its_source_does(path):
    """But where the study's page calls its runs old (`test_summary` holds that): what they ran stays."""
    study = path.parts[-3]
    page = resolve(f"results/{study}/README.md").read_text(encoding="utf-8")
    if path.stem in RAN and "**Of an earlier version**" in page:
        return
    ran, source = map(_unchecked, (path, resolve(f"notebooks/{path.name}")))
    again = f"`mscm report {study} {path.stem}` makes it again"
    assert executed.same_code(ran, source), again
    assert _prose(ran) == executed.leading(_prose(source), study), again


def _unchecked(path):
    return nbformat.v4.reads(path.read_text(encoding="utf-8"))


def _prose(notebook):
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


@pytest.mark.parametrize("path", COPIES, ids=lambda path: f"{path.parts[-3]}-{path.stem}")
def test_no_table_of_measures_shows_a_columns_name_or_a_bare_nan(path):
    for cell in executed.read_notebook(path).cells:
        for output in cell.get("outputs", []):
            html = output.get("data", {}).get("text/html", "")
            if "<th>parameter</th>" not in re.sub(
                r"<th[^>]*>\s*(\w+)\s*</th>", r"<th>\1</th>", html
            ):
                cells = re.findall(r"<t[hd]\b[^>]*>\s*(\w+)\s*</t[hd]>", html)
                assert not {*cells} & {*WORDS, "NaN", "None"}, path.name


def test_the_copies_of_a_study_are_small():
    for folder in {path.parent for path in COPIES}:
        assert sum(path.stat().st_size for path in folder.iterdir()) < LARGEST
