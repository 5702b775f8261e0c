"""How a real dataset enters the study: looked over, then tracked by DVC, never pushed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import yaml

from mscm_lib.config import LICENSED, RunConfig, check_known
from mscm_lib.data.doctor import diagnose
from mscm_lib.errors import DataError, StorageError
from mscm_lib.files import write_text
from mscm_lib.paths import alike, project_root, resolve
from mscm_lib.study.reading import passing_over
from mscm_lib.study.repository import ensure_dvc
from mscm_lib.study.settings import Study, load_study, study_names


def enter(name: str, folder: Path | str) -> Path:
    """Take a dataset that is on this disk into the study, at ``data/raw/<name>``.

    The data doctor looks every image over first. Then ``dvc add`` copies the tree (a link where the
    file system can) and pins it in ``data/raw/<name>.dvc``, which is returned and which git may
    hold: it names a digest, no image. It is marked ``push: false``, so that ``dvc push`` never
    sends licensed images away. ``folder`` may be ``data/raw/<name>`` itself.

    Raises:
        ConfigError: no such dataset.
        DataError: the tree is missing or broken, or another stands at ``data/raw/<name>``.
        StorageError: DVC could not copy it.
    """
    check_known("dataset", name, LICENSED)
    within = f"data/raw/{name}"  # named so to DVC: its advice on git then holds in the root
    place = project_root() / within
    source = Path(folder).expanduser().absolute()
    if place.is_symlink():
        raise DataError(
            f"{place}: is a link, which DVC cannot pin; the study runs with it as it is, or remove "
            f"it and enter the dataset itself: mscm enter {name} {place.resolve()}"
        )
    in_place = place.exists() and source.exists() and place.samefile(source)
    if place.exists() and not in_place:
        folders = (place.resolve(), source.resolve())
        if folders[0] in folders[1].parents or folders[1] in folders[0].parents:
            raise DataError(
                f"{place}: is there already, and {source} lies in it or around it: bring the dataset "
                f"itself to {place}, then enter that"
            )
        raise DataError(f"{place}: is there already; move it away to enter {source} in its place")
    diagnosis = diagnose(name, source, uses=uses_of(name))
    print(diagnosis.render(), flush=True)
    if not diagnosis.healthy:
        raise DataError(f"{source}: not entered; mend what the doctor names and try again")
    place.parent.mkdir(parents=True, exist_ok=True)
    added = [within] if in_place else [str(source), "--out", within]
    ensure_dvc(project_root())
    dvc = [sys.executable, "-m", "dvc", "add", *added]
    if subprocess.run(dvc, cwd=project_root()).returncode:
        raise StorageError(f"{place}: DVC could not add {source}; its message stands above")
    pointer = place.with_name(f"{name}.dvc")
    content = yaml.safe_load(pointer.read_text(encoding="utf-8"))
    for out in content["outs"]:
        out["push"] = False
    write_text(pointer, yaml.safe_dump(content, sort_keys=False))
    return pointer


def uses_of(reader: str) -> dict[str, set[object]]:
    """Gallery draws and splits of all studies of a dataset's ``reader``; a broken one has none."""
    runs = list[RunConfig]()
    for name in study_names():
        with passing_over(name):
            study = load_study(name)
            if any(definition.reader == reader for definition in study.data.values()):
                runs += map(study.config, study.runs())
    return {"draw": {run.draw for run in runs}, "trial": {run.trial for run in runs}}


def check_sources(study: Study) -> None:
    """Refuse to start a study whose datasets are not on this disk.

    Raises:
        DataError: naming the first missing dataset and what to do.
    """
    for definition in study.data.values():
        source = resolve(definition.source)
        pointer = source.with_name(f"{source.name}.dvc")
        if not definition.source or source.exists():
            continue
        if pointer.is_file():
            raise DataError(
                f"{source}: not in the workspace; fetch it with: dvc checkout {pointer}"
            )
        said = f"{source}: no such folder{alike(source)}; the study {study.name!r}"
        if definition.reader == "table":
            raise DataError(f"{said} reads a CSV of images there")
        raise DataError(
            f"{said} needs {definition.reader} there in its official layout; enter yours with: "
            f"mscm enter {definition.reader} /path/to/it"
        )
