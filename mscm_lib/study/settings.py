"""What a study covers: ``studies/<name>/study.yaml``, read and checked as a whole.

A study file holds its title, its data, its variants with their labels, trials, seeds and the
parameters of its runs; ``contrasts`` may state in advance what is asked of the means, ``peers`` name
methods in print to set beside them. Two keys take these from another study: ``variants_of:
components`` its variants, reference, seeds and contrasts, ``data_of: sysu`` its data, trials and run
parameters. So an experiment stands on the data of the lab, and can be put on any other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mscm_lib.config import RunConfig, check_known
from mscm_lib.errors import ConfigError
from mscm_lib.files import write_text
from mscm_lib.own_parts import beside
from mscm_lib.paths import from_root, resolve
from mscm_lib.study.definition import DataDefinition, read_definitions
from mscm_lib.study.reading import (
    check_keys,
    heading,
    mapping,
    passing_over,
    plain_text,
    read_yaml,
    safe_name,
    texts,
    whole_numbers,
)
from mscm_lib.study.variants import (
    check_epochs,
    load_variants,
    placed,
    read_contrasts,
    read_variants,
    run_parameters,
    with_epochs,
)

WORLD = "world"  # in place of seeds: each world is trained on once, from the seed of its drawing
OF_THE_VARIANTS = ("variants", "reference", "seeds")
OF_THE_DATA = ("data", "datasets", "trials", "run")
KEYS = ("title", "variants_of", "data_of", *OF_THE_VARIANTS, "contrasts", *OF_THE_DATA, "peers")


@dataclass(frozen=True)
class RunName:
    """One training of a study: which data, which variant, which split, which seed."""

    dataset: str
    variant: str
    trial: int
    seed: int

    @property
    def name(self) -> str:
        """The run's name in the plan, and its folder's below ``runs/train`` and others."""
        return f"{self.dataset}-{self.variant}-t{self.trial}-s{self.seed}"


@dataclass(frozen=True)
class Study:
    """A study: the product of datasets, variants, trials and seeds, with common parameters.

    Attributes:
        name: of its folder.
        title: for readers.
        data: definitions by key.
        variants: names, in the order of tables.
        labels: the variants' names for readers.
        parameters: by variant, in what it departs from the paper's recipe.
        reference: the variant that the others are compared with.
        trials: splits of RegDB; (0,) elsewhere.
        seeds: of the trainings; none where each world has one, the seed that it was drawn from.
        run: parameters that all runs share.
        variants_of: the study that the variants come from; "" for its own.
        data_of: the study that the data come from; "" for its own.
        contrasts: stated in advance, a family of tests: by name, the weights of variants' means.
        peers: methods in print to set beside it (`mscm_lib.reports.peers`); none: all there are.
    """

    name: str
    title: str
    data: Mapping[str, DataDefinition]
    variants: tuple[str, ...]
    labels: Mapping[str, str]
    parameters: Mapping[str, Mapping[str, Any]]
    reference: str
    trials: tuple[int, ...]
    seeds: tuple[int, ...]
    run: Mapping[str, Any]
    variants_of: str = ""
    data_of: str = ""
    contrasts: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    peers: tuple[str, ...] = ()

    def runs(self) -> Iterator[RunName]:
        """Every training of the study, datasets first."""
        for dataset in self.data:
            for variant in self.variants:
                for trial in self.trials:
                    for seed in self.seeds_of(dataset):
                        yield RunName(dataset, variant, trial, seed)

    def seeds_of(self, dataset: str) -> tuple[int, ...]:
        """The seeds that networks on ``dataset`` are trained from; without any, the world's own."""
        return self.seeds or (int(self.data[dataset].settings.get("seed", 0)),)

    @property
    def repeats(self) -> int:
        """How often each network is trained on a dataset and split."""
        return len(self.seeds) or 1

    def config(self, run: RunName) -> RunConfig:
        """A run's parameters, whole."""
        own = {"trial": run.trial, "seed": run.seed}
        return resolve_run(self, run.dataset, run.variant, own)


def study_names() -> list[str]:
    """The studies that there are: folders with a ``study.yaml``."""
    return sorted(path.parent.name for path in resolve("studies").glob("*/study.yaml"))


def study_path(name: str) -> Path:
    """A study's file.

    Raises:
        ConfigError: there is no study of that name; the message lists those there are.
    """
    check_known("study", name, study_names())
    return resolve(f"studies/{name}/study.yaml")


def load_study(name: str) -> Study:
    """The study ``studies/<name>/study.yaml``.

    Raises:
        ConfigError: there is none, a key is unknown, missing or of the wrong type, or the run
            parameters cannot be combined.
    """
    return read_study(study_path(name))


def read_study(path: Path, text: str | None = None, whole: bool = False) -> Study:
    """The study that ``path`` holds, or is to hold where ``text`` is given; as `load_study`.

    ``whole``: with all the data that it defines, chosen for its runs or not.
    """
    values = _joined(path, read_yaml(path, text))
    if whole:
        values.pop("datasets", None)
    where = from_root(path)
    check_keys(where, values, KEYS)
    if missing := [key for key in ("title", *OF_THE_VARIANTS, "data", "run") if key not in values]:
        raise ConfigError(f"{where}: lacks {', '.join(missing)}")
    labels, parameters = read_variants(where, values["variants"])
    parameters = {name: beside(own, path.parent) for name, own in parameters.items()}
    study = Study(
        safe_name(f"{where}: the folder", path.parent.name),
        heading(f"{where}: title", values["title"]),
        read_definitions(where, values["data"], values.get("datasets")),
        tuple(labels),
        labels,
        parameters,
        values["reference"],
        whole_numbers(f"{where}: trials", values.get("trials", [0])),
        () if values["seeds"] == WORLD else whole_numbers(f"{where}: seeds", values["seeds"]),
        beside(run_parameters(f"{where}: run", values["run"]), path.parent),
        values.get("variants_of", ""),
        values.get("data_of", ""),
        read_contrasts(f"{where}: contrasts", values.get("contrasts", {}), labels),
        texts(f"{where}: peers", values["peers"]) if "peers" in values else (),
    )
    check_known(f"reference in {where}", study.reference, study.variants)
    for definition in study.data.values():
        if wrong := [trial for trial in study.trials if trial not in definition.splits]:
            raise ConfigError(
                f"{where}: trials = {wrong}: {definition.reader} has {[*definition.splits]} to train on"
            )
    for dataset in study.data:
        for variant in study.variants:
            try:
                resolve_run(study, dataset, variant)
            except ConfigError as error:
                raise ConfigError(f"{where}: variant {variant}: {error}") from error
    if study.variants_of and (told := with_epochs(study.variants, parameters)):
        check_epochs(where, told, load_study(study.variants_of).run, study.run)
    return study


def resolve_run(
    study: Study, dataset: str, variant: str, *overrides: Mapping[str, Any]
) -> RunConfig:
    """One run's parameters: defaults, then the study's, the variant's, and ``overrides``.

    Raises:
        ConfigError: the dataset or variant is unknown, or a parameter is wrong.
    """
    variants = {**load_variants(), **study.parameters}
    check_known("dataset", dataset, study.data)
    check_known("variant", variant, variants)
    definition = study.data[dataset]
    sizes = {"height": definition.height, "width": definition.width}
    names = {"dataset": dataset, "variant": variant, "data_folder": f"data/packed/{dataset}"}
    return RunConfig.from_mapping(names, sizes, study.run, variants[variant], *overrides)


def find_study(dataset: str) -> Study:
    """The study whose own file defines ``dataset``, with all the data that it defines.

    A dataset has one home, which others take it from (``data_of``). Its recipe is meant where a
    dataset is named and no study: by a notebook's parameters, by the rankings that need no training.

    Raises:
        ConfigError: no study defines a dataset of that name, or several do.
    """
    defined: dict[str, Mapping[str, Any]] = {}
    for name in study_names():
        where = f"studies/{name}/study.yaml"
        with passing_over(name):
            safe_name(f"{where}: the folder", name)
            defined[where] = mapping(f"{where}: data", read_yaml(resolve(where)).get("data", {}))
    check_known("dataset", dataset, {key for own in defined.values() for key in own})
    homes = [where for where, own in defined.items() if dataset in own]
    if len(homes) > 1:
        raise ConfigError(
            f"dataset {dataset!r} is defined in {' and in '.join(homes)}; one study defines it: let "
            "the others take it from there (data_of), or give theirs another name"
        )
    return read_study(resolve(homes[0]), whole=True)


def study_on(name: str, on: str = "") -> Study:
    """The study with the variants of ``name`` on the data of ``on``, called ``<name>-<on>``.

    Where that has no file, it is what `write_study_on` would write. Without ``on`` it is the study
    itself.

    Raises:
        ConfigError: one of them is no study, or their parameters cannot be combined.
    """
    if not on:
        return load_study(name)
    path = resolve(f"studies/{name}-{on}/study.yaml")
    return read_study(path, None if path.is_file() else _text_on(name, on))


def write_study_on(name: str, on: str) -> Study:
    """`study_on`, with its file made where there is none."""
    study, path = study_on(name, on), resolve(f"studies/{name}-{on}/study.yaml")
    if on and not path.is_file():
        write_text(path, _text_on(name, on))
    return study


def _text_on(name: str, on: str) -> str:
    title = read_yaml(study_path(name)).get("title", name)
    study_path(on)
    return (
        f'# Made by: make study STUDY={name} ON={on}\ntitle: "{title}, on {on}"\n'
        f"variants_of: {name}\ndata_of: {on}\n"
    )


def _joined(path: Path, values: dict[str, Any]) -> dict[str, Any]:
    """``values`` with what they take from other studies; their own keys win, ``run`` is joined."""
    taken: dict[str, Any] = {}
    of_the_variants = (*OF_THE_VARIANTS, "contrasts")
    for key, parts in (("variants_of", of_the_variants), ("data_of", OF_THE_DATA)):
        if key not in values:
            continue
        other = study_path(plain_text(f"{from_root(path)}: {key}", values[key]))
        if other == path:
            raise ConfigError(f"{from_root(path)}: {key} = {values[key]!r}: is this study itself")
        theirs = read_yaml(other)
        if key in theirs:
            raise ConfigError(
                f"{from_root(path)}: {key} = {values[key]!r}: that study takes them from "
                f"{theirs[key]!r}; name that one"
            )
        taken |= {part: placed(theirs[part], other.parent) for part in parts if part in theirs}
    for part in ("data", "run"):
        if part in taken and isinstance(values.get(part), dict) and isinstance(taken[part], dict):
            values = {**values, part: {**taken[part], **values[part]}}
    if "variants" in values and "variants" in taken:
        raise ConfigError(f"{from_root(path)}: has variants of its own and variants_of; keep one")
    return {**taken, **values}
