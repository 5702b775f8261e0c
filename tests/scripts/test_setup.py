"""Set-up finds an environment or makes one, says what it does, and leaves other things alone.

Here uv, nvidia-smi and uname are stand-ins: what is asked of them is what is tested.
"""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from mscm_lib.paths import project_root
from tests.scripts.conftest import Clone

ROOT = project_root()
LOCK = """\
numpy==2.4.0 \\
    --hash=sha256:0
nvidia-cublas==13.1 ; sys_platform == 'linux' \\
    --hash=sha256:1
torch==2.13.0 \\
    --hash=sha256:2
    # via torchvision
torchvision==0.28.0 \\
    --hash=sha256:3
triton==3.7 ; sys_platform == 'linux' \\
    --hash=sha256:4
"""
UV = """\
#!/bin/bash
echo "$*" >>uv.log
case "$*" in
    venv*) mkdir -p .venv/bin; echo 'relocatable = true' >.venv/pyvenv.cfg
           printf '#!/bin/sh\\nexit %s\\n' "${BROKEN:-0}" >.venv/bin/python; chmod +x .venv/bin/python ;;
    *--dry-run*) exit "${NO_CPU:-0}" ;;
    "pip sync"*) cp "${!#}" synced ;;
esac
"""


class Setup(Clone):
    """A folder with the scripts and stand-ins for what they call."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.env |= {"PYTHON": sys.executable, "PATH": f"{folder}/stubs:{self.env['PATH']}"}
        for name in ("VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONPATH", "TORCH"):
            self.env.pop(name, None)
        (folder / "stubs").mkdir(parents=True)
        shutil.copytree(ROOT / "scripts", folder / "scripts")
        shutil.copy(ROOT / "pyproject.toml", folder)
        (folder / "requirements.lock").write_text(LOCK)
        self.stub("uv", UV)
        self.stub("nvidia-smi", "#!/bin/sh\nexit 1\n")

    def stub(self, name, text):
        path = self.folder / "stubs" / name
        path.write_text(text)
        path.chmod(0o755)

    def __call__(self, *command, check=True, **env):
        self.env |= env
        log = self.folder / "uv.log"
        log.write_text("")
        done = self.run("bash", "scripts/setup.sh", *command, check=check)
        self.said, self.asked = done.stderr, log.read_text()
        return done

    def synced(self):
        return set(re.findall(r"^[\w-]+", (self.folder / "synced").read_text(), re.MULTILINE))


@pytest.fixture
def setup(tmp_path):
    return Setup(tmp_path / "somebody's folder")


ALL = {"numpy", "nvidia-cublas", "torch", "torchvision", "triton"}
linux = pytest.mark.skipif(
    sys.platform != "linux", reason="elsewhere there is one build of PyTorch"
)


@linux
def test_without_a_gpu_the_cpu_build_is_taken_where_the_index_serves_it(setup):
    setup()
    assert "pip install --quiet --no-deps torch==2.13.0+cpu torchvision==0.28.0+cpu" in setup.asked
    assert setup.synced() == {"numpy"}
    assert "sync --quiet --require-hashes" in setup.asked and "TORCH=cuda" in setup.said
    setup()
    assert setup.asked == ""  # nothing to do
    setup(TORCH="cuda")
    assert setup.synced() == ALL and "+cpu" not in setup.asked


@linux
@pytest.mark.parametrize("why", ["NO_CPU", "BROKEN"])
def test_where_no_cpu_build_loads_the_lock_is_installed_and_that_is_said(setup, why):
    setup(**{why: "1"})
    assert setup.synced() == ALL
    assert "no NVIDIA GPU" in setup.said and "3.4 GB" in setup.said
    assert setup(check=False, TORCH="cpu").returncode == 1 and "no CPU build" in setup.said


def test_a_gpu_gets_the_lock_and_no_question_is_asked(setup):
    setup.stub("nvidia-smi", "#!/bin/sh\necho GPU 0\n")
    setup()
    assert setup.synced() == ALL and "+cpu" not in setup.asked
    assert setup(check=False, TORCH="rocm").returncode == 1
    assert "TORCH=rocm: expected cpu or cuda" in setup.said


def test_a_lock_that_changed_or_a_renamed_folder_is_followed(setup):
    setup()
    (setup.folder / "requirements.lock").write_text(LOCK + "tqdm==4 \\\n    --hash=sha256:5\n")
    setup()
    assert "tqdm" in setup.synced() and "venv" not in setup.asked.split()
    setup.folder = setup.folder.rename(setup.folder.parent / "another")
    setup.env["PATH"] = f"{setup.folder}/stubs:{setup.env['PATH']}"
    setup()
    assert "--editable ." in setup.asked and "venv" not in setup.asked.split()
    (setup.folder / ".venv" / "bin" / "python").unlink()
    setup()
    assert setup.asked.startswith("venv --quiet --clear --relocatable")


def test_the_command_runs_in_the_environment_with_its_own_exit_status(setup):
    done = setup("sh", "-c", 'echo "$PATH"; exit 3', check=False)
    assert done.returncode == 3
    assert done.stdout.startswith(f"{setup.folder.resolve()}/.venv/bin:")


def test_the_active_environment_is_used_when_it_has_what_is_needed(setup):
    """This one, which runs the tests, with the folder's library in place of its own."""
    library = setup.folder / "library"
    (setup.folder / "mscm_lib").mkdir()
    (setup.folder / "mscm_lib" / "__init__.py").touch()
    library.mkdir()
    (library / "mscm_lib").symlink_to(setup.folder / "mscm_lib")
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        done = setup(
            "sh", "-c", 'echo "$PATH"', **{variable: sys.prefix, "PYTHONPATH": str(library)}
        )
        assert "using the active environment" in setup.said, setup.said
        assert re.search(r"\d+ packages of other versions", setup.said)  # than the small lock here
        assert done.stdout.startswith(f"{sys.prefix}/bin:")
        assert setup.asked == "" and not (setup.folder / ".venv").exists()
        del setup.env[variable]


@pytest.mark.parametrize("pip", [0, 1])
def test_an_environment_that_lacks_only_the_library_gets_a_link_to_it(setup, pip):
    """As `conda env create -f environment.yml` leaves one."""
    (setup.folder / "conda" / "bin").mkdir(parents=True)
    python = setup.folder / "conda" / "bin" / "python"
    python.write_text(
        f'#!/bin/sh\ncase "$*" in *environment.py) exit 2 ;; esac\necho "$*" >pip.log; exit {pip}\n'
    )
    python.chmod(0o755)
    done = setup(check=False, CONDA_PREFIX=str(python.parent.parent))
    log = (setup.folder / "pip.log").read_text().split()
    assert log[:3] == ["-m", "pip", "install"] and log[-2:] == ["--editable", "."]
    assert done.returncode == pip and setup.asked == ""
    assert ("pip could not" if pip else "using the active environment") in setup.said


def test_an_active_environment_that_lacks_something_is_left_alone(setup, tmp_path):
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True)
    before = sorted(bare.rglob("*"))
    setup(VIRTUAL_ENV=str(bare), PYTHONDONTWRITEBYTECODE="1")
    assert "not using the active environment" in setup.said and "it lacks packaging" in setup.said
    assert (setup.folder / ".venv").exists() and sorted(bare.rglob("*")) == before
    shutil.rmtree(setup.folder / ".venv")
    setup(VIRTUAL_ENV=str(tmp_path / "gone"))
    assert (setup.folder / ".venv").exists()


def test_what_lacks_is_named(setup):
    text = (setup.folder / "pyproject.toml").read_text()
    text = text.replace('"numpy"', '"numpy>=99"').replace('"pandas"', '"not-there-at-all"')
    (setup.folder / "pyproject.toml").write_text(text)
    assert tomllib.loads(text)
    setup(VIRTUAL_ENV=sys.prefix)
    assert re.search(
        r"it lacks numpy>=99 \(there is [\d.]+\), not-there-at-all; to use it", setup.said
    )


def test_another_copy_of_the_study_is_not_mistaken_for_this_one(setup):
    setup(VIRTUAL_ENV=sys.prefix, PYTHONPATH=str(ROOT))
    assert f"another copy of the study: {ROOT}" in setup.said
    assert (setup.folder / ".venv").exists()


def test_a_linked_environment_is_never_changed(setup, tmp_path):
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True)
    (setup.folder / ".venv").symlink_to(bare)
    assert setup(check=False).returncode == 1
    assert setup.asked == "" and ".venv links to" in setup.said


@pytest.mark.parametrize("system", ["MINGW64_NT-10.0-19045", "FreeBSD", "Darwin"])
def test_systems_without_wheels_are_refused_in_one_sentence(setup, system):
    setup.stub("uname", f'#!/bin/sh\n[ "$1" = -s ] && echo {system} || echo x86_64\n')
    done = setup(check=False)
    assert done.returncode == 1 and done.stdout == ""
    assert setup.said.count("\n") == 1 and f"this is {system} on x86_64" in setup.said
    assert not (setup.folder / ".venv").exists()


@linux
@pytest.mark.parametrize("libc", ["exit 1", "echo glibc 2.17"])
def test_a_libc_too_old_or_foreign_is_refused(setup, libc):
    setup.stub("getconf", f"#!/bin/sh\n{libc}\n")
    assert setup(check=False).returncode == 1
    assert "glibc 2.28 or newer" in setup.said


def test_no_terminal_no_colours(setup):
    done = setup()
    assert "[set-up]" in setup.said and "\x1b" not in setup.said + done.stdout


def test_a_clone_gets_its_drivers_and_a_folder_inside_another_repository_does_not(setup):
    parent = setup.folder.parent
    subprocess.run(["git", "init", "-q", parent], check=True, env=setup.env)
    setup()
    assert not (parent / ".git" / "notebook_filter.py").exists()
    setup.git("init", "-q")
    setup()
    assert (setup.folder / ".git" / "notebook_filter.py").exists()
    config = (setup.folder / ".git" / "config").read_text()
    assert "required = true" in config and str(parent) not in config


def test_scripts_run_under_the_bash_that_macos_has():
    """Version 3.2: no associative arrays, no ${name,,}, no mapfile, no |&."""
    for path in [*(ROOT / "scripts").glob("*.sh"), ROOT / ".ci" / "run"]:
        text = path.read_text()
        assert not re.search(r"declare -A|\$\{\w+(,,|\^\^)|mapfile|readarray|\|&|&>>", text), path
        assert "sha256sum" not in text
        subprocess.run(["bash", "-n", path], check=True)
