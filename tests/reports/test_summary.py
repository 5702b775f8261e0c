"""A study's page says what its tables say, and rightly that its runs are of today's code or not."""

import hashlib
import json
import re
import shutil

import pytest
import yaml

from mscm_lib.files import read_json
from mscm_lib.paths import project_root, resolve
from mscm_lib.provenance import mixed
from mscm_lib.reports import summary
from mscm_lib.reports.summary import provenance
from mscm_lib.study.changes import changed
from mscm_lib.study.code import write_code, write_own_code
from mscm_lib.study.settings import load_study
from tests import tree

PAGES = sorted(resolve("results").glob("*/README.md"))
RECORDS = [*project_root().glob("results/*/tables/provenance.json")]
STUDY = load_study("way_around")
AGE = re.compile(r" (The code and the parameters are still|\*\*Of an earlier version\*\*).*")
OWN = "build/own/way_around/lab-w0-mimb-around"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """The project with a lock and code fingerprints of its own, which no other process writes."""
    root = tmp_path_factory.mktemp("root")
    for path in project_root().iterdir():
        if path.name not in ("build", "dvc.lock"):
            (root / path.name).symlink_to(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        write_code()
    return root


@pytest.fixture(autouse=True)
def in_root(root, monkeypatch):
    monkeypatch.chdir(root)


@pytest.fixture
def locked():
    """DVC's lock as runs of today's code leave it."""
    write_own_code(STUDY)
    runs, stages = json.loads(resolve("runs.json").read_text())["runs"], {}
    for run in STUDY.runs():
        path = runs[run.name]["code"]
        digest = hashlib.md5(resolve(path).read_bytes()).hexdigest()
        stages[f"train@{run.name}"] = {"deps": [{"path": path, "md5": digest}]}
        stages[f"evaluate@{run.name}"] = {}
    resolve("dvc.lock").write_text(yaml.safe_dump({"stages": stages}))
    yield
    write_own_code(STUDY)


def test_runs_of_own_parts_are_current_where_nothing_has_been_built_yet(locked):
    shutil.rmtree(resolve("build/own"))
    assert not changed(STUDY)


def test_what_changed_is_told_in_words_each_once(monkeypatch):
    def told(*paths):
        monkeypatch.setattr(summary, "changed", lambda study: [*paths])
        return summary._freshness(STUDY)

    code = ("build/code/20_evaluate", "build/code/train/none", "build/code/train/qct")
    assert told(*code).startswith(
        "**Of an earlier version**: the code of evaluation and the code of training changed since, and "
        "`make study STUDY=way_around` makes"
    )
    plans = ("plan/a-t0-s0/evaluate.yaml", "plan/a-t0-s0/train.yaml", "plan/b-t0-s0/train.yaml")
    said = "or the own parts of mimb, parameters of a-t0-s0 and parameters of b-t0-s0 changed"
    assert said in told("build/own/way_around/mimb", *plans)
    assert ": the list of finished runs (dvc.lock) changed" in told("dvc.lock")
    assert told() == "The code and the parameters are still those that made these runs."


def test_an_edited_part_is_named(locked):
    resolve(OWN).write_text("0  my_parts.py\n")
    assert changed(STUDY) == [OWN]


def test_runs_that_the_lock_does_not_name_are_not_vouched_for(locked):
    resolve("dvc.lock").write_text("stages: {}\n")
    assert changed(STUDY) == ["dvc.lock"]


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.parts[-3])
def test_no_committed_table_mixes_commits_or_machines(path):
    assert not mixed([*read_json(path).values()])


@pytest.mark.parametrize(
    "key, other",
    [("processor", "Intel Xeon"), ("commit", "f" * 40), ("versions", {"torch": "2.0"})],
)
def test_a_table_that_mixes_them_says_so(key, other):
    records = read_json(RECORDS[0])
    assert "Mixed" not in provenance(records)
    records[max(records)][key] = other
    told = provenance(records)
    assert f"**Mixed**: these runs differ in {key} (" in told and str(other) in told


@pytest.fixture
def committed():
    """The lock as it is committed."""
    lock = resolve("dvc.lock")
    lock.write_bytes(tree.committed("dvc.lock"))
    yield
    lock.unlink()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.parent.name)
def test_a_committed_page_is_what_its_tables_say(path, committed, monkeypatch):
    study, written = path.parent.name, []
    monkeypatch.setattr(summary, "write_text", lambda _, text: written.append(text))
    summary.write_summary(study)
    (text,) = written
    page = path.read_text(encoding="utf-8")
    assert AGE.sub("", text) == AGE.sub("", page), f"`mscm summary {study}` makes it again"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.parent.name)
def test_a_committed_page_tells_what_has_changed_since_its_runs(path, committed):
    study = load_study(path.parent.name)
    told = AGE.search(path.read_text(encoding="utf-8"))[0]
    assert told[1:] == summary._freshness(study), f"`mscm summary {study.name}` makes it again"
