"""Values as YAML, papermill and environments hand them over, made what a type wants."""

from __future__ import annotations

import operator
import typing
from contextlib import suppress
from math import isfinite
from typing import Any, Literal

from mscm_lib.errors import ConfigError


def typed(key: str, value: Any, hint: Any) -> Any:
    """``value`` as ``hint`` wants it; YAML's ``1e-4`` arrives as a string and becomes a number."""
    origin = typing.get_origin(hint)
    if origin is Literal:
        allowed = typing.get_args(hint)
        for option in allowed:
            if value == option or (isinstance(option, int) and value == str(option)):
                return option
        raise ConfigError(
            f"{key} = {shown(value)}: expected one of {', '.join(map(repr, allowed))}"
        )
    if origin is tuple:
        return _coerce_tuple(key, value, typing.get_args(hint)[0])
    return coerce(key, value, hint)


def _coerce_tuple(key: str, value: Any, item: Any) -> tuple[Any, ...]:
    if isinstance(value, str):  # papermill -p hands lists over as text: "25,90"
        parts = value.strip("[]() ").replace("'", "").split(",")
        value = [part.strip() for part in parts if part.strip()]
    if not isinstance(value, (list, tuple)):
        raise ConfigError(f"{key} = {shown(value)}: expected a list of {item.__name__}")
    return tuple(coerce(key, part, item) for part in value)


def coerce(key: str, value: Any, kind: type) -> Any:
    """``value`` as text, number or truth value; raises `ConfigError` where it is none."""
    if kind is bool and isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if kind in (bool, str):
        if isinstance(value, kind):
            return value
    elif kind is int and (whole := _whole(value)) is not None:
        if LEAST <= whole <= MOST:
            return whole
        raise ConfigError(
            f"{key} = {shown(value)}: expected a whole number from -2**63 to 2**64 - 1"
        )
    elif kind is float and not isinstance(value, bool):
        with suppress(TypeError, ValueError, OverflowError):
            if isfinite(number := float(value)):
                return number
    raise ConfigError(f"{key} = {shown(value)}: expected {_KINDS[kind]}")


LONGEST = 18  # digits of a whole number that 64 bits hold for certain
LEAST, MOST = -(2**63), 2**64 - 1
"""Whole numbers from here to there are read: those that PyTorch takes for a seed."""
_KINDS = {bool: "true or false", str: "text", float: "a finite number", int: "a whole number"}


def _whole(value: Any) -> int | None:
    """``value`` as a whole number, to its last digit, which a float would drop; None: it is none."""
    if isinstance(value, bool):
        return None
    with suppress(TypeError, ValueError):
        return int(value) if isinstance(value, str) else operator.index(value)
    with suppress(TypeError, ValueError, OverflowError):
        if float(value).is_integer():
            return int(float(value))
    return None


def shown(value: Any) -> str:
    """``value`` as an error shows it, cut off where it is long, as a number of 400 digits is."""
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:40]}… ({len(text)} characters)"
