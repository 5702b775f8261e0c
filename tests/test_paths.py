"""A person's paths start where the person is; the project's own start at its root."""

import errno
import os
import re
import subprocess
import sys

import pytest

from mscm_lib.errors import CheckpointError, ConfigError
from mscm_lib.models import load_released
from mscm_lib.paths import existing, here, located, project_root, resolve
from mscm_lib.study.notebook import Parameters


def parameters(**values):
    """A notebook's parameters after a person has given some."""
    namespace = {}
    given = Parameters(namespace)
    namespace.update({"dataset": "quick", "variant": "mscmnet"} | values)
    return given


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder outside the project, with somebody in it."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_person_s_file_comes_before_the_project_s(place):
    assert located("README.md") == project_root() / "README.md"
    (place / "README.md").write_text("mine")
    assert existing("README.md") == here("README.md") == place / "README.md"
    assert resolve("README.md") == project_root() / "README.md"


@pytest.mark.parametrize(
    ("look", "error"),
    [
        (existing, ConfigError),
        (lambda path: existing(path, "folder"), ConfigError),
        (load_released, CheckpointError),
        (lambda path: parameters(weights=path).run_config(), ConfigError),
        (lambda path: parameters(metric_loss=f"{path}:Loss").run_config(), ConfigError),
        (
            lambda path: parameters(checkpoint=path).take("dataset", "variant", "checkpoint"),
            ConfigError,
        ),
        (lambda path: parameters(trained=path).run_config("trained"), ConfigError),
    ],
)
def test_what_is_nowhere_names_both_places(place, look, error):
    with pytest.raises(error) as raised:
        look("no/thing.py")
    for root in (place, project_root()):
        assert str(root / "no/thing.py") in str(raised.value)


def test_a_thing_of_another_kind_is_said(place):
    with pytest.raises(ConfigError, match="tests: is no file"):
        existing("tests")
    assert existing("tests", "folder", "file") == project_root() / "tests"


def test_parameters_that_are_paths_start_there_too(place):
    for name in ("own.py", "r18.pth"):
        (place / name).write_text("")
    given = parameters(weights="r18.pth", metric_loss="own.py:Loss", output="out/x")
    config = given.run_config("output")
    assert config.weights == str(place / "r18.pth")
    assert config.metric_loss == f"{place / 'own.py'}:Loss"
    assert given.values()["output"] == str(place / "out/x")


def test_parameters_below_the_root_are_named_from_it(monkeypatch):
    monkeypatch.chdir(project_root() / "notebooks")
    given = parameters(output="../runs/x", weights="10_train.ipynb", multi_scale="none")
    assert given.run_config("output").weights == "notebooks/10_train.ipynb"
    assert resolve(given.values()["output"]).resolve() == (project_root() / "runs/x").resolve()


@pytest.mark.parametrize(
    ("there", "given", "said"),
    [
        ("SYSU", "SYSU ", "SYSU"),
        ("SYSU ", "SYSU", "SYSU "),
        ("sets /SYSU", "sets/SYSU", "sets "),
        ("RegDB", "regdb/idx", "RegDB"),
    ],
)
def test_a_name_that_differs_in_blanks_or_case_alone_is_shown(place, there, given, said):
    (place / there).mkdir(parents=True)
    with pytest.raises(ConfigError, match=re.escape(f"; {str(place / said)!r} is there: rename")):
        existing(given, "folder")
    with pytest.raises(ConfigError, match="no such folder; looked at"):
        existing("elsewhere", "folder")


@pytest.mark.parametrize("look", [existing, located, lambda path: existing(path, "folder")])
def test_a_name_that_is_too_long_is_said(place, look):
    with pytest.raises(ConfigError, match=r"^x+…: is too long a name \(.*\); give a shorter"):
        look(f"{'x' * 300}.yaml")


@pytest.mark.parametrize(("closed", "below"), [("shut", "shut/a/b"), ("a/shut", "a/shut/c.npz")])
def test_a_folder_that_may_not_be_entered_is_named(place, monkeypatch, closed, below):
    (place / closed).mkdir(parents=True)

    def refuse(path, **options):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(type(place), "exists", refuse)
    monkeypatch.setattr(os, "access", lambda path, mode: path != place / closed)
    said = re.escape(f"{place / closed}: cannot be entered (Permission denied); ask")
    with pytest.raises(ConfigError, match=said):
        existing(below)


@pytest.mark.skipif(os.geteuid() == 0, reason="root enters every folder")
def test_a_closed_folder_is_named(place):
    (place / "shut").mkdir(mode=0)
    with pytest.raises(ConfigError, match="shut: cannot be entered"):
        existing("shut/a")


def test_unknown_users_are_names(place):
    assert here("~nobody-of-that-name/x") == place / "~nobody-of-that-name/x"


def test_papermill_finds_a_checkpoint_beside_the_shell(place):
    (place / "mine.t").write_bytes(b"<html>log in</html>")
    source = project_root() / "notebooks/22_released_checkpoint.ipynb"
    line = [sys.executable, "-m", "papermill", str(source), "out.ipynb", "-p", "checkpoint"]
    ran = [
        subprocess.run([*line, name, "-p", "dataset", "none"], capture_output=True, text=True)
        for name in ("mine.t", "yours.t")
    ]
    assert all(each.returncode for each in ran)
    assert "'none': no such dataset" in ran[0].stderr  # the file was found
    assert f"looked at {place / 'yours.t'} and " in ran[1].stderr
