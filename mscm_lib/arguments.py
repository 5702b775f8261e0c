"""What `mscm` is told: checked before anything heavy is imported, and refused in one line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from mscm_lib.claims import Claimed
from mscm_lib.coercion import LONGEST
from mscm_lib.config import unknown_key
from mscm_lib.errors import ConfigError, StudyError
from mscm_lib.paths import absent, existing, located, resolve

Checked = TypeVar("Checked")
Add = Callable[..., "Parser"]
"""Adds a command by its name, the function that runs it, a line of help, and what follows that."""


class Parser(argparse.ArgumentParser):
    """A parser that answers a mistake with one line and the nearest name; exit status 2."""

    def __init__(self, **settings: Any) -> None:
        self.commands: dict[str, Parser] = {}
        super().__init__(
            allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter, **settings
        )

    def parse(self, arguments: Sequence[str] | None) -> argparse.Namespace:
        """The options of a command, whose own parser is among them as ``parser``.

        Options that there are not are named before any value is looked at.
        """
        given = list(sys.argv[1:] if arguments is None else arguments)
        command = self.commands.get(given[0], self) if given else self
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
        if text.isdecimal() and len(text) <= LONGEST and int(text) >= least:
            return int(text)
        short = f"{text[:40]!r}: expected a whole number, {least} or more"
        raise argparse.ArgumentTypeError(
            short + f", of up to {LONGEST} digits" * (len(text) > LONGEST)
        )

    return read


def share(text: str) -> float:
    """A reader of numbers from 0 to below 1."""
    with suppress(ValueError):
        if 0 <= float(text) < 1:
            return float(text)
    raise argparse.ArgumentTypeError(f"{text!r}: expected a number from 0 to below 1")


def a_study(text: str) -> str:
    """A reader of names of studies."""
    from mscm_lib.study.settings import study_path

    _checked(study_path, text)
    return text


def a_run(text: str) -> str:
    """A reader of names of the plan's runs."""
    from mscm_lib.study.plan import planned

    _checked(lambda run: planned(run, "evaluate"), text)
    return text


def a_dataset(text: str) -> tuple[str, Path]:
    """A reader of datasets: the text and its folder, the plan's packed one of that name or any other."""
    return text, _checked(_dataset_folder, text)


def _dataset_folder(name: str) -> Path:
    planned = sorted(path.stem for path in resolve("plan/data").glob("*.yaml"))
    if name in planned:
        if (packed := resolve(f"data/packed/{name}")).is_dir():
            return packed
        raise ConfigError(f"{packed}: no such folder; pack it with: mscm prepare {name}")
    if (folder := located(name)).is_dir():
        return folder
    unknown = unknown_key("dataset of the plan", name, planned)
    raise ConfigError(f"{absent(name, 'folder')}; nor is it packed: {unknown}")


def a_claim(text: str) -> Claimed:
    """A reader of claimed figures."""
    return _checked(Claimed.read, text)


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
