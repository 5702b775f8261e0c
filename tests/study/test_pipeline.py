"""Locks that a killed DVC leaves."""

import json
import subprocess
import sys
import time

import psutil
import pytest

from mscm_lib.errors import StudyError
from mscm_lib.study.pipeline import make, release_dead
from mscm_lib.study.settings import load_study


@pytest.fixture
def lock(tmp_path):
    path = tmp_path / "rwlock"

    def held_by(number):
        holder = {"pid": number, "cmd": "dvc repro"}
        path.write_text(json.dumps({"write": {"build": holder}, "read": {"notebooks": [holder]}}))
        release_dead(path)
        return json.loads(path.read_text())

    return path, held_by


def test_a_process_dead_but_not_collected_holds_nothing(lock):
    _, held_by = lock
    child = subprocess.Popen([sys.executable, "-c", "pass", "dvc"])
    while psutil.Process(child.pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    assert held_by(child.pid) == {"write": {}, "read": {}}
    child.wait()
    assert held_by(child.pid) == {"write": {}, "read": {}}


def test_another_program_with_the_number_holds_nothing(lock):
    _, held_by = lock
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        assert held_by(child.pid) == {"write": {}, "read": {}}
    finally:
        child.kill()
        child.wait()


def test_a_running_dvc_keeps_its_locks(lock):
    _, held_by = lock
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", "dvc"])
    try:
        while "dvc" not in psutil.Process(child.pid).cmdline():  # not yet what it will be
            time.sleep(0.01)
        left = held_by(child.pid)
        assert left["write"]["build"]["pid"] == left["read"]["notebooks"][0]["pid"] == child.pid
    finally:
        child.kill()
        child.wait()


def test_a_file_cut_off_is_removed_and_none_is_none(lock):
    path, _ = lock
    path.write_text('{"write": {"bu')
    release_dead(path)
    assert not path.exists()
    release_dead(path)
    assert not list(path.parent.iterdir())


def test_runs_without_their_cache_are_not_trained_again_unasked(tmp_path, monkeypatch):
    study = load_study("quick")
    (tmp_path / "dvc.yaml").write_text("")
    (tmp_path / "mscm_lib").mkdir()
    (tmp_path / "runs/train/quick-mscmnet-t0-s0").mkdir(parents=True)
    (tmp_path / "dvc.lock").write_text("")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StudyError, match=r"quick-mscmnet-t0-s0.*dvc commit --force"):
        make(study)
