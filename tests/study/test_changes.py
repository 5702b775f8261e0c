import subprocess

import pandas as pd
import pytest

from mscm_lib.study.changes import told


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A repository with one run's figures committed; gives a function that makes others."""
    (tmp_path / "dvc.yaml").write_text("")
    (tmp_path / "mscm_lib").mkdir()
    monkeypatch.chdir(tmp_path)

    def made(mean, scoring=None):
        row = {"kind": "trained", "dataset": "quick", "variant": "mscmnet", "trial": 0, "seed": 0,
               "search": "all", "scoring": scoring, "reported": True}  # fmt: skip
        for measure in ("mean_ap", "rank1"):
            row |= {measure: mean, f"{measure}_low": mean - 0.05, f"{measure}_high": mean + 0.05}
        path = tmp_path / "results/quick/tables/metrics.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        pd.DataFrame([row, row | {"kind": "reference"}]).to_csv(path, index=False)

    made(0.4)
    for command in (["init", "-q"], ["add", "results"],
                    ["-c", "user.name=x", "-c", "user.email=x@y", "commit", "-qm", "x"]):  # fmt: skip
        subprocess.run(["git", *command], check=True)
    return made


def test_the_same_figures_are_called_the_same(project, tmp_path):
    (tmp_path / "results/quick/of-another-look.csv").write_text("never committed")
    said = told("quick")
    assert said.count("the same") == 2 and "No tracked file has changed" in said


def test_figures_within_each_others_intervals_are_as_seeds_would_be(project):
    project(0.45)
    said = told("quick")
    assert "45.0 [40.0, 50.0] beside 40.0 [35.0, 45.0]" in said
    assert said.count("as other seeds and machines would be") == 2
    assert "results/quick/tables/metrics.csv" in said
    assert "git checkout -- results/quick" in said


def test_figures_outside_them_are_different(project):
    project(0.6)
    assert told("quick").count("DIFFERENT") == 2


def test_a_study_without_committed_results_is_compared_with_none(project):
    assert told("other").startswith("No results of this study are committed")
