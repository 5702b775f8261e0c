"""A git filter that keeps outputs out of git: notebooks enter stripped, and leave as they are.

Set-up copies this file into the repository's git folder and names it in git's configuration, so
that it works in every worktree and at every commit. It needs nothing but Python's standard library.

    notebook_filter.py process   git's long-running form (gitattributes(5)): one process for all files
    notebook_filter.py clean     one notebook from standard input to standard output

What it writes is what `nbstripout --keep-id --extra-keys metadata.language_info` writes, except that
no cell can ask to keep its outputs. What is no notebook passes only if no output can be in it, such
as one with conflict marks; else git is told that the filter failed, and refuses the file.
"""

from __future__ import annotations

import json
import re
import sys
from typing import Any, BinaryIO

LARGEST = 65516  # bytes that one packet can hold
TOP = ("language_info", "signature", "widgets", "orig_nbformat", "orig_nbformat_minor")
CELL = (
    "collapsed",
    "ExecuteTime",
    "execution",
    "heading_collapsed",
    "hidden",
    "scrolled",
    "trusted",
)
SPLIT = ("application/javascript", "image/svg+xml")  # kept a line a string, as every text/ kind


def strip(raw: bytes) -> bytes:
    """A notebook's bytes without outputs, counters and what a machine or a look at it leaves behind.

    Raises:
        ValueError: it cannot be read, and may hold outputs.
    """
    text = raw.decode("utf-8-sig")
    try:
        notebook = json.loads(text)
        _strip(notebook)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        if _holds_no_output(text):
            return raw
        raise ValueError(f"not a notebook of format 4 ({type(error).__name__}: {error})") from error
    text = json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False)
    return (text + "\n").encode("utf-8")


def _strip(notebook: dict[str, Any]) -> None:
    if notebook["nbformat"] != 4:
        raise ValueError(f"nbformat is {notebook['nbformat']}")
    for key in TOP:
        notebook["metadata"].pop(key, None)
    for cell in notebook["cells"]:
        if "outputs" in cell:
            cell["outputs"] = []
        if "execution_count" in cell:
            cell["execution_count"] = None
        for key in CELL:
            cell["metadata"].pop(key, None)
        cell["source"] = _lines(cell["source"])
        for attachment in cell.get("attachments", {}).values():
            for kind, value in attachment.items():
                if kind.startswith("text/") or kind in SPLIT:
                    attachment[kind] = _lines(value)
                elif not kind.endswith("json"):
                    attachment[kind] = "".join(value)


def _lines(text: str | list[str]) -> list[str]:
    """Text as the format keeps it: one string a line, with the line's end."""
    return ("".join(text)).splitlines(keepends=True)


def _holds_no_output(text: str) -> bool:
    """Whether this is text in which every list of outputs and every counter is visibly empty."""
    outputs = re.findall(r'"outputs"(?:\s*:\s*\[\s*\])?', text)
    counters = re.findall(r'"execution_count"(?:\s*:\s*null)?', text)
    return (
        "\0" not in text  # UTF-16, in which nothing would be found
        and all(found.endswith("]") for found in outputs)
        and all(found.endswith("null") for found in counters)
    )


def serve(read: BinaryIO, write: BinaryIO) -> None:
    """Answer git's requests until it closes the pipe."""
    _expect(read, "git-filter-client", "version=2")
    _send(write, "git-filter-server", "version=2")
    _texts(read)
    _send(write, "capability=clean", "capability=smudge")
    while (request := _texts(read)) is not None:
        about = dict(line.split("=", 1) for line in request)
        content = b"".join(_packets(read) or [])
        try:
            if about["command"] == "clean":
                content = strip(content)
        except ValueError as error:
            print(f"{about.get('pathname')}: {error}; git does not take it", file=sys.stderr)
            _send(write, "status=error")
            continue
        _send(write, "status=success")
        for start in range(0, len(content), LARGEST):
            _packet(write, content[start : start + LARGEST])
        _send(write)  # the end of the content
        _send(write)  # the status stays as it is


def _packets(read: BinaryIO) -> list[bytes] | None:
    """The packets up to the next flush; None when the other side has closed the pipe."""
    found: list[bytes] = []
    while size := read.read(4):
        if size == b"0000":
            return found
        found.append(read.read(int(size, 16) - 4))
    if found:
        raise EOFError("git closed the pipe in the middle of a request")
    return None


def _texts(read: BinaryIO) -> list[str] | None:
    packets = _packets(read)
    if packets is None:
        return None
    return [packet.decode("utf-8", "surrogateescape").rstrip("\n") for packet in packets]


def _expect(read: BinaryIO, *lines: str) -> None:
    if _texts(read) != list(lines):
        sys.exit("notebook_filter.py process: to be started by git")


def _packet(write: BinaryIO, content: bytes) -> None:
    write.write(b"%04x" % (len(content) + 4) + content)


def _send(write: BinaryIO, *lines: str) -> None:
    """Lines of text, then a flush packet."""
    for line in lines:
        _packet(write, line.encode() + b"\n")
    write.write(b"0000")
    write.flush()


if __name__ == "__main__":
    if sys.argv[1:] == ["process"]:
        serve(sys.stdin.buffer, sys.stdout.buffer)
    elif sys.argv[1:] == ["clean"]:
        try:
            sys.stdout.buffer.write(strip(sys.stdin.buffer.read()))
        except ValueError as error:
            sys.exit(f"notebook_filter.py: {error}")
    else:
        sys.exit(__doc__)
