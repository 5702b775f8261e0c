"""The plan: every run of every study once, with all its parameters, as DVC reads it.

- ``plan/<run>/train.yaml``, ``evaluate.yaml``: what training reads, and what evaluation alone reads
- ``plan/data/<dataset>.yaml``, ``plan/reference/<dataset>.yaml``, ``plan/studies/<study>.yaml``
- ``runs.json``: an index for ``dvc.yaml``: run → dataset and code; dataset → source and code; study → runs
- ``studies/<study>/dvc.yaml``: the study's tables, figures, page of searches, executed notebooks and
  summary, with the runs that they need

A stage depends on its own file of these, so that an option of evaluation trains nothing again.
`mscm plan` writes them from ``studies/*/study.yaml``; ``dvc exp run -S plan/<run>/train.yaml:alpha=…``
changes one for an experiment.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from mscm_lib.config import WATCHING, RunConfig
from mscm_lib.errors import ConfigError
from mscm_lib.files import write_text
from mscm_lib.paths import from_root, resolve
from mscm_lib.study.code import FOLDER, GENERATE, OWN, PREPARE, WRITE, train_entry
from mscm_lib.study.copies import (
    QUICK,
    copy_path,
    definitions,
    dependencies,
    notebooks_of,
    of_no_study,
    own_files,
)
from mscm_lib.study.reading import read_yaml
from mscm_lib.study.searched import PAGE, read_by_page
from mscm_lib.study.settings import RunName, Study, find_study, load_study, study_names


def write_plan() -> list[str]:
    """Bring the plan up to date with the studies; gives what was written or removed.

    Raises:
        ConfigError: a study is wrong, two studies mean different things by one run's name, or both
            define one dataset.
    """
    wanted, changed = compiled(), []
    for name, text in wanted.items():
        path = resolve(name)
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            write_text(path, text)
            changed.append(name)
    for path in sorted(resolve("plan").glob("*/*.yaml")):
        name = from_root(path)
        if name not in wanted:
            path.unlink()
            changed.append(name)
    for folder in resolve("plan").iterdir():
        if not any(folder.iterdir()):
            folder.rmdir()
    return changed


def compiled() -> dict[str, str]:
    """The plan's files by path, from the studies as they stand.

    Raises:
        ConfigError: as `write_plan`.
    """
    studies = [load_study(name) for name in study_names()]
    named = dict.fromkeys(key for study in studies for key in study.data)
    homes = {key: find_study(key) for key in named}
    runs: dict[str, tuple[str, RunName, RunConfig]] = {}
    for study in studies:
        for run in study.runs():
            config = study.config(run)
            place, _, other = runs.setdefault(run.name, (study.name, run, config))
            if other != config:
                here, there = config.as_dict(), other.as_dict()
                key = min(key for key in here if here[key] != there[key])
                raise ConfigError(
                    f"run {run.name!r} differs between studies/{place}/study.yaml "
                    f"({key} = {there[key]!r}) and studies/{study.name}/study.yaml ({key} = "
                    f"{here[key]!r}); one name has one meaning: give one of them another name"
                )
    files = {}
    for key, home in homes.items():
        plain = {name: value for name, value in vars(home.data[key]).items() if value}
        files[f"plan/data/{key}.yaml"] = _yaml(plain)
        files[f"plan/reference/{key}.yaml"] = _yaml(_reference(home, key))
    for name, (_, _, config) in runs.items():
        files[f"plan/{name}/train.yaml"] = _yaml(config.training())
        files[f"plan/{name}/evaluate.yaml"] = _yaml(config.evaluation())
    for study in studies:
        covered = {"datasets": list(study.data), "variants": list(study.variants),
                   "reference": study.reference, "trials": list(study.trials),
                   "seeds": list(study.seeds)}  # fmt: skip
        files[f"plan/studies/{study.name}.yaml"] = _yaml(covered)
        files[f"studies/{study.name}/dvc.yaml"] = _yaml(_stages(study))
        if study.name == QUICK:
            files["book/dvc.yaml"] = _yaml({"stages": _reports(study, of_no_study(), "..")})
    index = {
        "data": {key: _made_of(home.data[key].source) for key, home in sorted(homes.items())},
        "runs": {
            name: {"data": run.dataset, "code": train_entry(config, place), **_watching(config)}
            for name, (place, run, config) in sorted(runs.items())
        },
        "studies": {study.name: [run.name for run in study.runs()] for study in studies},
    }
    files["runs.json"] = json.dumps(index, indent=1, ensure_ascii=False) + "\n"
    return files


def planned(run: str, stage: str) -> dict[str, Any]:
    """The parameters of a planned run's ``train`` or ``evaluate`` stage.

    Raises:
        ConfigError: the run is not in the plan.
    """
    values = _read(f"{run}/train", "run", run)
    if stage == "evaluate":
        return values | _read(f"{run}/evaluate", "run", run)
    entry = json.loads(resolve("runs.json").read_text(encoding="utf-8"))["runs"][run]
    return values | {key: value for key, value in entry.items() if key in WATCHING}


def planned_config(run: str) -> RunConfig:
    """A planned run's parameters, whole: what `dvc exp run -S` changed in the plan holds.

    Raises:
        ConfigError: the run is not in the plan, or a parameter there is wrong.
    """
    return RunConfig.from_mapping(planned(run, "evaluate"))


def planned_of(dataset: str, what: str) -> dict[str, Any]:
    """The plan's ``data`` or ``reference`` of a dataset.

    Raises:
        ConfigError: the dataset is not in the plan.
    """
    return _read(f"{what}/{dataset}", "dataset", dataset)


def _read(file: str, kind: str, name: str) -> dict[str, Any]:
    path = resolve(f"plan/{file}.yaml")
    if path.is_file():
        return read_yaml(path)
    raise ConfigError(
        f"{name!r}: no such {kind} in the plan; `mscm check studies/NAME/study.yaml` lists a "
        "study's runs, and `mscm plan` brings the plan up to date with the studies"
    )


def described(study: Study) -> str:
    """A study's runs with what they would cost in steps of training, a line each."""
    lines, total = [study.title], 0
    for run in study.runs():
        config = study.config(run)
        images = config.identities_per_batch * config.images_per_identity * config.views
        steps = config.epochs * config.steps_per_epoch
        total += steps
        told = f"{steps:,} steps" if steps else f"{config.epochs} epochs of as many steps as fit"
        lines.append(f"  {run.name}: {told} of {images} images at {config.height}×{config.width}")
    several = f"{len(lines) - 1} runs"
    return "\n".join([*lines, f"{several}, {total:,} steps in all" if total else several])


def _reference(study: Study, dataset: str) -> dict[str, Any]:
    """What the rankings that need no training read: the protocol, and the untrained network."""
    seeds = study.seeds_of(dataset)
    run = RunName(dataset, study.variants[-1], study.trials[0], seeds[0])
    config = study.config(run)
    several = {"trials": list(study.trials), "seeds": list(seeds)}
    return config.training() | config.evaluation() | several


def _made_of(tree: str) -> dict[str, str]:
    """What packed arrays come from: a tree and what reads it, or what draws people."""
    return {"source": tree, "code": PREPARE} if tree else {"source": GENERATE, "code": WRITE}


def _watching(config: RunConfig) -> dict[str, Any]:
    """What stands beside the parameters, since no result depends on it."""
    return {key: getattr(config, key) for key in WATCHING if getattr(config, key)}


def _stages(study: Study) -> dict[str, Any]:
    """The study's own stages; their runs are the top ``dvc.yaml``'s."""
    name, results, defined = study.name, f"results/{study.name}", definitions(study)
    tables, figures, page = (f"{results}/{made}" for made in ("tables", "figures", PAGE))
    runs = [f"runs/{kind}/{run.name}" for run in study.runs() for kind in ("train", "evaluate")]
    runs += [f"runs/reference/{key}" for key in study.data]
    files = own_files(study)
    if missing := [path for path in files if not path.is_file()]:
        raise ConfigError(f"studies/{name}/study.yaml: names a part in {missing[0]}: no such file")
    stages: dict[str, Any] = {}
    if files:
        own = [FOLDER, *map(from_root, files)]
        strip = {"wdir": "../..", "cmd": f"mscm strip {name}"}
        stages["parts"] = {**strip, "deps": own, "outs": [f"{OWN}/{name}"]}
    collected = ["build/code/tables", f"plan/studies/{name}.yaml", *runs]
    stages["tables"] = _stage(f"mscm tables {name}", collected, tables)
    drawn = ["build/code/figures", tables, *defined]
    stages["figures"] = _stage(f"mscm figures {name}", drawn, figures)
    read = read_by_page(study)
    shown = {"rankings": _stage(f"mscm rankings {name}", read, page)} if read else {}
    shown |= _reports(study, notebooks_of(study))
    outs = [out for stage in shown.values() for out in stage["outs"][0]]
    told = ["build/code/summary", tables, figures, *outs, *defined]
    summary = _stage(f"mscm summary {name}", told, f"{results}/README.md")
    return {
        "stages": stages | shown | {"summary": summary},
        "metrics": [f"../../{tables}/headline.json"],
        "plots": _plots(study),
    }


def _reports(study: Study, stems: Sequence[str], root: str = "../..") -> dict[str, Any]:
    """A stage an executed copy."""
    return {
        f"report-{stem}": _stage(
            f"mscm report {study.name} {stem}",
            dependencies(study, stem),
            from_root(copy_path(study.name, stem)),
            root,
        )
        for stem in stems
    }


def _stage(command: str, deps: Sequence[str], out: str, root: str = "../..") -> dict[str, Any]:
    # small results that git holds; `persist`: the former ones stay until the new ones are whole
    outs = [{out: {"cache": False, "persist": True}}]
    return {"wdir": root, "cmd": command, "deps": list(deps), "outs": outs}


def _plots(study: Study) -> list[dict[str, Any]]:
    """A plot a quantity and network, a curve a run."""
    titles = {
        "identity_loss": "identity loss", "metric_loss": "metric loss",
        "accuracy": "training accuracy",
    }  # fmt: skip
    return [
        {
            f"{study.name}, {variant}{on}: {title}": {
                "x": "epoch",
                "y": {
                    f"../../runs/train/{run.name}/history.csv": column
                    for run in study.runs()
                    if (run.variant, run.dataset) == (variant, dataset)
                },
            }
        }
        for dataset in study.data
        for on in [f" on {dataset}" if len(study.data) > 1 else ""]
        for column, title in titles.items()
        for variant in study.variants
    ]


def _yaml(values: Mapping[str, Any]) -> str:
    text: str = yaml.safe_dump(dict(values), sort_keys=False, allow_unicode=True, width=100)
    return f"# Written by: mscm plan\n{text}"
