"""`dvc repro` as this study calls it: again after any kill, with nothing to clean up by hand."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from mscm_lib.data.workers import available_cores
from mscm_lib.errors import StudyError
from mscm_lib.files import atomic_path, write_json
from mscm_lib.paths import project_root, resolve
from mscm_lib.study.copies import own_files
from mscm_lib.study.entry import check_sources
from mscm_lib.study.plan import write_plan
from mscm_lib.study.reading import read_yaml
from mscm_lib.study.repository import ensure_dvc
from mscm_lib.study.settings import Study
from mscm_lib.study.trial import tried

STARTED_AGAIN = (
    "mend what is named above and start it again: what is finished stays, and training goes on "
    "where it was"
)


def make(study: Study, jobs: int = 0) -> None:
    """Make all of a study that is not made yet.

    DVC makes one stage after the other; several DVCs in one folder wait for each other where they
    must. Each gets its share of the cores, since a small network gains more from another run beside
    it than from a second core. Bytes are those of that number of threads, as ``run.json`` records.

    Args:
        study: which.
        jobs: runs at a time; 0: on a GPU one, else one a core, whose bytes are the same on a machine
            of any number of cores.

    Raises:
        ConfigError: two studies disagree, or a part of the user's own breaks a rule.
        DataError: a dataset is not there, or its CSV cannot be used.
        StudyError: a stage failed; its own message stands above. The other runs went on.
    """
    chosen = not jobs
    if chosen:
        import torch

        runs = sum(1 for _ in study.runs())
        jobs = 1 if torch.cuda.is_available() else min(available_cores(), runs)
    threads = 1 if chosen else max(available_cores() // jobs, 1)
    check_sources(study)
    ensure_dvc(project_root())
    for line in tried(study):
        print(line, flush=True)
    keep_locks(study)
    write_plan()
    give_back(study)
    if jobs > 1:
        own = [f"studies/{study.name}/dvc.yaml:parts"] if own_files(study) else []
        _repro(study, ["strip", *(f"prepare@{dataset}" for dataset in study.data), *own])
        names = [run.name for run in study.runs()]
        shares = [names[worker::jobs] for worker in range(jobs)]
        with ThreadPoolExecutor(jobs) as pool:
            failed = any(pool.map(_repro_share, range(jobs), shares, [threads] * jobs))
        if failed:
            raise StudyError(f"the study {study.name} stopped; {STARTED_AGAIN}")
    _repro(study, [f"studies/{study.name}/dvc.yaml"])


def keep_locks(study: Study) -> None:
    """Keep a copy of DVC's locks, or put it back where a kill has cut one off in writing.

    DVC writes them in place, and then can read none. What was made since the copy is in its run cache.
    """
    for name in ("dvc.lock", f"studies/{study.name}/dvc.lock"):
        path, kept = resolve(name), resolve(f"build/kept/{name}")
        if not path.is_file():
            continue
        if path.read_bytes().endswith(b"\n"):
            source, target = path, kept
        elif kept.is_file():
            source, target = kept, path
            print(f"{name} was cut off in writing; it is put back as it was before", flush=True)
        else:
            continue
        with atomic_path(target) as part:
            shutil.copyfile(source, part)


def give_back(study: Study) -> None:
    """Let DVC's cache have again what is on disk as ``dvc.lock`` names it.

    Where the cache was removed, DVC would make all of it again. `dvc commit` takes a stage only if
    neither what it depends on nor what it left has changed; any other is made again, as ever.
    """
    lost = _not_in(resolve(".dvc/cache"), study)
    if lost:
        place = subprocess.run(["dvc", "cache", "dir"], cwd=project_root(), **_SAID).stdout.strip()
        lost = _not_in(resolve(place), study)
    if lost:
        _repro(study, ["strip"])
        if _committed(lost):
            print(f"DVC's cache has these again, as they lie on disk: {', '.join(lost)}")
        else:
            for name in lost:
                _committed([name])


_SAID: dict[str, Any] = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True}


def _committed(stages: Sequence[str]) -> bool:
    """Whether DVC has taken them all: it asks about one that has changed, and nobody answers."""
    return not subprocess.run(["dvc", "commit", *stages], cwd=project_root(), **_SAID).returncode


def _not_in(cache: Path, study: Study) -> list[str]:
    """The study's stages whose outputs are on disk and named in ``dvc.lock``, but not in ``cache``."""
    path = resolve("dvc.lock")
    stages = read_yaml(path).get("stages", {}) if path.is_file() else {}
    runs = [run.name for run in study.runs()]
    names = [f"{stage}@{key}" for stage in ("prepare", "reference") for key in study.data]
    names += [f"{stage}@{run}" for run in runs for stage in ("train", "evaluate")]
    outs = {name: stages[name]["outs"] for name in names if name in stages}
    return [
        name
        for name, made in outs.items()
        if all(resolve(out["path"]).exists() for out in made)
        and not all((cache / "files/md5" / o["md5"][:2] / o["md5"][2:]).exists() for o in made)
    ]


def _repro(study: Study, targets: Sequence[str]) -> None:
    release_dead(resolve(".dvc/tmp/rwlock"))
    if subprocess.run(["dvc", "repro", *targets], cwd=project_root()).returncode:
        raise StudyError(f"the study {study.name} stopped; {STARTED_AGAIN}")


def _repro_share(worker: int, names: Sequence[str], threads: int) -> int:
    """One of several DVCs at work: its exit status. What it says is marked with its number."""
    if not names:
        return 0
    # Stage by stage: a DVC that follows what they depend on would hold `strip` and `prepare`, which
    # are up to date, so that no other can begin.
    command = ["dvc", "--wait-for-lock", "repro", "--single-item", "--keep-going"]
    stages = [f"{stage}@{name}" for name in names for stage in ("train", "evaluate")]
    with subprocess.Popen(
        [*command, *stages],
        cwd=project_root(),
        env=os.environ | {"OMP_NUM_THREADS": str(threads)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="backslashreplace",
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            sys.stdout.write(f"[{worker + 1}] {line}")
            sys.stdout.flush()
    return process.returncode


def release_dead(path: Path) -> None:
    """Take what killed runs still hold out of DVC's lock file.

    DVC does so itself where the process is gone, but waits for one that is dead and not yet
    collected by its parent, for another program that has got its number since, and forever for a
    file that was cut off in writing.

    Args:
        path: of the lock file, which need not be there.
    """
    try:
        locks: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return
    except (json.JSONDecodeError, UnicodeDecodeError):
        path.unlink()
        return
    read = {
        place: living
        for place, holders in locks.get("read", {}).items()
        if (living := [holder for holder in holders if _runs(holder["pid"])])
    }
    write = {p: holder for p, holder in locks.get("write", {}).items() if _runs(holder["pid"])}
    left = {"read": read, "write": write}
    if left != locks:
        write_json(path, left)


def _runs(number: int) -> bool:
    """Whether the process of that number is a DVC that runs."""
    with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
        process = psutil.Process(number)
        dead = process.status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
        return not dead and any("dvc" in part for part in process.cmdline())
    return False
