"""The whole pipeline on a tiny study in a copy of the repository: killed, finished, and left alone.

One study serves all steps, in order: each builds on the state that the one before left.
"""

import os
import random
import re
import shutil
import signal
import subprocess
import time

import nbformat
import pytest
import yaml

from mscm_lib.study.rehearsal import copy_project, environment

pytestmark = pytest.mark.timeout(1800)
STUDY = "studies/tiny/dvc.yaml"
BASELINE, MSCMNET = "tiny-baseline-t0-s0", "tiny-mscmnet-t0-s0"
COPIES = ("10_train", "11_training_report", "20_evaluate", "21_reference_rankings", "90_results")
TINY = {"train_identities": 8, "test_identities": 4, "shots": 2}
OWN_LOSS = """import torch
from torch import nn


class Spread(nn.Module):
    def __init__(self, identities, dim):
        super().__init__()

    def forward(self, pooled, labels):
        return pooled.square().mean()
"""


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A copy of the repository, in a folder with a blank and an apostrophe, with a tiny study."""
    root = tmp_path_factory.mktemp("a user's study") / "clone"
    copy_project(root)
    values = yaml.safe_load((root / "studies/quick/study.yaml").read_text())
    data = values["data"]["quick"]
    data["settings"] |= TINY
    values |= {"title": "Tiny study", "data": {"tiny": data}, "seeds": [0]}
    values["run"] |= {
        "epochs": 2,
        "steps_per_epoch": 2,
        "identities_per_batch": 2,
        "images_per_identity": 2,
        "warmup_epochs": 0,
        "milestones": [1],
        "trunk_rate": 0.002,
        "head_rate": 0.002,
        "gallery_trials": 2,
    }
    (root / "studies/tiny").mkdir()
    _write(root, values)
    return root


def _write(root, values):
    (root / "studies/tiny/study.yaml").write_text(yaml.safe_dump(values, sort_keys=False))


def _changed(root, **changes):
    """Change the study's file, where a mapping is joined with the one that is there."""
    values = yaml.safe_load((root / "studies/tiny/study.yaml").read_text())
    for key, value in changes.items():
        values[key] = {**values[key], **value} if isinstance(value, dict) else value
    _write(root, values)


def _run(root, *command):
    done = subprocess.run(command, cwd=root, env=environment(root), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


def _would_run(root):
    """Names of the stages that the study would make again, with plan and digests up to date."""
    _run(root, "mscm", "plan")
    _run(root, "dvc", "repro", "strip")
    said = _run(root, "dvc", "status", "--with-deps", STUDY)
    stages = re.findall(r"^(\S+):$", said, re.MULTILINE)
    # digests of own parts are written with those of all code; what follows goes by their content
    return {name.removeprefix(f"{STUDY}:") for name in stages} - {"parts"}


def _weights(root, run=MSCMNET):
    return (root / f"runs/train/{run}/model.safetensors").read_bytes()


def _sources(root):
    """Bytes of what a user writes, and of the plan."""
    paths = [*root.glob("studies/*/study.yaml"), *root.glob("plan/**/*.yaml"), root / "runs.json"]
    return {path: path.read_bytes() for path in sorted(paths)}


def _killed_anywhere_and_started_again_it_finishes(study):
    _run(study, "mscm", "plan")
    before, random_times = _sources(study), random.Random(0)
    for _ in range(3):
        process = subprocess.Popen(
            ["mscm", "study", "tiny"],
            cwd=study,
            env=environment(study),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        time.sleep(random_times.uniform(3, 20))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert _sources(study) == before
    said = _run(study, "mscm", "study", "tiny", "--jobs", "2")
    assert "[2] Running stage" in said and "results/tiny/README.md" in said
    assert _weights(study) and _weights(study, BASELINE)


def _results_are_there_to_read(study):
    results = study / "results/tiny"
    links = re.findall(r"\]\(([^)]+)\)", (results / "README.md").read_text())
    assert all((results / link).is_file() for link in links)
    page = (results / "rankings.html").read_text()
    assert "rankings.html" in links and len(page) < 2_000_000
    assert page.count("<section ") == page.count("first hit at rank") > 0
    copies = {path.stem for path in (results / "reports").iterdir()}
    assert copies == {*COPIES} and all(f"reports/{stem}.ipynb" in links for stem in copies)
    for path in (results / "reports").iterdir():
        text = path.read_text()
        assert "Traceback (most recent call last)" not in text and str(study) not in text, path
    summary = (results / "tables/summary.csv").read_text()
    inspections = (results / "tables/inspections.csv").read_text()
    assert all(word in inspections for word in ("reach", "QCT", "distance of centers"))
    floors = ("chance", "colour histogram", "untrained", "HOG", "HOG + LDA", "oracle")
    assert all(f"\n{name}," in summary for name in (*floors, "mscmnet"))
    provenance = (results / "tables/provenance.json").read_text()
    assert f'"command": "mscm run train {MSCMNET}"' in provenance


def _rows_name_commands_that_dvc_knows(study):
    summary = (study / "results/tiny/tables/summary.md").read_text()
    stages = {
        name for found in re.findall(r"`dvc repro ([^`]+)`", summary) for name in found.split()
    }
    assert stages >= {f"evaluate@{MSCMNET}", f"evaluate@{BASELINE}", "reference@tiny"}
    said = _run(study, "dvc", "repro", "--dry", *sorted(stages))
    assert "up to date" in said and "Running stage" not in said


def _a_second_run_makes_nothing_even_without_dvcs_cache(study):
    shutil.rmtree(study / ".dvc/cache")
    said = _run(study, "mscm", "study", "tiny")
    assert {*re.findall(r"Running stage '(\S+)'", said)} == {"strip"} and "up to date" in said
    said = _run(study, "dvc", "status", "strip", f"train@{MSCMNET}", f"evaluate@{MSCMNET}")
    assert "up to date" in said


def _reading_and_rewording_a_notebook_retrains_nothing(study):
    path = study / "notebooks/10_train.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[0].source += "\n\nA sentence more."
    notebook.metadata["language_info"] = {"name": "python", "version": "3.99"}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.execution_count = 7
            cell.outputs = [nbformat.v4.new_output("stream", text="read")]
    nbformat.write(notebook, path)
    assert _would_run(study) == {"report-10_train"}  # the new sentence is to be shown


DRAWN = {
    *("figures", "rankings", "summary"),
    *(f"report-{stem}" for stem in ("10_train", "11_training_report", "90_results")),
}


def _remarks_and_tensorboard_compute_nothing_again(study):
    path = study / "mscm_lib/losses/__init__.py"
    path.write_text(path.read_text() + "\n# a remark\n")
    _changed(study, run={"tensorboard": True})
    assert _would_run(study) == DRAWN  # by the study's file, and nothing is computed


def _a_title_and_a_label_are_drawn(study):
    _changed(study, title="Another title", variants={"mscmnet": "the whole"})
    assert _would_run(study) == DRAWN
    _run(study, "dvc", "repro", STUDY)
    assert "A sentence more." in (study / "results/tiny/reports/10_train.ipynb").read_text()
    assert "# Another title" in (study / "results/tiny/README.md").read_text()


def _an_option_of_evaluation_evaluates(study):
    _changed(study, run={"gallery_trials": 3})
    assert _would_run(study) >= {f"evaluate@{MSCMNET}", f"evaluate@{BASELINE}"}
    assert not {stage for stage in _would_run(study) if stage.startswith("train")}
    before = _weights(study)
    _run(study, "dvc", "repro", f"evaluate@{MSCMNET}", f"evaluate@{BASELINE}")
    assert _weights(study) == before
    assert '"gallery_trials": 3' in (study / f"runs/evaluate/{MSCMNET}/metrics.json").read_text()


def _a_seed_more_is_its_run(study):
    _changed(study, seeds=[0, 1])
    assert {s for s in _would_run(study) if "@" in s and not s.startswith("reference")} == {
        f"{stage}@tiny-{variant}-t0-s1"
        for stage in ("train", "evaluate")
        for variant in ("baseline", "mscmnet")
    }
    _changed(study, seeds=[0])


def _a_part_of_ones_own_counts_where_it_is_used(study):
    path = study / "studies/tiny/my_parts.py"
    path.write_text(OWN_LOSS)
    _changed(study, variants={"mine": {"metric_loss": "my_parts:Spread", "label": "Mine"}})
    _run(study, "mscm", "study", "tiny", "--jobs", "2")
    own = _weights(study, "tiny-mine-t0-s0")
    path.write_text("# a remark\n" + OWN_LOSS)
    _run(study, "dvc", "repro", f"{STUDY}:parts")
    assert "train@tiny-mine-t0-s0" not in _would_run(study)
    path.write_text(OWN_LOSS.replace("square()", "abs()"))
    _run(study, "dvc", "repro", f"{STUDY}:parts")
    assert {s for s in _would_run(study) if s.startswith("train")} == {"train@tiny-mine-t0-s0"}
    _run(study, "dvc", "repro", "train@tiny-mine-t0-s0")
    assert _weights(study, "tiny-mine-t0-s0") != own


def _a_plot_is_drawn(study):
    path = study / "mscm_lib/reports/figures.py"
    before = _would_run(study)
    path.write_text(path.read_text() + "\nREMARK = 1\n")
    changed = _would_run(study) - before
    assert {"figures", "report-90_results"} <= changed  # which draws them too
    assert all(name == "figures" or name.startswith("report-") for name in changed)


def _a_reader_of_trees_makes_nothing_drawn_again(study):
    path = study / "mscm_lib/data/layouts/table_rows.py"
    before = _would_run(study)
    path.write_text(path.read_text() + "\nREMARK = 1\n")
    pages = _would_run(study) - before
    assert all(name.startswith("report-") for name in pages)  # those that read trees themselves


def _a_loss_retrains_those_who_use_it(study):
    path = study / "mscm_lib/losses/quadruple_center.py"
    path.write_text(path.read_text() + "\nREMARK = 1\n")
    changed = _would_run(study)
    assert f"train@{MSCMNET}" in changed and f"train@{BASELINE}" not in changed


def test_the_life_of_a_study(study):
    """One test, since each step needs what the one before left, on whatever worker it runs."""
    _killed_anywhere_and_started_again_it_finishes(study)
    _results_are_there_to_read(study)
    _rows_name_commands_that_dvc_knows(study)
    _a_second_run_makes_nothing_even_without_dvcs_cache(study)
    _reading_and_rewording_a_notebook_retrains_nothing(study)
    if "MSCM_TRIGGERS" in os.environ:  # minutes more: MSCM_TRIGGERS=1 pytest tests/pipeline
        _remarks_and_tensorboard_compute_nothing_again(study)
        _a_title_and_a_label_are_drawn(study)
        _an_option_of_evaluation_evaluates(study)
        _a_seed_more_is_its_run(study)
        _a_part_of_ones_own_counts_where_it_is_used(study)
        _a_plot_is_drawn(study)
        _a_reader_of_trees_makes_nothing_drawn_again(study)
        _a_loss_retrains_those_who_use_it(study)
