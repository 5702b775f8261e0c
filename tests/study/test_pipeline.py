"""Locks that a killed DVC leaves, and a cache that was removed."""

import json
import shutil
import subprocess
import sys
import time

import psutil
import pytest
import yaml

from mscm_lib.paths import resolve
from mscm_lib.study import pipeline
from mscm_lib.study.pipeline import _not_in, give_back, keep_locks, make, release_dead
from mscm_lib.study.settings import load_study

WHOLE = """schema: '2.0'
stages:
  train@quick-mscmnet-t0-s0:
    cmd: mscm run train quick-mscmnet-t0-s0
    outs:
    - path: runs/train/quick-mscmnet-t0-s0
      md5: 9e4a29b2.dir
"""
STAGES = """stages:
  strip: {cmd: echo code > code, outs: [code]}
  train:
    foreach: [quick-baseline-t0-s0, quick-mscmnet-t0-s0]
    do:
      cmd: mkdir -p runs/train && echo ${item} > runs/train/${item}
      deps: [code]
      outs: ["runs/train/${item}"]
"""
QUICK = load_study("quick")


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


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "dvc.yaml").write_text("")
    (tmp_path / "mscm_lib").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("left", ["", "schema: '2.0'\nstages:\n  strip:\n    cmd: mscm st"])
def test_a_lock_cut_off_in_writing_is_as_it_was_before(project, capsys, left):
    path = project / "dvc.lock"
    path.write_text(WHOLE)
    keep_locks(QUICK)
    path.write_text(left)
    keep_locks(QUICK)
    assert path.read_text() == WHOLE and "dvc.lock was cut off" in capsys.readouterr().out
    path.write_text(WHOLE + "  more: {cmd: true}\n")
    keep_locks(QUICK)
    keep_locks(QUICK)
    assert path.read_text().endswith("more: {cmd: true}\n")


def test_what_is_on_disk_and_not_in_the_cache_is_named(project):
    (project / "dvc.lock").write_text(WHOLE)
    cache, out = project / ".dvc/cache", project / "runs/train/quick-mscmnet-t0-s0"
    assert _not_in(cache, QUICK) == []  # as in a fresh clone: it is to be made
    out.mkdir(parents=True)
    assert _not_in(cache, QUICK) == ["train@quick-mscmnet-t0-s0"]
    kept = cache / "files/md5/9e/4a29b2.dir"
    kept.parent.mkdir(parents=True)
    kept.touch()
    assert _not_in(cache, QUICK) == []


def test_a_removed_cache_gets_back_what_is_as_the_lock_names_it(project):
    kept, changed = "quick-mscmnet-t0-s0", "quick-baseline-t0-s0"
    (project / "dvc.yaml").write_text(STAGES)
    for words in (("init", "--no-scm"), ("repro",)):
        subprocess.run([sys.executable, "-m", "dvc", *words, "--quiet"], check=True)
    shutil.rmtree(project / ".dvc/cache")
    (project / f"runs/train/{changed}").write_text("by hand")
    assert _not_in(project / ".dvc/cache", QUICK) == [f"train@{changed}", f"train@{kept}"]
    give_back(QUICK)
    assert _not_in(project / ".dvc/cache", QUICK) == [f"train@{changed}"]
    assert (project / f"runs/train/{changed}").read_text() == "by hand"


@pytest.mark.parametrize("name", ["quick", "way_around"])
def test_what_all_runs_depend_on_is_made_before_several_begin(name, monkeypatch):
    """Several DVCs make single stages: what the first of them lacked, none of them would make."""
    study, made = load_study(name), []
    for nothing in ("check_sources", "tried", "keep_locks", "write_plan", "give_back"):
        monkeypatch.setattr(pipeline, nothing, lambda *_: [])
    monkeypatch.setattr(pipeline, "_repro", lambda _, targets: made.append([*targets]))
    monkeypatch.setattr(pipeline, "_repro_share", lambda *_: made.append("runs") or 0)
    make(study, jobs=2)
    shared, *runs, whole = made
    assert runs == ["runs", "runs"] and whole == [f"studies/{name}/dvc.yaml"]
    outputs = {out for target in shared for out in _outputs(target)}
    runs_json = json.loads(resolve("runs.json").read_text())["runs"]
    for run in study.runs():
        plan = runs_json[run.name]
        needed = [plan["code"], f"data/packed/{plan['data']}"]
        assert all(any(path.startswith(out) for out in outputs) for path in needed), needed


def _outputs(target):
    """Paths that a stage of the project leaves, by the name that DVC knows it by."""
    file, _, name = target.rpartition(":")
    name, _, key = name.partition("@")
    stage = yaml.safe_load(resolve(file or "dvc.yaml").read_text())["stages"][name]
    outs = stage.get("do", stage)["outs"]
    return [(o if isinstance(o, str) else next(iter(o))).replace("${key}", key) for o in outs]
