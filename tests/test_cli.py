"""The command line: quick where nothing is computed, explained, and safe on any terminal."""

import errno
import io
import json
import subprocess
import sys
from unittest.mock import Mock

import pytest

from mscm_lib import __version__, cli
from mscm_lib.commands import study
from mscm_lib.errors import StudyError

HEAVY = {"torch", "torchvision", "pandas", "scipy", "sklearn", "faiss", "onnxruntime", "papermill",
         "matplotlib", "timm", "dvc", "numpy"}  # fmt: skip
ASK = """
import contextlib, io, json, sys
from mscm_lib import cli
sys.stdout, out = io.StringIO(), sys.stdout
for arguments in json.loads(sys.argv[1]):
    with contextlib.suppress(SystemExit):
        cli.main(arguments)
print(json.dumps(sorted(sys.modules)), file=out)
"""


def modules_of(*lines):
    """What a process has imported after it was given these command lines."""
    ran = subprocess.run([sys.executable, "-c", ASK, json.dumps([line.split() for line in lines])],
                         capture_output=True, text=True, check=True)  # fmt: skip
    return set(json.loads(ran.stdout))


def test_help_and_mistakes_import_nothing_heavy():
    lines = ["", "--help", "--version", "run --help", "serch", "search a b infared", "index",
             "doctor sysu no/folder", "enter llcm no/folder", "run train no-run",
             "run reference no-set", "run trian x", "tables quik", "figures quik", "reports quik",
             "rankings quik", "study quik", "study quick --on quik", "check no/file", "audit --help",
             "audit no/file quick --claim map=1", "audit README.md quik --claim map=1",
             "audit README.md tests --claim mpa=1", "across no-run --on tests",
             "across quick-mscmnet-t0-s0 --on quik", "index quick-mscmnet-t0-s0 --false-match 1"]  # fmt: skip
    assert not HEAVY & modules_of(*lines)


def refused(capsys, line):
    with pytest.raises(SystemExit) as stopped:
        cli.main(line.split())
    assert stopped.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("emulat", "emulate"),
        ("Study quick", "study"),
        ("doctor regbd .", "regdb"),
        ("run evalute x", "evaluate"),
        ("emulate sysu x --scale minature", "miniature"),
        ("study quick --job 2", "--jobs"),
        ("search tests README.md visible --camra=3", "--camera"),
        ("audit README.md tests --claim rnak1=5", "rank1"),
        ("across quick-mscmnet-t0-s0 --on quik", "quick"),
    ],
)
def test_a_misspelt_word_is_met_with_the_right_one(capsys, line, meant):
    assert f"did you mean {meant!r}?" in refused(capsys, line)


@pytest.mark.parametrize("number", ["9" * 19, "9" * 5000])
@pytest.mark.parametrize("option", ["--identity", "--camera"])
def test_a_number_beyond_64_bits_is_refused(capsys, option, number):
    said = refused(capsys, f"search tests README.md visible {option} {number}")
    assert "expected a whole number" in said and "of up to 18 digits" in said


LONG = "x" * 300


@pytest.mark.parametrize(
    "line",
    ["doctor sysu LONG", "doctor table README.md --data LONG", "check LONG", "check LONG/a",
     "audit LONG quick --claim map=1", "audit README.md LONG --claim map=1", "export LONG out",
     "emulate regdb LONG", "emulate table some/LONG", "search tests LONG visible", "enter llcm LONG",
     "run train LONG", "prepare LONG", "index LONG", "study LONG"],
)  # fmt: skip
def test_a_name_that_is_too_long_is_one_line(capsys, line):
    try:
        assert cli.main(line.replace("LONG", LONG).split()) == 2
    except SystemExit as stopped:
        assert stopped.code == 2
    out, err = capsys.readouterr()
    assert err.startswith("error: ") and err.count("\n") == 1 and not out


def test_a_path_that_the_system_bars_is_one_line_and_other_failures_are_not_hidden(
    capsys, monkeypatch, tmp_path
):
    def planning_raises(error):
        monkeypatch.setattr(study, "_plan", Mock(side_effect=error))

    file = str(tmp_path / "list.txt")
    planning_raises(PermissionError(errno.EACCES, "Permission denied", file))
    assert cli.main(["plan"]) == 2
    said = f"error: {file}: cannot be opened (Permission denied); ask its owner"
    assert capsys.readouterr().err.startswith(said)
    for error in (PermissionError(errno.EACCES, "?"), OSError(errno.EIO, "?", file)):
        planning_raises(error)
        with pytest.raises(OSError, match=r"\?"):
            cli.main(["plan"])


def test_nothing_like_it_is_no_suggestion(capsys):
    assert "did you mean" not in refused(capsys, "xyzzy")


def test_no_command_is_help_and_a_version_is_told(capsys):
    assert cli.main([]) == 0
    assert "commands" in capsys.readouterr().out
    with pytest.raises(SystemExit) as stopped:
        cli.main(["--version"])
    assert not stopped.value.code and __version__ in capsys.readouterr().out


def test_every_command_and_argument_is_explained():
    actions = cli._parser()._actions
    commands = next(a for a in actions if a.metavar == "command").choices
    assert len(commands) > 10
    for name, command in commands.items():
        assert command.description, name
        for action in command._actions:
            assert action.help, (name, action.dest)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_what_a_terminal_cannot_show_is_no_error(monkeypatch, encoding):
    streams = {name: io.TextIOWrapper(io.BytesIO(), encoding=encoding) for name in ("out", "err")}
    for name, stream in streams.items():
        monkeypatch.setattr(sys, f"std{name}", stream)

    def call(options):
        print("384 × 192 – 人 ✓ \udcff")  # the last: a byte of a file's name that is no text
        raise StudyError("naïve → 人: \x1b[31mred\x1b[0m")

    monkeypatch.setattr(study, "_plan", call)
    assert cli.main(["plan"]) == 2
    out, err = (stream.buffer.getvalue() for stream in streams.values() if stream.flush() is None)
    assert out.startswith(b"384 ") and b"\\udcff" in out
    assert err.startswith(b"error: ") and b"\x1b" not in err
