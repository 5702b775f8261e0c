import subprocess
import sys

import pytest
import yaml

from mscm_lib.data.emulated.emulate import emulate
from mscm_lib.errors import ConfigError, DataError
from mscm_lib.study import entry
from mscm_lib.study.settings import load_study
from tests.data.conftest import write_sysu


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    root = tmp_path_factory.mktemp("licensed data") / "RegDB"
    emulate("regdb", root, height=16, progress=False)
    return root


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project without a study: DVC is set up, nothing is in it."""
    _dvc(tmp_path, "init", "--no-scm", "--quiet")
    monkeypatch.setattr(entry, "project_root", lambda: tmp_path)
    monkeypatch.setattr(entry, "resolve", lambda path: tmp_path / path)
    return tmp_path


def _dvc(root, *arguments):
    command = [sys.executable, "-m", "dvc", *arguments]
    return subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout


def test_entered_data_is_pinned_and_never_pushed(project, tree):
    pointer = entry.enter("regdb", tree)
    assert pointer == project / "data/raw/regdb.dvc"
    (out,) = yaml.safe_load(pointer.read_text())["outs"]
    assert out["push"] is False and out["md5"].endswith(".dir")
    copied = {p.relative_to(project / "data/raw/regdb") for p in (pointer.parent).rglob("*.bmp")}
    assert copied == {p.relative_to(tree) for p in tree.rglob("*.bmp")}
    remote = project / "remote"
    remote.mkdir()
    _dvc(project, "remote", "add", "--default", "here", str(remote))
    _dvc(project, "push")
    assert not list(remote.rglob("*"))
    (out,) = yaml.safe_load(pointer.read_text())["outs"]
    entry.enter("regdb", pointer.with_suffix(""))  # again, in place: still never pushed
    assert yaml.safe_load(pointer.read_text())["outs"] == [out]


def test_what_git_is_to_be_given_is_named_from_the_root(project, tree, capfd):
    subprocess.run(["git", "init", "--quiet", str(project)], check=True)
    _dvc(project, "init", "--force", "--quiet")
    pointer = entry.enter("regdb", tree)
    said = next(line for line in capfd.readouterr().out.splitlines() if "git add" in line).split()
    assert "data/raw/regdb.dvc" in said and pointer.is_file()
    assert all((project / path).is_file() for path in said[2:])


def test_a_broken_tree_is_not_entered(project, tree, tmp_path, capsys):
    broken = tmp_path / "broken"
    subprocess.run(["cp", "-r", str(tree), str(broken)], check=True)
    victim = sorted(broken.rglob("*.bmp"))[0]
    victim.write_bytes(victim.read_bytes()[:40])
    with pytest.raises(DataError, match="not entered; mend what the doctor names"):
        entry.enter("regdb", broken)
    assert victim.name in capsys.readouterr().out
    assert not (project / "data").exists()


def test_permutations_count_where_a_study_draws_by_them(project, tmp_path, monkeypatch, capsys):
    root = write_sysu(tmp_path / "SYSU")
    (root / "exp/rand_perm_cam.mat").write_text("<html>Sign in to download</html>")
    monkeypatch.setattr(entry, "uses_of", lambda reader: {"draw": {"official"}})
    with pytest.raises(DataError, match="not entered"):
        entry.enter("sysu", root)
    monkeypatch.undo()
    assert entry.uses_of("sysu") == {"draw": {"agw"}, "trial": {0}}
    assert entry.uses_of("regdb")["trial"] == set(range(1, 11))
    monkeypatch.setattr(entry, "project_root", lambda: project)
    assert entry.enter("sysu", root).is_file()
    assert "it is a web page; only draw official needs it" in " ".join(
        capsys.readouterr().out.split()
    )


def test_another_tree_in_its_place_is_not_overwritten(project, tree):
    place = project / "data/raw/regdb"
    place.mkdir(parents=True)
    with pytest.raises(DataError, match="is there already"):
        entry.enter("regdb", tree)
    place.rmdir()
    place.symlink_to(tree)
    with pytest.raises(DataError, match="is a link, which DVC cannot pin"):
        entry.enter("regdb", place)


def test_only_licensed_datasets_are_entered(project, tree):
    with pytest.raises(ConfigError, match="sysu"):
        entry.enter("sysu-mm01", tree)


def test_a_study_without_its_data_does_not_start(project):
    study = load_study("llcm")
    with pytest.raises(DataError, match=r"data/raw/llcm: no such folder.*mscm enter llcm"):
        entry.check_sources(study)
    (project / "data/raw").mkdir(parents=True)
    (project / "data/raw/llcm.dvc").write_text("outs: []\n")
    with pytest.raises(DataError, match="dvc checkout"):
        entry.check_sources(study)
    (project / "data/raw/llcm").mkdir()
    entry.check_sources(study)
