import shutil
import subprocess
import sys

import pytest
import yaml

from mscm_lib.data.emulated.emulate import emulate
from mscm_lib.errors import ConfigError, DataError
from mscm_lib.paths import project_root
from mscm_lib.study import entry, reading
from mscm_lib.study.plan import compiled
from mscm_lib.study.repository import ensure_dvc
from mscm_lib.study.settings import find_study, load_study
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
    with pytest.raises(DataError, match="is there already"):
        entry.enter("regdb", project / "nothing")
    place.rmdir()
    place.symlink_to(tree)
    with pytest.raises(DataError, match="is a link, which DVC cannot pin"):
        entry.enter("regdb", place)


@pytest.mark.parametrize(
    "spelt", ["data/raw/regdb", "data/../data/raw/regdb", "there/raw/regdb", "it"]
)
def test_data_in_its_place_is_pinned_there_however_it_is_spelt(project, tree, spelt):
    place = project / "data/raw/regdb"
    shutil.copytree(tree, place)
    (project / "there").symlink_to("data")
    (project / "it").symlink_to(place)
    before = set(place.rglob("*"))
    assert entry.enter("regdb", project / spelt).is_file()
    assert set(place.rglob("*")) == before


@pytest.mark.parametrize("other", ["data", "data/raw", "data/raw/regdb/Visible", "it"])
def test_nobody_is_told_to_remove_what_is_entered(project, other):
    (project / "data/raw/regdb/Visible").mkdir(parents=True)
    (project / "it").symlink_to("data/raw/regdb/Visible")
    with pytest.raises(
        DataError, match="is there already, and .* lies in it or around it"
    ) as raised:
        entry.enter("regdb", project / other)
    assert "remove it" not in str(raised.value)


@pytest.mark.parametrize(
    ("folder", "text", "words"),
    [
        ("draft", "title: [", "studies/draft/study.yaml: not readable as YAML"),
        ("my study", None, "studies/my study/study.yaml: the folder: name 'my study'"),
        ("old", "title: x", "studies/old/study.yaml: lacks variants"),
        ("lists", "data: [sysu]", "studies/lists/study.yaml"),
        ("bytes", "\udcff", "studies/bytes/study.yaml: could not be read"),
    ],
)
def test_a_study_that_is_no_study_yet_stops_no_other_work(
    tmp_path, monkeypatch, capsys, folder, text, words
):
    for name in ("dvc.yaml", "variants.yaml", "mscm_lib"):
        (tmp_path / name).symlink_to(project_root() / name)
    shutil.copytree(project_root() / "studies", tmp_path / "studies")
    whole = (tmp_path / "studies/sysu/study.yaml").read_text()
    monkeypatch.chdir(tmp_path)
    reading._PASSED_OVER.clear()
    path = tmp_path / "studies" / folder / "study.yaml"
    path.parent.mkdir()
    path.write_text(whole if text is None else text, errors="surrogateescape")
    for _ in range(2):
        assert entry.uses_of("sysu") == {"draw": {"agw"}, "trial": {0}}
        assert find_study("sysu").name == "sysu"
    said = capsys.readouterr().err
    assert said.count("warning: ") == said.count("\n") == said.count(words) == 1, said
    with pytest.raises(ConfigError, match=words):
        compiled()


def test_a_tree_that_git_does_not_know_is_entered(tmp_path, tree, monkeypatch, capsys):
    monkeypatch.setattr(entry, "project_root", lambda: tmp_path)
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config.local").write_text("['remote \"mine\"']\n    url = /a/b%20c\n")
    for _ in range(2):
        assert entry.enter("regdb", tree).is_file()
        tree = tmp_path / "data/raw/regdb"
    assert capsys.readouterr().out.count("is of no git repository") == 1
    assert _dvc(tmp_path, "config", "--local", "remote.mine.url").strip() == "/a/b%20c"


def test_a_tree_of_a_repository_is_left_to_git(tmp_path):
    (tmp_path / ".git").mkdir()
    ensure_dvc(tmp_path / "below")
    assert not (tmp_path / "below").exists()


def test_only_licensed_datasets_are_entered(project, tree):
    with pytest.raises(ConfigError, match="sysu"):
        entry.enter("sysu-mm01", tree)


@pytest.mark.parametrize("name", ["llcm ", "LLCM"])
def test_a_source_of_another_spelling_is_shown(project, name):
    (project / "data/raw" / name).mkdir(parents=True)
    with pytest.raises(DataError, match=f"no such folder; '.*data/raw/{name}' is there: rename it"):
        entry.check_sources(load_study("llcm"))


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
