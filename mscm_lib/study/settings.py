"""What a study covers: params.yaml and variants.yaml, read and checked as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from mscm_lib.config import RunConfig, unknown_key
from mscm_lib.errors import ConfigError
from mscm_lib.paths import project_root, resolve

READERS = ("generated", "sysu", "regdb", "llcm")
STUDY_KEYS = (
    "study", "title", "data", "datasets", "variants", "reference", "trials", "seeds", "run"
)  # fmt: skip


@dataclass(frozen=True)
class DataDefinition:
    """One entry of params.yaml's ``data``: where images come from and the size they are packed at.

    Attributes:
        key: the entry's name, and the folder's below ``data/packed``.
        reader: generated, sysu, regdb or llcm.
        source: what the packed arrays are made from; a folder of images, or for the generated
            benchmark the code that draws it.
        height, width: pixels.
        settings: the generator's knobs; empty for real datasets.
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
    values = _parse(resolve(path), study_text(path))
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


def study_text(path: Path | str) -> str:
    """A study's description as params.yaml keeps it: a preset joined with what it is based on.

    A preset may begin with ``base: name.yaml``, a file beside it that it shares with other presets.
    Its own keys win; the entries of mappings (``data``, ``run``) are joined, and of ``data`` those
    that ``datasets`` names are kept.

    Raises:
        ConfigError: the file or its base is missing or no YAML.
    """
    path = resolve(path)
    text = _read(path)
    first, _, rest = text.partition("\n")
    if not first.startswith("base: "):
        return text
    base = path.with_name(first.removeprefix("base: ").strip())
    values = _parse(base, _read(base))
    for key, value in _parse(path, rest).items():
        joined = values.get(key)
        values[key] = {**joined, **value} if isinstance(joined, dict) else value
    values["data"] = {k: v for k, v in values["data"].items() if k in values["datasets"]}
    ordered = {key: values[key] for key in STUDY_KEYS if key in values} | values
    head = f"# presets/{path.name} on presets/{base.name}, joined by: mscm preset {path.stem}\n"
    return head + yaml.safe_dump(ordered, sort_keys=False, allow_unicode=True, width=100)


def load_variants() -> dict[str, dict[str, Any]]:
    """Variants by name: the run parameters in which each departs from the paper's recipe."""
    path = project_root() / "variants.yaml"
    return deepcopy(_parse_once(path, _read(path)))


@cache
def _parse_once(path: Path, text: str) -> dict[str, Any]:
    """`_parse`, remembered: a study asks for its variants once a run, and parsing takes 10 ms."""
    return _parse(path, text)


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
    """The study of that name: the chosen one, or a preset's.

    Raises:
        ConfigError: there is none; the message lists those there are.
    """
    known = []
    for path in (Path("params.yaml"), *preset_paths()):
        study = load_study(path)
        if study.name == name:
            return study
        known.append(study.name)
    raise ConfigError(unknown_key("study", name, sorted(set(known))))


def preset_paths() -> list[Path]:
    """The presets' files, by name; files that others are based on begin with an underscore."""
    return sorted((project_root() / "presets").glob("[a-z]*.yaml"))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such file; expected the study's parameters") from error


def _parse(path: Path, text: str) -> dict[str, Any]:
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not readable as YAML: {error}") from error
    if not isinstance(values, dict):
        raise ConfigError(
            f"{path}: expected a mapping of parameters, found {type(values).__name__}"
        )
    return values
