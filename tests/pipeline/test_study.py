"""The whole pipeline on a tiny study in a copy of the repository: killed, finished, and left alone.

One study serves all steps, in order: each builds on the state that the one before left.
"""

import os
import random
import re
import signal
import subprocess
import time

import nbformat
import pytest
import yaml

from mscm_lib.study.rehearsal import copy_project, environment

pytestmark = pytest.mark.timeout(900)
TRAIN = "train@tiny-mscmnet-0-0"
TINY = {"train_identities": 8, "test_identities": 4, "shots": 2}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A copy of the repository, in a folder with a space, that describes a tiny study."""
    root = tmp_path_factory.mktemp("a study") / "clone"
    copy_project(root)
    params = yaml.safe_load((root / "presets/quick.yaml").read_text())
    data = params["data"]["quick"] | {"height": 64, "width": 32}
    data["settings"] = data["settings"] | TINY
    params |= {
        "study": "tiny",
        "title": "Tiny study",
        "data": {"tiny": data},
        "datasets": ["tiny"],
        "variants": ["mscmnet"],
        "reference": "mscmnet",
        "seeds": [0],
    }
    params["run"] = params["run"] | {
        "epochs": 2,
        "steps_per_epoch": 2,
        "identities_per_batch": 2,
        "images_per_identity": 2,
        "warmup_epochs": 0,
        "milestones": [1],
        "gallery_trials": 2,
    }
    (root / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    return root


def _run(root, *command):
    done = subprocess.run(command, cwd=root, env=environment(root), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


def _would_run(root):
    """Names of the stages that `dvc repro` would run, once the stripped copies are up to date."""
    _run(root, "dvc", "repro", "strip")
    return set(re.findall(r"^(\S+):$", _run(root, "dvc", "status"), re.MULTILINE))


def _weights(root):
    path = root / "runs/train/tiny/mscmnet-t0-s0/model.safetensors"
    return path.read_bytes()


def _killed_anywhere_and_started_again_it_finishes(study):
    random_times = random.Random(0)
    for _ in range(3):
        process = subprocess.Popen(
            ["mscm", "study"],
            cwd=study,
            env=environment(study),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        time.sleep(random_times.uniform(5, 20))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    said = _run(study, "mscm", "study")
    assert "results/tiny/reports/index.html" in said
    assert _weights(study)


def _results_are_there_to_read(study):
    results = study / "results/tiny"
    index = (results / "reports/index.html").read_text()
    for link in re.findall(r"(?:href|src)='([^'#]+)'", index):
        assert (results / "reports" / link).resolve().is_file(), link
    for page in (results / "reports").glob("*.html"):
        text = page.read_text()
        assert not re.search(r"<(script|link|img)[^>]+(src|href)=.https?://", text), page
        assert "Traceback (most recent call last)" not in text, page
    summary = (results / "tables/summary.csv").read_text()
    inspections = (results / "tables/inspections.csv").read_text()
    assert all(word in inspections for word in ("reach", "QCT", "distance of centers"))
    assert "mscmnet" in summary and "untrained" in summary and "colour histogram" in summary


def _runs_side_by_side_leave_what_is_done_alone(study):
    params = yaml.safe_load((study / "params.yaml").read_text())
    (study / "params.yaml").write_text(yaml.safe_dump(params | {"seeds": [0, 1]}, sort_keys=False))
    weights = _weights(study)
    said = _run(study, "mscm", "study", "--jobs", "2")
    assert "[2] Running stage 'train@tiny-mscmnet-0-1'" in said
    assert "Running stage 'train@tiny-mscmnet-0-0'" not in said
    assert _weights(study) == weights
    assert (study / "runs/evaluate/tiny/mscmnet-t0-s1/metrics.json").is_file()


def _a_second_repro_runs_nothing(study):
    said = _run(study, "dvc", "repro")
    assert "Running stage" not in said
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
    assert _would_run(study) == {"reports"}  # the new sentence is to be shown
    _run(study, "dvc", "repro")
    page = study / "results/tiny/reports/10_train--tiny--mscmnet-t0-s0.html"
    assert "A sentence more." in page.read_text()


def _a_docstring_retrains_nothing(study):
    path = study / "mscm_lib/losses/__init__.py"
    path.write_text(path.read_text() + "\n# a remark\n")
    assert _would_run(study) == set()


def _editing_a_plot_redraws_only(study):
    path = study / "mscm_lib/reports/figures.py"
    path.write_text(path.read_text() + "\nREMARK = 1\n")
    changed = _would_run(study)  # the reports follow once the figures are drawn
    assert "figures" in changed and changed <= {"figures", "reports"}


def _editing_the_loss_retrains(study):
    path = study / "mscm_lib/losses/quadruple_center.py"
    path.write_text(path.read_text() + "\nREMARK = 1\n")
    assert TRAIN in _would_run(study)


def test_the_life_of_a_study(study):
    """One test, since each step needs what the one before left, on whatever worker it runs."""
    _killed_anywhere_and_started_again_it_finishes(study)
    _results_are_there_to_read(study)
    _runs_side_by_side_leave_what_is_done_alone(study)
    _a_second_repro_runs_nothing(study)
    _reading_and_rewording_a_notebook_retrains_nothing(study)
    _a_docstring_retrains_nothing(study)
    _editing_a_plot_redraws_only(study)
    _editing_the_loss_retrains(study)
