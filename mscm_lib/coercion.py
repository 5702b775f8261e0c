"""Values as YAML, papermill and environments hand them over, made what a type wants."""

from __future__ import annotations

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
        raise ConfigError(f"{key} = {value!r}: expected one of {', '.join(map(repr, allowed))}")
    if origin is tuple:
        return _coerce_tuple(key, value, typing.get_args(hint)[0])
    return coerce(key, value, hint)


def _coerce_tuple(key: str, value: Any, item: Any) -> tuple[Any, ...]:
    if isinstance(value, str):  # papermill -p hands lists over as text: "25,90"
        parts = value.strip("[]() ").replace("'", "").split(",")
        value = [part.strip() for part in parts if part.strip()]
    if not isinstance(value, (list, tuple)):
        raise ConfigError(f"{key} = {value!r}: expected a list of {item.__name__}")
    return tuple(coerce(key, part, item) for part in value)


def coerce(key: str, value: Any, kind: type) -> Any:
    """``value`` as text, number or truth value; raises `ConfigError` where it is none."""
    if kind is bool and isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if kind in (bool, str):
        if isinstance(value, kind):
            return value
    elif not isinstance(value, bool):
        with suppress(TypeError, ValueError, OverflowError):
            number = float(value)
            if isfinite(number) and (kind is float or number.is_integer()):
                return kind(number)
    raise ConfigError(f"{key} = {value!r}: expected {_KINDS[kind]}")


_KINDS = {bool: "true or false", str: "text", float: "a finite number", int: "a whole number"}
