"""README.md and the studies' front pages say what the tables say, and lead to what is there."""

import json
import re

import pandas as pd
import pytest

from mscm_lib.errors import DataError
from mscm_lib.files import read_json
from mscm_lib.paths import project_root, resolve
from mscm_lib.reports import executed, readme
from mscm_lib.reports.readme import refreshed
from mscm_lib.study import changes
from mscm_lib.study.comparison import benchmark_of
from mscm_lib.study.copies import all_notebooks
from mscm_lib.study.settings import load_study


def test_readme_without_results_says_how_to_make_them():
    with pytest.raises(DataError, match="make study STUDY=nowhere"):
        refreshed("<!-- results: nowhere -->\n<!-- end -->")
    assert refreshed("no block") == "no block"


def test_the_readme_shows_what_is_there():
    path = project_root() / "README.md"
    assert refreshed(path.read_text(encoding="utf-8")) == path.read_text(encoding="utf-8")


def test_a_notebook_is_one_click_away_and_executed_where_it_was(monkeypatch):
    links = re.findall(r"\]\((\S+?)\)", readme.notebooks())
    assert [link.split("/")[-1] for link in links] == [path.name for path in all_notebooks()]
    monkeypatch.setattr(executed, "copy_path", lambda study, stem: resolve("README.md"))
    assert executed.shown("34_multi_scale") == "results/multi_scale/reports/34_multi_scale.ipynb"
    monkeypatch.setattr(executed, "copy_path", lambda study, stem: resolve("nothing"))
    assert executed.shown("34_multi_scale") == "notebooks/34_multi_scale.ipynb"


@pytest.mark.parametrize("path", sorted(resolve("results").glob("*/README.md")), ids=str)
def test_a_front_page_leads_to_what_is_there(path):
    text = path.read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\((\S+?)\)", text) if "://" not in link]
    assert links and all((path.parent / link).is_file() for link in links)
    records = read_json(path.parent / "tables/provenance.json")
    assert all(f"| {run} |" in text for run in records)
    for name in next(iter(records.values()))["parameters"]:
        assert re.search(rf"\| {name} \|", text), name


def test_runs_of_other_code_are_called_so(tmp_path, monkeypatch):
    code, plan = "build/code/train/qct", "plan/quick-mscmnet-t0-s0/train.yaml"
    for name in (code, plan):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("as it was\n")
    md5 = changes._md5(tmp_path / code)
    deps = "".join(f"    - {{path: {name}, md5: {md5}}}\n" for name in (code, plan))
    study = load_study("quick")
    made = [f"{kind}@{run.name}" for run in study.runs() for kind in ("train", "evaluate")]
    lock = "".join(f"  {stage}:\n    deps:\n{deps}" for stage in made)
    (tmp_path / "dvc.lock").write_text(f"stages:\n{lock}")
    monkeypatch.setattr(changes, "resolve", lambda name: tmp_path / name)
    assert changes.changed(study) == []
    (tmp_path / plan).write_text("as it is\n")
    assert changes.changed(study) == [plan]
    (tmp_path / "dvc.lock").unlink()
    assert changes.changed(study) == ["dvc.lock"]


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
