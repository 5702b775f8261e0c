"""The rows of a dataset's CSV: found, checked, numbered."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from mscm_lib.coercion import LONGEST
from mscm_lib.config import unknown_key
from mscm_lib.data.faults import Findings
from mscm_lib.data.layouts.listed import LineProblem, Listed
from mscm_lib.data.layouts.listing import Tree, loosely, read_text
from mscm_lib.data.layouts.table_protocol import OPTIONAL, REQUIRED, SPLITS, TableProtocol
from mscm_lib.data.layouts.table_text import read_sheet

_WHOLE = rf"0*(\d{{1,{LONGEST}}})(?:[.,]0+)?"  # spreadsheets and pandas make 12.0 of 12
_NUMBER = re.compile(_WHOLE)
_CAMERA = re.compile(rf"(?:([^\d+-]\D*?)[ _-]*)?{_WHOLE}")  # cam-1 is a camera, -1 is none
_DIGITS = f"of up to {LONGEST} digits"
_NO_NAMES = (
    (
        re.compile(r"#?n/?a|<na>|nan|null|none|-\d+", re.IGNORECASE),
        "which tools write where there is none",
        "write who it is, or remove the line",
    ),
    (
        re.compile(r"[+-]?\d+(?:[.,]\d+)?e[+-]\d+", re.IGNORECASE),
        "which a spreadsheet has made of a longer number, whose last digits are lost",
        "export the table again, with its identities formatted as text",
    ),
)
"""What is written instead of an identity: its form, where it comes from, what to do."""
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

    Column names may differ in case. An identity is a whole number, or any name where none is a
    number: names are numbered in their order. A camera is a number, or a number behind one word: 3,
    03, cam3.
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
    sheet = read_sheet(protocol.table, text, findings)
    at = _columns(protocol, sheet.head, findings) if sheet else None
    if sheet is None or at is None:
        return
    short = []
    for where, cells in sheet.rows:
        if len(cells) < len(sheet.head):
            short.append((where, f"has {len(cells)} columns; expected {len(sheet.head)}"))
            continue
        yield _Line(where, {meaning: cells[place].strip() for meaning, place in at.items()})
    findings.alike(
        "fatal", short, f"write all columns of the head, separated by {sheet.delimiter!r}"
    )


def _columns(
    protocol: TableProtocol, header: list[str], findings: Findings
) -> dict[str, int] | None:
    """Where each meaning's column is; None and a fatal finding where one is missing."""
    at = {}
    if not {protocol.column(meaning).casefold() for meaning in REQUIRED} & {*header}:
        named = ", ".join(map(repr, header[:8]))
        findings.fatal(
            protocol.table,
            f"names none of the columns {', '.join(map(protocol.column, REQUIRED))} in its first "
            f"line, but {named or 'nothing'}",
            "write their names there, or say them in settings.columns; between cells stands one of "
            ", ; | or a tab",
        )
        return None
    for meaning in (*REQUIRED, *OPTIONAL):
        name = protocol.column(meaning).casefold()
        if header.count(name) > 1:
            findings.fatal(protocol.table, f"has the column {name!r} twice", "keep one of them")
        if name in header:
            at[meaning] = header.index(name)
        elif meaning in REQUIRED or meaning in protocol.columns:
            findings.fatal(
                protocol.table,
                f"needs a column for the {meaning}, which is not in its first line: "
                + unknown_key("column", protocol.column(meaning), header),
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
    """The number of each identity; a name without one is refused in its lines."""
    usable = [name for name in dict.fromkeys(names) if name and not _no_name(name)]
    number = {name: match for name in usable if (match := _NUMBER.fullmatch(name))}
    if not number:
        _report_alike(protocol.table, usable, findings)
        return {name: k for k, name in enumerate(sorted(usable), start=1)}
    found = {name: int(match[1]) for name, match in number.items()}
    spelt = len(found) - len(set(found.values()))
    if spelt:
        findings.warning(
            protocol.table,
            f"writes {spelt:,} identities in two ways, such as '7' and '0007', which are read as one",
            "nothing has to be done if they are one person each",
        )
    return found


def _no_name(name: str) -> LineProblem | None:
    """Why no person can be called so."""
    for form, what, remedy in _NO_NAMES:
        if form.fullmatch(name):
            return LineProblem(f"has the identity {name!r}, {what}", remedy)
    return None


def _report_alike(table: str, names: list[str], findings: Findings) -> None:
    first: dict[str, str] = {}
    problems = [
        (table, f"has the identities {first[loosely(name)]!r} and {name!r}, in two spellings")
        for name in names
        if first.setdefault(loosely(name), name) != name
    ]
    findings.alike(
        "fatal",
        problems,
        "spell one person's name in one way; two people's may not differ in case or zeros alone",
    )


def _row(protocol: TableProtocol, line: _Line, identities: dict[str, int], listed: Listed) -> Row:
    text = line.text
    for meaning in REQUIRED:
        if not text[meaning]:
            raise LineProblem(f"has no {meaning}", "fill it in, or remove the line")
    if (name := text["identity"]) not in identities:
        raise _no_name(name) or LineProblem(
            f"has the identity {name[:80]!r}; the others are whole numbers from 0, {_DIGITS}",
            "write numbers, or a name for everybody",
        )
    camera = _CAMERA.fullmatch(text["camera"])
    if camera is None:
        raise LineProblem(
            f"has the camera {text['camera'][:80]!r}; expected a number from 0, {_DIGITS}, such as "
            "3 or cam3",
            "number the cameras; remove the lines of none",
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
        identities[name],
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
    word = loosely(match[1] or "") if match else ""
    if words.setdefault(camera, word) != word:
        raise LineProblem(
            f"has the camera {line.text['camera']!r}, whose number another camera has as well",
            "give each camera a number of its own",
        )
