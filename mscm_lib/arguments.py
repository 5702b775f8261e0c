"""What `mscm` is told: checked before anything heavy is imported, and refused in one line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from mscm_lib.config import unknown_key
from mscm_lib.errors import StudyError
from mscm_lib.paths import existing

Checked = TypeVar("Checked")


class Parser(argparse.ArgumentParser):
    """A parser that answers a mistake with one line and the nearest name; exit status 2."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(
            allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter, **settings
        )

    def parse(self, arguments: Sequence[str] | None) -> argparse.Namespace:
        """The options of a command, whose own parser is among them as ``parser``.

        Options that there are not are named before any value is looked at.
        """
        given = list(sys.argv[1:] if arguments is None else arguments)
        command = self._named(given)
        options = command._option_string_actions
        for word in given[: given.index("--") if "--" in given else None]:
            name = word.partition("=")[0]
            if name.startswith("--") and name not in options:
                long = [option for option in options if option.startswith("--")]
                command.error(unknown_key("option", name, long))
        values, more = self.parse_known_args(given)
        if more:
            command.error(f"{more[0]!r} is one argument too many")
        return values

    def _named(self, given: Sequence[str]) -> Parser:
        """The parser of the command that is given, else this one."""
        choices = [action.choices for action in self._actions]
        commands = next(each for each in choices if isinstance(each, dict))
        return commands.get(given[0], self) if given else self

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and where help is, and end."""
        print(f"error: {message.rstrip('.')}; see: {self.prog} --help", file=sys.stderr)
        sys.exit(2)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        for each in value if isinstance(value, list) else [value]:
            if action.choices is not None and each not in action.choices:
                name = str(action.metavar or action.dest)
                raise argparse.ArgumentError(None, unknown_key(name, str(each), [*action.choices]))


def whole(least: int) -> Callable[[str], int]:
    """A reader of whole numbers from ``least`` on."""

    def read(text: str) -> int:
        if text.isdecimal() and int(text) >= least:
            return int(text)
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number, {least} or more")

    return read


def known(check: Callable[[str], object]) -> Callable[[str], str]:
    """A reader of names that ``check`` knows; the `StudyError` that it raises is the message."""

    def read(text: str) -> str:
        _checked(check, text)
        return text

    return read


def there(*kinds: str) -> Callable[[str], Path]:
    """A reader of paths that exist; see `paths.existing`."""
    return lambda text: _checked(lambda path: existing(path, *kinds), text)


def picture(text: str) -> str:
    """A reader of the path of a file that exists, or "-" for standard input."""
    return text if text == "-" else str(there("file")(text))


def _checked(check: Callable[[str], Checked], text: str) -> Checked:
    try:
        return check(text)
    except StudyError as error:
        raise argparse.ArgumentError(None, str(error)) from error
