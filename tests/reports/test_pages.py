import json
import re

import nbformat
import pandas as pd
import pytest

from mscm_lib.errors import DataError
from mscm_lib.paths import project_root, resolve
from mscm_lib.reports.pages import Report, formulas, lead_on, page, with_prose
from mscm_lib.reports.readme import refreshed
from mscm_lib.study.comparison import benchmark_of
from mscm_lib.study.settings import load_study


def test_formulas_become_mathml_and_code_stays():
    text = formulas(r"A loss $L_{QCT}$ and $$\frac{1}{2}$$ but `echo $HOME$` costs \$5 or $6")
    assert text.count("<math") == 2
    assert "<mfrac>" in text and "<msub>" in text
    assert "`echo $HOME$`" in text and r"\$5 or $6" in text


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
    return nbformat.v4.new_notebook(cells=cells)


def test_prose_is_todays_and_outputs_are_the_runs():
    merged = with_prose(_notebook("old words", "3\n"), _notebook("new words"))
    assert [c.source for c in merged.cells] == ["new words", "seed = 0", "seed = 3", "print(seed)"]
    assert merged.cells[-1].outputs[0].text == "3\n"


def test_a_run_of_other_code_is_shown_as_it_ran():
    ran, source = _notebook("old words", "3\n"), _notebook("new words")
    source.cells[-1].source = "print(seed + 1)"
    assert with_prose(ran, source) is ran


def test_a_page_loads_nothing():
    text = page("A <title>", "<p>body</p>", "")
    assert "<title>A &lt;title&gt;</title>" in text
    assert not re.search(r"(src|href)=|@import|url\(", text)


def test_links_to_notebooks_lead_to_pages_or_to_the_sources(tmp_path):
    runs = [Report("10_train", tmp_path, f"10_train--{seed}.html", "") for seed in (0, 1)]
    reports = [*runs, Report("90_results", tmp_path, "90_results.html", "")]
    body = (
        '<a href="90_results.ipynb#Each-run"> <a href="10_train.ipynb"> <a href="05_qct.ipynb#A">'
    )
    assert re.findall('href="([^"]+)"', lead_on(body, reports)) == [
        "90_results.html#Each-run",
        "index.html",
        "../../../notebooks/05_qct.ipynb#A",
    ]


def test_readme_without_results_says_how_to_make_them():
    with pytest.raises(DataError, match="make study STUDY=nowhere"):
        refreshed("<!-- results: nowhere -->\n<!-- end -->")
    assert refreshed("no block") == "no block"


def test_the_readme_shows_the_results_that_are_there():
    path = project_root() / "README.md"
    assert refreshed(path.read_text(encoding="utf-8")) == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", sorted(resolve("results").glob("*/tables/summary.csv")), ids=str)
def test_every_row_of_a_committed_table_names_all_its_runs(path):
    """A fresh clone knows the command, and it makes the whole row."""
    index = json.loads(resolve("runs.json").read_text(encoding="utf-8"))
    study = load_study(path.parts[-3])
    for row in pd.read_csv(path).to_dict("records"):
        dvc, repro, *stages = row["command"].split()
        assert (dvc, repro) == ("dvc", "repro") and len(stages) == len({*stages})
        kinds, names = zip(*(stage.split("@") for stage in stages), strict=True)
        known = index["data"] if kinds[0] == "reference" else index["runs"]
        assert {*names} <= known.keys()
        wanted = {run.name for run in study.runs() if run.variant == row["network"]}
        wanted &= {n for n in known if benchmark_of(known[n].get("data", n)) == row["dataset"]}
        assert kinds[0] == "reference" or {*names} == wanted
