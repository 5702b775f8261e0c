"""The lock, environment.yml and pyproject.toml belong together, and name no address."""

import re
import subprocess
import tomllib
from importlib.metadata import packages_distributions

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from mscm_lib.paths import project_root

ROOT = project_root()
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_every_locked_file_has_a_hash_and_no_address():
    blocks = re.split(r"\n(?=[A-Za-z0-9])", LOCK.strip())
    assert len(blocks) > 100
    for block in blocks:
        assert "--hash=sha256:" in block, block.splitlines()[0]
    assert not re.search(r"https?://|file:|--index|--find-links", LOCK)


def test_the_lock_satisfies_every_declared_dependency():
    declared = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]]
    locked: dict[str, list[Requirement]] = {}
    for line in re.findall(r"^[A-Za-z0-9].*$", LOCK, re.MULTILINE):
        requirement = Requirement(line.rstrip(" \\"))
        locked.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    for text in declared:
        wanted = Requirement(text)
        found = locked.get(canonicalize_name(wanted.name))
        assert found, f"{text} is not in requirements.lock; run make lock"
        for pin in found:
            assert wanted.specifier.contains(next(iter(pin.specifier)).version)


def test_conda_users_get_the_lock_with_its_hashes():
    conda = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    *plain, pip = conda["dependencies"]
    assert plain == [f"python {PROJECT['requires-python']}", "pip"]
    assert pip == {"pip": ["-r requirements.lock"]}  # read from beside environment.yml


def test_the_library_says_that_it_is_typed():
    assert (ROOT / "mscm_lib" / "py.typed").is_file()


def test_the_library_imports_nothing_that_is_declared_for_development_alone():
    dev = {Requirement(t).name for t in PROJECT["optional-dependencies"]["dev"]}
    owners, found = packages_distributions(), set()
    for path in (ROOT / "mscm_lib").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        for module in re.findall(r"^\s*(?:import|from) (\w+)", text, re.MULTILINE):
            found |= {canonicalize_name(name) for name in owners.get(module, [])}
    assert "torch" in found
    assert found & dev <= {"jupyter-server-mathjax"}  # the book is made with development's tools


def test_git_keeps_outputs_out_and_shows_cells():
    attributes = (ROOT / ".gitattributes").read_text()
    assert "notebooks/*.ipynb filter=nbstripout diff=jupyternotebook merge=jupyternotebook" in (
        attributes
    )


def test_continuous_integration_runs_the_two_commands_of_the_readme_in_order():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    two = re.search(r"## Two commands\n.*?```\n(.*?)```", readme, re.DOTALL)
    commands = [line.split("#")[0].strip() for line in two[1].splitlines()]
    run = (ROOT / ".ci" / "run").read_text().splitlines()
    assert (
        [line for line in run if line.startswith("make")] == commands == ["make study", "make test"]
    )


def test_every_make_target_is_explained():
    listed = subprocess.run(["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True)
    for target in ("study", "test", "lab", "lint", "clean", "setup"):
        assert re.search(rf"^{target} +\S", listed.stdout, re.MULTILINE), target
