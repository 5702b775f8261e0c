"""Presets as text: what params.yaml becomes when a study is chosen.

An experiment is a preset on ``_lab.yaml``, the generated people that all of them share. Its variants
and seeds can be put on the data and recipe of another preset, such as ``sysu``.
"""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from mscm_lib.config import unknown_key
from mscm_lib.errors import ConfigError
from mscm_lib.paths import project_root, resolve

STUDY_KEYS = (
    "study", "title", "data", "datasets", "variants", "reference", "trials", "seeds", "run"
)  # fmt: skip
_BASE = "base: "
_EXPERIMENT = f"{_BASE}_lab.yaml"
_OF_THE_DATA = ("data", "datasets", "trials", "run")


def preset_paths() -> list[Path]:
    """The presets' files, by name; files that others are based on begin with an underscore."""
    return sorted((project_root() / "presets").glob("[a-z]*.yaml"))


def preset_path(name: str) -> Path:
    """A preset's file.

    Raises:
        ConfigError: there is none of that name.
    """
    known = {path.stem: path for path in preset_paths()}
    if name not in known:
        raise ConfigError(unknown_key("preset", name, list(known)))
    return known[name]


def experiments() -> list[str]:
    """Names of the presets that are experiments: those on the common base."""
    return [p.stem for p in preset_paths() if read(p).startswith(_EXPERIMENT)]


def experiment_of(study: str) -> str:
    """The experiment that a study of that name is, on whatever data; "" if it is none."""
    return study if study in experiments() else placed_studies().get(study, ("", ""))[0]


def load_variants() -> dict[str, dict[str, Any]]:
    """Variants by name: the run parameters in which each departs from the paper's recipe."""
    path = project_root() / "variants.yaml"
    return deepcopy(_parse_once(path, read(path)))


def study_text(path: Path | str) -> str:
    """A study's description as params.yaml keeps it: a preset joined with what it is based on.

    A preset may begin with ``base: name.yaml``, a file beside it that it shares with other presets.
    Its own keys win; the entries of mappings (``data``, ``run``) are joined, and of ``data`` those
    that ``datasets`` names are kept.

    Raises:
        ConfigError: the file or its base is missing or no YAML.
    """
    path = resolve(path)
    text = read(path)
    first, _, rest = text.partition("\n")
    if not first.startswith(_BASE):
        return text
    base = path.with_name(first.removeprefix(_BASE).strip())
    values = parse(base, read(base))
    for key, value in parse(path, rest).items():
        joined = values.get(key)
        values[key] = {**joined, **value} if isinstance(joined, dict) else value
    values["data"] = {k: v for k, v in values["data"].items() if k in values["datasets"]}
    return _written(
        f"presets/{path.name} on presets/{base.name}, joined by: mscm preset {path.stem}", values
    )


def study_text_on(name: str, on: str) -> str:
    """An experiment's variants, reference and seeds on the data and recipe of the preset ``on``.

    The study is called ``<name>_<on>``.

    Raises:
        ConfigError: ``name`` is no experiment or is one on cameras of its own, or ``on`` is no
            preset with data of its own.
    """
    if name not in experiments():
        raise ConfigError(unknown_key("experiment", name, experiments()))
    where = [path.stem for path in preset_paths() if path.stem not in experiments()]
    if on not in where:
        raise ConfigError(unknown_key("preset to put an experiment on", on, where))
    path, other = preset_path(name), preset_path(on)
    values, theirs = parse(path, study_text(path)), parse(other, study_text(other))
    if "lab" not in values["datasets"]:
        raise ConfigError(f"{name} is about cameras of its own and cannot be put on {on!r}")
    variants = load_variants()
    if any("epochs" in variants.get(variant, {}) for variant in values["variants"]):
        raise ConfigError(
            f"{name} is about lengths of its own training and cannot be put on {on!r}"
        )
    values |= {key: theirs[key] for key in _OF_THE_DATA}
    values |= {"study": f"{name}_{on}", "title": f"{values['title']}, on {on}"}
    head = f"presets/{name}.yaml on the data of presets/{on}.yaml: mscm preset {name} --on {on}"
    return _written(head, values)


def placed_studies() -> dict[str, tuple[str, str]]:
    """Experiment and preset by the name of the study that the one on the other is."""
    known = experiments()
    own = [path.stem for path in preset_paths() if path.stem not in known]
    return {f"{experiment}_{on}": (experiment, on) for experiment in known for on in own}


def _written(head: str, values: dict[str, Any]) -> str:
    ordered = {key: values[key] for key in STUDY_KEYS if key in values} | values
    return f"# {head}\n" + yaml.safe_dump(ordered, sort_keys=False, allow_unicode=True, width=100)


def read(path: Path) -> str:
    """A file's text; raises `ConfigError` where there is none."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such file; expected the study's parameters") from error


def parse(path: Path, text: str) -> dict[str, Any]:
    """The mapping that ``text`` of ``path`` holds; raises `ConfigError` where it holds none."""
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not readable as YAML: {error}") from error
    if not isinstance(values, dict):
        raise ConfigError(
            f"{path}: expected a mapping of parameters, found {type(values).__name__}"
        )
    return values


@cache
def _parse_once(path: Path, text: str) -> dict[str, Any]:
    """`parse`, remembered: a study asks for its variants once a run, and parsing takes 10 ms."""
    return parse(path, text)
