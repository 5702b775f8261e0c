"""The rows of a dataset's CSV: found, checked, numbered."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from typing import NamedTuple

from mscm_lib.config import unknown_key
from mscm_lib.data.faults import Findings
from mscm_lib.data.layouts.listed import LineProblem, Listed
from mscm_lib.data.layouts.listing import Tree, loosely, read_text
from mscm_lib.data.layouts.table_protocol import OPTIONAL, REQUIRED, SPLITS, TableProtocol

DELIMITERS = ",;\t|"
_NUMBER = re.compile(r"0*(\d+)(?:\.0+)?")  # spreadsheets and pandas make 12.0 of 12
_CAMERA = re.compile(r"([^\d]*?)[ _-]*0*(\d+)(?:\.0+)?")
_ONE_MEANING = "give each path one identity, camera and modality"


class Row(NamedTuple):
    """One image in one split of one trial; ``trial`` None: of all."""

    path: str
    identity: int
    camera: int
    infrared: bool
    split: str
    trial: int | None
    sequence: str


class _Line(NamedTuple):
    """A line of the CSV with its text by meaning."""

    where: str
    text: dict[str, str]


def read_rows(protocol: TableProtocol, tree: Tree, findings: Findings) -> list[Row]:
    """The usable rows of a CSV, in its order; whatever is wrong becomes a fatal finding.

    Separators may be commas, semicolons, tabs or bars; column names may differ in case. An identity
    is a whole number, or any name where none is a number: names are numbered in their order. A
    camera is a number, or a number behind one word: 3, 03, cam3.
    """
    lines = list(_lines(protocol, tree, findings))
    identities = _identities(protocol, [line.text["identity"] for line in lines], findings)
    listed = Listed(tree, folder=protocol.table)
    rows: list[Row] = []
    before: dict[str, Row] = {}
    prefixes: dict[int, str] = {}
    for line in lines:
        try:
            row = _row(protocol, line, identities, listed)
            _same_meaning(row, before.setdefault(row.path, row))
            _same_word(line, row.camera, prefixes)
            rows.append(row)
        except LineProblem as problem:
            listed.refuse(protocol.table, line.where, problem)
    listed.report(findings, "fatal")
    repeated = len(rows) - len(set(rows))
    if repeated:
        findings.warning(
            protocol.table, f"{repeated:,} lines repeat earlier ones", "each image counts once"
        )
    return list(dict.fromkeys(rows))


def _lines(protocol: TableProtocol, tree: Tree, findings: Findings) -> Iterator[_Line]:
    """Lines that have every column."""
    text = read_text(tree.root, protocol.table, findings)
    if text is None:
        return
    head = text.lstrip().splitlines()[0]
    delimiter = max(DELIMITERS, key=head.count)
    reader = csv.reader(text.lstrip().splitlines(), delimiter=delimiter)
    header = [name.strip().casefold() for name in next(reader)]
    at = _columns(protocol, header, findings)
    if at is None:
        return
    short = []
    for cells in reader:
        where = f"{protocol.table}, line {reader.line_num}"
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) < len(header):
            short.append((where, f"has {len(cells)} columns; expected {len(header)}"))
            continue
        yield _Line(where, {meaning: cells[place].strip() for meaning, place in at.items()})
    findings.alike("fatal", short, f"write all columns of the head, separated by {delimiter!r}")


def _columns(
    protocol: TableProtocol, header: list[str], findings: Findings
) -> dict[str, int] | None:
    """Where each meaning's column is; None and a fatal finding where one is missing."""
    at = {}
    for meaning in (*REQUIRED, *OPTIONAL):
        name = protocol.column(meaning).casefold()
        if header.count(name) > 1:
            findings.fatal(protocol.table, f"has the column {name!r} twice", "keep one of them")
        if name in header:
            at[meaning] = header.index(name)
        elif meaning in REQUIRED or meaning in protocol.columns:
            findings.fatal(
                protocol.table,
                unknown_key("column", protocol.column(meaning), header).removeprefix("unknown ")
                + f" for the {meaning}, which is not in its first line",
                "write the columns' names in the first line, or say them in settings.columns",
            )
    splits = isinstance(protocol.trials, tuple)
    if splits != ("trial" in at):
        findings.fatal(
            protocol.table,
            "has no column for the trial, but settings.trials lists splits"
            if splits
            else "has a column for the trial, but settings.trials is a number of galleries",
            "list the column's splits in settings.trials, or name none",
        )
    if protocol.queries == "sequences" and "sequence" not in at:
        findings.fatal(
            protocol.table, "has no column for the sequence", "or say settings.queries: images"
        )
    return None if findings.worst == "fatal" else at


def _identities(protocol: TableProtocol, names: list[str], findings: Findings) -> dict[str, int]:
    """The number of each identity."""
    number = {name: _NUMBER.fullmatch(name) for name in dict.fromkeys(names)}
    found = {name: int(match[1]) for name, match in number.items() if match}
    others = [name for name in number if name not in found]
    if not found:
        return {name: k for k, name in enumerate(sorted(filter(None, others)), start=1)}
    problems = [
        (protocol.table, f"has the identity {name!r}; the others are whole numbers from 0")
        for name in others
        if name
    ]
    findings.alike("fatal", problems, "write numbers, or a name for everybody")
    spelt = len(found) - len(set(found.values()))
    if spelt:
        findings.warning(
            protocol.table,
            f"writes {spelt:,} identities in two ways, such as '7' and '0007', which are read as one",
            "nothing has to be done if they are one person each",
        )
    return found


def _row(protocol: TableProtocol, line: _Line, identities: dict[str, int], listed: Listed) -> Row:
    text = line.text
    for meaning in REQUIRED:
        if not text[meaning]:
            raise LineProblem(f"has no {meaning}", "fill it in, or remove the line")
    if text["identity"] not in identities:  # said already, for all lines at once
        raise LineProblem(f"has the identity {text['identity']!r}", "write whole numbers from 0")
    camera = _CAMERA.fullmatch(text["camera"])
    if camera is None:
        raise LineProblem(
            f"has the camera {text['camera']!r}; expected a number, such as 3 or cam3",
            "number the cameras",
        )
    infrared = _infrared(protocol, text["modality"])
    split = text.get("split", "").casefold()
    if "split" in text and split not in SPLITS:
        raise LineProblem(
            f"has the split {text['split']!r}; expected one of {', '.join(SPLITS)}",
            "write one of these",
        )
    trial = _NUMBER.fullmatch(text["trial"]) if text.get("trial") else None
    if text.get("trial") and trial is None:
        raise LineProblem(f"has the trial {text['trial']!r}", "write a whole number, or nothing")
    return Row(
        listed.image(text["path"]),
        identities[text["identity"]],
        int(camera[2]),
        infrared,
        split,
        int(trial[1]) if trial else None,
        text.get("sequence", ""),
    )


def _infrared(protocol: TableProtocol, text: str) -> bool:
    for name, tokens in protocol.modalities.items():
        if text.casefold() in {token.casefold() for token in tokens}:
            return name == "infrared"
    known = ", ".join(repr(token) for tokens in protocol.modalities.values() for token in tokens)
    raise LineProblem(
        f"has the modality {text!r}; expected one of {known}",
        "say in settings.modalities which words are visible and which infrared, or remove the line",
    )


def _same_meaning(row: Row, before: Row) -> None:
    if row[1:4] != before[1:4]:
        raise LineProblem(f"gives {row.path!r} another meaning than an earlier line", _ONE_MEANING)


def _same_word(line: _Line, camera: int, words: dict[int, str]) -> None:
    """Refuse cameras that only the word before their number tells apart."""
    match = _CAMERA.fullmatch(line.text["camera"])
    word = loosely(match[1]) if match else ""
    if words.setdefault(camera, word) != word:
        raise LineProblem(
            f"has the camera {line.text['camera']!r}, whose number another camera has as well",
            "give each camera a number of its own",
        )
