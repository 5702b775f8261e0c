import subprocess

import pytest

from mscm_lib.study.rehearsal import copy_project

OWN = {"dvc.yaml", "mscm_lib/a.py", ".gitignore", ".dvc/config", "studies/mine/study.yaml"}
MADE = {
    "build/x",
    "dvc.lock",
    "results/mine/README.md",
    "data/raw/sysu.dvc",
    "studies/mine/dvc.lock",
}


@pytest.mark.parametrize("tracked", [True, False])
def test_the_project_is_copied_without_what_is_made_in_it(tmp_path, monkeypatch, tracked):
    root, copy = tmp_path / "project", tmp_path / "copy"
    for name in OWN | MADE:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("build/\n")
    if tracked:
        for words in (["init", "--quiet"], ["add", "."]):
            subprocess.run(["git", *words], cwd=root, check=True)
    monkeypatch.chdir(root)
    copy_project(copy)
    copied = {path.relative_to(copy).as_posix() for path in copy.rglob("*") if path.is_file()}
    assert copied == OWN | {".dvc/config.local"}
