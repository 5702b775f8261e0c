"""A CSV as tools export it: the names in its head, and its rows with the lines they begin in."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from typing import NamedTuple

from mscm_lib.data.faults import Findings
from mscm_lib.data.layouts.listing import is_number

DELIMITERS = ",;\t|"
_EXCEL_S = re.compile(r'"?sep=(.)"?', re.IGNORECASE)  # a first line that names the separator


class Sheet(NamedTuple):
    """The cells of a CSV.

    Attributes:
        head: names of the columns, in small letters.
        rows: the place of each row that has a cell filled, and its cells.
        delimiter: what stands between cells.
    """

    head: list[str]
    rows: list[tuple[str, list[str]]]
    delimiter: str


def read_sheet(table: str, text: str, findings: Findings) -> Sheet | None:
    """The cells of the CSV ``table``, which is not blank; None and a fatal finding without an end.

    The separator is what Excel's own first line says, else the one of `DELIMITERS` that the head
    has most of. Row numbers under no name, which R writes before each row, are left out.
    """
    lines = [*text.splitlines(), ""]  # into whose last line an open quote runs on
    first = next(number for number, line in enumerate(lines) if line.strip())
    if told := _EXCEL_S.fullmatch(lines[first].strip(" ")):
        first += 1
    delimiter = told[1] if told else max(DELIMITERS, key=lines[first].count)
    rows, runs_on = list[tuple[str, list[str]]](), list[tuple[str, str]]()
    for begin, end, cells in _rows(lines, first, delimiter):
        where = f"{table}, line {begin + 1}"
        if cells is None:
            findings.fatal(
                where,
                "opens a quote that is not closed before the cell's end",
                'close it, or write "" for a quote that belongs to the text',
            )
            return None
        if end - begin > 1:
            runs_on.append((where, f"runs on to line {end} within quotes, as one row"))
        if any(cell.strip() for cell in cells):
            rows.append((where, cells))
    findings.alike("warning", runs_on, "nothing has to be done if that is so; else close the quote")
    names = [name.strip().casefold() for name in rows[0][1]] if rows else []
    return Sheet(names, _without_numbers(table, len(names), rows[1:], findings), delimiter)


def _rows(
    lines: list[str], first: int, delimiter: str
) -> Iterator[tuple[int, int, list[str] | None]]:
    """Each row's first line, the line after its last, its cells; None where a quote stays open."""
    reader = csv.reader(lines[first:], delimiter=delimiter)
    begin = first
    try:
        for cells in reader:
            end = first + reader.line_num
            if end - begin > 1:  # strict alone tells an open quote from a long cell
                next(csv.reader(lines[begin:end], delimiter=delimiter, strict=True))
            yield begin, end, cells
            begin = end
    except csv.Error:
        yield begin, len(lines), None


def _without_numbers(
    table: str, columns: int, rows: list[tuple[str, list[str]]], findings: Findings
) -> list[tuple[str, list[str]]]:
    """Rows without the number that R's ``write.table`` gives each, for which the head has no name."""
    numbers = {cells[0] for _, cells in rows if len(cells) == columns + 1 and is_number(cells[0])}
    if not rows or len(numbers) < len(rows):
        return rows
    findings.warning(
        table,
        "has a cell more in every row than in its first line: row numbers, which are left out",
        "nothing has to be done",
    )
    return [(where, cells[1:]) for where, cells in rows]
