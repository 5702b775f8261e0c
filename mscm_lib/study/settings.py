"""What a study covers: params.yaml and variants.yaml, read and checked as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mscm_lib.config import RunConfig, unknown_key
from mscm_lib.errors import ConfigError
from mscm_lib.paths import resolve
from mscm_lib.study.presets import (
    STUDY_KEYS,
    load_variants,
    parse,
    placed_studies,
    preset_paths,
    study_text,
    study_text_on,
)

READERS = ("generated", "sysu", "regdb", "llcm", "table")


@dataclass(frozen=True)
class DataDefinition:
    """One entry of params.yaml's ``data``: where images come from and the size they are packed at.

    Attributes:
        key: the entry's name, and the folder's below ``data/packed``.
        reader: generated, sysu, regdb, llcm or table.
        source: what the packed arrays are made from; a folder of images, or for the generated
            benchmark the code that draws it.
        height, width: pixels.
        settings: the generator's knobs, or a table's protocol; empty for the official datasets.
    """

    key: str
    reader: str
    source: str
    height: int
    width: int
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """The folder of packed arrays, absolute."""
        return resolve(f"data/packed/{self.key}")

    @classmethod
    def from_mapping(cls, key: str, values: Mapping[str, Any]) -> DataDefinition:
        """Checked definition; raises `ConfigError` naming the key that is wrong."""
        known = ["reader", "source", "height", "width", "settings"]
        for name in values:
            if name not in known:
                raise ConfigError(unknown_key(f"key in params.yaml's data.{key}", name, known))
        missing = [name for name in known[:4] if name not in values]
        if missing:
            raise ConfigError(f"params.yaml: data.{key} lacks {', '.join(missing)}")
        if values["reader"] not in READERS:
            raise ConfigError(unknown_key(f"reader in data.{key}", values["reader"], list(READERS)))
        if values["reader"] == "table":
            from mscm_lib.data.table_protocol import TableProtocol

            TableProtocol.from_mapping(values.get("settings", {}))
        return cls(key, **values)


@dataclass(frozen=True)
class RunName:
    """One training of a study: which data, which variant, which split, which seed."""

    dataset: str
    variant: str
    trial: int
    seed: int

    @property
    def folder(self) -> str:
        """The run's folder below ``runs/train`` and ``runs/evaluate``."""
        return f"{self.dataset}/{self.variant}-t{self.trial}-s{self.seed}"


@dataclass(frozen=True)
class Study:
    """A study: the product of datasets, variants, trials and seeds, with common parameters."""

    name: str
    title: str
    data: Mapping[str, DataDefinition]
    variants: tuple[str, ...]
    trials: tuple[int, ...]
    seeds: tuple[int, ...]
    run: Mapping[str, Any]
    reference: str  # the variant that the others are compared with

    def runs(self) -> Iterator[RunName]:
        """Every training of the study, datasets first."""
        for dataset in self.data:
            for variant in self.variants:
                for trial in self.trials:
                    for seed in self.seeds:
                        yield RunName(dataset, variant, trial, seed)


def load_study(path: Path | str = "params.yaml") -> Study:
    """The study that ``path`` describes.

    Raises:
        ConfigError: a key is unknown, missing or of the wrong type, a variant is not in
            variants.yaml, or the run parameters cannot be combined.
    """
    return check_study(path, study_text(path))


def check_study(path: Path | str, text: str) -> Study:
    """The study that ``text`` describes, which stands or is to stand in ``path``; as `load_study`."""
    values = parse(resolve(path), text)
    for key in values:
        if key not in STUDY_KEYS:
            raise ConfigError(unknown_key(f"key in {path}", key, list(STUDY_KEYS)))
    missing = [key for key in STUDY_KEYS if key not in values]
    if missing:
        raise ConfigError(f"{path}: lacks {', '.join(missing)}")
    data = {key: DataDefinition.from_mapping(key, v) for key, v in values["data"].items()}
    if list(data) != list(values["datasets"]):
        raise ConfigError(
            f"{path}: datasets = {values['datasets']} but data defines {list(data)}; "
            "list the same names in the same order (DVC multiplies `datasets`)"
        )
    study = Study(
        values["study"],
        values["title"],
        data,
        tuple(values["variants"]),
        tuple(values["trials"]),
        tuple(values["seeds"]),
        values["run"],
        values["reference"],
    )
    for dataset in data:
        for variant in study.variants:
            resolve_run(study, dataset, variant)
    if study.reference not in study.variants:
        raise ConfigError(
            f"{path}: reference = {study.reference!r}: expected one of {list(study.variants)}"
        )
    return study


def resolve_run(
    study: Study, dataset: str, variant: str, *overrides: Mapping[str, Any]
) -> RunConfig:
    """One run's parameters: defaults, then the study's, the variant's, and ``overrides``.

    Raises:
        ConfigError: the dataset or variant is unknown, or a parameter is wrong.
    """
    if dataset not in study.data:
        raise ConfigError(unknown_key("dataset", dataset, list(study.data)))
    variants = load_variants()
    if variant not in variants:
        raise ConfigError(unknown_key("variant", variant, list(variants)))
    definition = study.data[dataset]
    sizes = {"height": definition.height, "width": definition.width}
    names = {"dataset": dataset, "variant": variant, "data_folder": f"data/packed/{dataset}"}
    return RunConfig.from_mapping(names, sizes, study.run, variants[variant], *overrides)


def find_study(dataset: str) -> Study:
    """The study that defines ``dataset``: the chosen one, else the first preset that has it.

    Raises:
        ConfigError: no study has a dataset of that name.
    """
    known: list[str] = []
    paths: list[Path | str] = ["params.yaml", *preset_paths()]
    for path in paths:
        study = load_study(path)
        if dataset in study.data:
            return study
        known += list(study.data)
    raise ConfigError(unknown_key("dataset", dataset, sorted(set(known))))


def study_named(name: str) -> Study:
    """The study of that name: the chosen one, a preset's, or an experiment on a preset's data.

    Raises:
        ConfigError: there is none; the message lists those there are.
    """
    known = []
    for path in (Path("params.yaml"), *preset_paths()):
        study = load_study(path)
        if study.name == name:
            return study
        known.append(study.name)
    placed = placed_studies()
    if name in placed:
        experiment, on = placed[name]
        return check_study(f"presets/{experiment}.yaml", study_text_on(experiment, on))
    raise ConfigError(unknown_key("study", name, sorted({*known, *placed})))
