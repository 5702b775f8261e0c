"""A study file's text and values, each checked for its kind; errors name the place in the file."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML, YAMLError

from mscm_lib.coercion import LEAST, MOST, shown
from mscm_lib.config import check_known
from mscm_lib.errors import ConfigError
from mscm_lib.paths import from_root

# Names become folders, DVC's targets and parts of its overrides (`-S`), where ".", "+", "=", "[" and
# a digit in front mean something else.
_NAME = re.compile(r"[a-z][a-z0-9]*([_-][a-z0-9]+)*")


def check_keys(where: str, values: Mapping[str, Any], known: tuple[str, ...]) -> None:
    """Refuse a key that is not among ``known``."""
    for key in values:
        check_known(f"key in {where}", key, known)


def mapping(where: str, value: Any, empty: bool = True) -> Mapping[str, Any]:
    """``value`` where it maps names to values."""
    if not isinstance(value, Mapping) or not (empty or value):
        raise ConfigError(f"{where} = {value!r}: expected a mapping of names to values")
    return value


def plain_text(where: str, value: Any) -> str:
    """``value`` where it is text that says something."""
    if not isinstance(value, str) or not value.strip():
        raise ConfigError(f"{where} = {value!r}: expected text")
    return value


def heading(where: str, value: Any) -> str:
    """``value`` where it is text for a heading or a table's cell in Markdown."""
    if len(plain_text(where, value).splitlines()) > 1 or "|" in value:
        raise ConfigError(f"{where} = {value!r}: expected one line of text, without '|'")
    return str(value)


def safe_name(where: str, value: Any) -> str:
    """``value`` where it may name a folder, a stage and a part of DVC's overrides."""
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ConfigError(
            f"{where}: name {value!r}: expected small letters and digits, a letter first, parts "
            "joined by hyphens"
        )
    return value


def texts(where: str, value: Any) -> tuple[str, ...]:
    """``value`` where it lists texts, none twice."""
    return _listed(where, value, lambda each: isinstance(each, str) and each.strip(), "names")


def whole_numbers(where: str, value: Any) -> tuple[int, ...]:
    """``value`` where it lists whole numbers, 0 or more, none twice."""
    kind = "whole numbers, 0 or more"
    return _listed(where, value, lambda each: type(each) is int and each >= 0, kind)


def _listed(where: str, value: Any, good: Callable[[Any], Any], kind: str) -> tuple[Any, ...]:
    whole = isinstance(value, list) and value and len({*map(repr, value)}) == len(value)
    if not whole or not all(map(good, value)):
        raise ConfigError(f"{where} = {value!r}: expected a list of {kind}, no repeats")
    return tuple(value)


def read_yaml(path: Path, text: str | None = None) -> dict[str, Any]:
    """The mapping that a YAML file holds, read as DVC reads YAML; repeated keys are refused.

    Raises:
        ConfigError: the file is missing, is no YAML, or holds no mapping.
    """
    if text is None:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is no text in UTF-8"
            raise ConfigError(f"{from_root(path)}: could not be read ({reason})") from error
    return deepcopy(_parsed(from_root(path), text))


@cache
def _parsed(where: str, text: str) -> dict[str, Any]:
    """Remembered: a plan asks for the same files for every run."""
    try:
        values = YAML(typ="safe").load(text)
        _check_numbers(where, values)
    except ConfigError:
        raise
    except (YAMLError, ValueError, RecursionError) as error:
        told = getattr(error, "problem", None) or str(error)
        mark = getattr(error, "problem_mark", None)
        place = f" in line {mark.line + 1}" if mark else ""
        raise ConfigError(f"{where}: not readable as YAML: {told}{place}") from error
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise ConfigError(f"{where}: expected names with values, found {type(values).__name__}")
    return values


_PASSED_OVER = set[str]()


@contextmanager
def passing_over(name: str) -> Iterator[None]:
    """Say what is wrong with a study that nobody asked for, once, and go on without it."""
    try:
        yield
    except ConfigError as error:
        if name not in _PASSED_OVER:
            print(f"warning: {error}. Went on without this study", file=sys.stderr)
        _PASSED_OVER.add(name)


def _check_numbers(where: str, value: Any, key: str = "") -> None:
    """Refuse numbers that are infinite, none at all, or larger than any seed."""
    if isinstance(value, (dict, list)):
        for name, each in value.items() if isinstance(value, dict) else enumerate(value):
            place = f"{key}[{name}]" if isinstance(value, list) else f"{key}.{name}"
            _check_numbers(where, each, place.lstrip("."))
    elif isinstance(value, (int, float)) and not LEAST <= value <= MOST:
        raise ConfigError(
            f"{where}: {key} = {shown(value)}: expected a number from -2**63 to 2**64 - 1"
        )
