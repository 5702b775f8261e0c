"""The lock, environment.yml and pyproject.toml say the same thing, and name no address."""

import re
import runpy
import subprocess
import tomllib

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from mscm_lib.paths import project_root

ROOT = project_root()
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
CONDA = runpy.run_path(str(ROOT / "scripts" / "conda_environment.py"))


def test_every_locked_file_has_a_hash_and_no_address():
    blocks = re.split(r"\n(?=[A-Za-z0-9])", LOCK.strip())
    assert len(blocks) > 100
    for block in blocks:
        assert "--hash=sha256:" in block, block.splitlines()[0]
    assert not re.search(r"https?://|file:|--index|--find-links", LOCK)


def test_the_lock_satisfies_every_declared_dependency():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    locked: dict[str, list[Requirement]] = {}
    for line in CONDA["pins"](LOCK):
        requirement = Requirement(line)
        locked.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    for text in declared:
        wanted = Requirement(text)
        found = locked.get(canonicalize_name(wanted.name))
        assert found, f"{text} is not in requirements.lock; run make lock"
        for pin in found:
            assert wanted.specifier.contains(next(iter(pin.specifier)).version)


def test_conda_users_get_the_same_pins():
    text = (ROOT / "environment.yml").read_text(encoding="utf-8")
    assert text == CONDA["environment"](LOCK), "run make lock"
    pip = next(d for d in yaml.safe_load(text)["dependencies"] if isinstance(d, dict))["pip"]
    assert pip == CONDA["pins"](LOCK)


def test_git_keeps_outputs_out_and_shows_cells():
    attributes = (ROOT / ".gitattributes").read_text()
    assert "notebooks/*.ipynb filter=nbstripout diff=jupyternotebook merge=jupyternotebook" in (
        attributes
    )


def test_every_make_target_is_explained():
    listed = subprocess.run(["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True)
    for target in ("study", "test", "lab", "lint", "clean", "preset"):
        assert re.search(rf"^{target} +\S", listed.stdout, re.MULTILINE), target
