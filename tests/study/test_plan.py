import json

import pytest
import yaml

from mscm_lib.config import EVALUATION
from mscm_lib.errors import ConfigError
from mscm_lib.paths import project_root, resolve
from mscm_lib.study.plan import compiled, described, planned, write_plan
from mscm_lib.study.settings import find_study, load_study, read_study, study_names, study_path


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project of the quick study alone; gives a function that writes another study beside it."""
    for name in ("dvc.yaml", "variants.yaml", "mscm_lib"):
        (tmp_path / name).symlink_to(project_root() / name)
    values = yaml.safe_load(study_path("quick").read_text()) | {"seeds": [0, 1]}
    del values["data"]["quick-w1"]
    monkeypatch.chdir(tmp_path)

    def write(name="quick", **changes):
        path = tmp_path / f"studies/{name}/study.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump({k: v for k, v in (values | changes).items() if v}))

    write()
    return write


def test_the_committed_plan_is_that_of_the_committed_studies():
    stale = [n for n, text in compiled().items() if resolve(n).read_text(encoding="utf-8") != text]
    assert not stale, "run: mscm plan"
    there = {p.relative_to(project_root()).as_posix() for p in resolve("plan").glob("*/*.yaml")}
    assert there <= compiled().keys()


def test_what_evaluation_alone_reads_stands_apart(project):
    before = compiled()
    project(run=_run() | {"rerank": True, "gallery_trials": 5})
    changed = {name for name, text in compiled().items() if before.get(name) != text}
    assert changed == {
        *(f"plan/quick-{v}-t0-s{s}/evaluate.yaml" for v in ("baseline", "mscmnet") for s in (0, 1)),
        "plan/reference/quick.yaml",
    }


def test_a_title_a_label_and_tensorboard_change_no_stage_of_a_run(project):
    before = compiled()
    project(
        title="Another",
        variants={"baseline": "B", "mscmnet": "M"},
        run=_run() | {"tensorboard": True},
    )
    changed = {name for name, text in compiled().items() if before.get(name) != text}
    assert changed == {"runs.json"}
    write_plan()
    assert planned("quick-mscmnet-t0-s0", "train")["tensorboard"] is True


def test_a_seed_and_a_variant_add_their_runs(project):
    before = compiled()
    project(seeds=[0, 1, 2], variants={"baseline": "b", "mscmnet": "m", "dual": "d"})
    added = {name.split("/")[1] for name in compiled().keys() - before.keys()}
    assert added == {
        "quick-baseline-t0-s2", "quick-mscmnet-t0-s2",
        "quick-dual-t0-s0", "quick-dual-t0-s1", "quick-dual-t0-s2",
    }  # fmt: skip
    for name, text in before.items():
        assert name.startswith(("runs.json", "studies/", "plan/studies/", "plan/reference/")) or (
            compiled()[name] == text
        )


def test_two_studies_share_a_run_that_they_mean_alike(project):
    project("other", data=None, data_of="quick", title="Other")
    index = json.loads(compiled()["runs.json"])
    assert index["studies"]["other"] == index["studies"]["quick"]
    assert len(index["runs"]) == 4


def test_two_meanings_of_one_name_are_refused_and_both_files_named(project):
    project("other", data=None, data_of="quick", run=_run() | {"epochs": 99})
    with pytest.raises(ConfigError, match=r"studies/other/study.yaml.*studies/quick/study.yaml"):
        compiled()


@pytest.mark.parametrize("name", ["early", "zealous"])
def test_no_study_changes_anothers_dataset_or_reference_network_whatever_its_name(project, name):
    before = compiled()
    others = {"variants": {"mscmnet": "m", "dual": "d"}, "reference": "dual", "seeds": [0, 1, 2]}
    project(name, data=None, data_of="quick", **others)
    for file in ("plan/data/quick.yaml", "plan/reference/quick.yaml"):
        assert compiled()[file] == before[file]
    project(name, **others)
    both = " and in ".join(f"studies/{n}/study.yaml" for n in sorted([name, "quick"]))
    for call in (compiled, lambda: find_study("quick")):
        with pytest.raises(ConfigError, match=rf"dataset 'quick' is defined in {both}; .*data_of"):
            call()


def test_a_variants_two_meanings_are_refused(project):
    project("one", data=None, data_of="quick", variants={"baseline": "b", "mine": {"alpha": 0.1}})
    project("two", data=None, data_of="quick", variants={"baseline": "b", "mine": {"alpha": 0.2}})
    with pytest.raises(ConfigError, match=r"run 'quick-mine-t0-s0' differs.*alpha"):
        compiled()


def test_the_plan_is_written_once_and_cleared_of_what_no_study_names(project):
    assert len(write_plan()) == len(compiled())
    assert write_plan() == []
    project(seeds=[0])
    assert "plan/quick-mscmnet-t0-s1/train.yaml" in write_plan()
    assert not resolve("plan/quick-mscmnet-t0-s1").exists()


def test_a_stage_reads_the_plan_and_not_the_study(project):
    """`dvc exp run -S plan/…/train.yaml:alpha=0.3` is to have its effect."""
    write_plan()
    path = resolve("plan/quick-mscmnet-t0-s0/train.yaml")
    path.write_text(path.read_text().replace("alpha: 0.05", "alpha: 0.3"))
    assert planned("quick-mscmnet-t0-s0", "train")["alpha"] == 0.3
    assert planned("quick-mscmnet-t0-s0", "evaluate")["alpha"] == 0.3
    assert not {*EVALUATION} & planned("quick-mscmnet-t0-s0", "train").keys()
    with pytest.raises(ConfigError, match="no such run in the plan"):
        planned("quick-mscmnet-t0-s7", "train")


def test_a_run_is_found_by_its_name():
    values = planned("quick-w1-mscmnet-t0-s1", "train")
    assert (values["dataset"], values["variant"], values["seed"]) == ("quick-w1", "mscmnet", 1)


def test_own_parts_of_a_study_have_a_stage_that_depends_on_their_file(project):
    project("mine", data=None, data_of="quick", variants={
        "baseline": "b", "mine": {"metric_loss": "my_parts:MyLoss"}})  # fmt: skip
    with pytest.raises(ConfigError, match=r"my_parts.py: no such file"):
        compiled()
    resolve("studies/mine/my_parts.py").write_text("class MyLoss: ...\n")
    stages = yaml.safe_load(compiled()["studies/mine/dvc.yaml"])["stages"]
    assert "studies/mine/my_parts.py" in stages["parts"]["deps"]
    runs = json.loads(compiled()["runs.json"])["runs"]
    assert runs["quick-mine-t0-s0"]["code"] == "build/own/mine/quick-mine"
    assert runs["quick-baseline-t0-s0"]["code"] == "build/code/train/weighted-triplet"


@pytest.mark.parametrize("name", study_names())
def test_a_study_says_what_it_would_cost(name):
    study = load_study(name)
    said = described(study)
    assert said.startswith(study.title)
    assert all(run.name in said for run in study.runs())


def test_every_study_names_all_its_runs_in_its_stages():
    files = compiled()
    for name in study_names():
        stages = yaml.safe_load(files[f"studies/{name}/dvc.yaml"])["stages"]
        wanted = {f"runs/evaluate/{run.name}" for run in load_study(name).runs()}
        assert wanted <= {*stages["tables"]["deps"]}


def test_the_page_of_searches_reads_one_run_and_shows_generated_people_only():
    files = compiled()
    for name in study_names():
        study = load_study(name)
        stage = yaml.safe_load(files[f"studies/{name}/dvc.yaml"])["stages"].get("rankings")
        first = next(iter(study.data.values()))
        assert (stage is not None) == (first.reader == "generated"), name
        if stage:
            (evaluated,) = [dep for dep in stage["deps"] if dep.startswith("runs/evaluate/")]
            assert evaluated in {f"runs/evaluate/{run.name}" for run in study.runs()}
            # what no digest of code tells of
            assert "mscm_lib/retrieval/viewer.html" in stage["deps"]


def _run():
    return dict(read_study(study_path("quick")).run)
