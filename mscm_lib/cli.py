"""The ``mscm`` command: what the Makefile and the pipeline's stages call."""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Sequence

from mscm_lib import __version__
from mscm_lib.arguments import Parser
from mscm_lib.commands import data, scoring, searching, study
from mscm_lib.errors import StudyError
from mscm_lib.paths import BARRED, barred


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand; a `StudyError` becomes one line on standard error and exit status 2."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal's encoding may lack a character
            stream.reconfigure(errors="backslashreplace")
    try:
        options = _parser().parse(arguments)
        status = options.call(options) or 0
        sys.stdout.flush()
        return status
    except StudyError as error:
        said = re.sub(r"\x1b\[[\d;]*[A-Za-z]", "", str(error))  # a library's own colours
        print(f"error: {said}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever reads has enough: mscm search ... | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if error.errno not in BARRED or not error.filename:
            raise
        print(f"error: {barred(error)}", file=sys.stderr)
        return 2


def _parser() -> Parser:
    parser = Parser(
        prog="mscm", description="A study of MSCMNet: make it, look into it, search with it."
    )
    parser.add_argument("--version", action="version", version=f"mscm {__version__}")
    parser.set_defaults(call=lambda options: options.parser.print_help(), parser=parser)
    commands = parser.add_subparsers(title="commands", metavar="command", dest="command")

    def add(name: str, call: object, text: str, more: str = "") -> Parser:
        command: Parser = commands.add_parser(name, help=text, description=f"{text}\n\n{more}")
        command.set_defaults(call=call, parser=command)
        parser.commands[name] = command
        return command

    for group in (study, searching, scoring, data):
        group.declare(add)
    return parser


if __name__ == "__main__":
    sys.exit(main())
