"""CSVs that spreadsheets, R or a slip of the hand have damaged: read where it is plain, else named."""

import pytest

from mscm_lib.data import open_dataset
from mscm_lib.data.doctor import diagnose
from mscm_lib.errors import DataError

HEAD = ["path", "identity", "camera", "modality", "split"]
CAMERAS = {1: "visible", 2: "visible", 3: "infrared"}
PEOPLE = {1: "train", 2: "train", 3: "train", 4: "test", 5: "test"}
ROWS = [
    [f"{kind}/{camera}_{person}_{shot}.jpg", str(person), str(camera), kind, split]
    for person, split in PEOPLE.items()
    for camera, kind in CAMERAS.items()
    for shot in range(2)
]
NUMBERED = [[str(number), *row] for number, row in enumerate(ROWS, start=1)]


def text(rows=ROWS, head=HEAD, delimiter=","):
    return "\n".join(delimiter.join(row) for row in [head, *rows]) + "\n"


def with_cells(column, change, of=lambda row: True):
    """The rows with the cells of a column changed, in all rows or in some."""
    place = HEAD.index(column)
    return [
        [change(cell) if k == place and of(row) else cell for k, cell in enumerate(row)]
        for row in ROWS
    ]


def named(change, of=lambda row: row[1] == "5" and row[2] == "1"):
    """Rows whose people have names, some of which are changed."""
    names = [[row[0], f"P{row[1]}", *row[2:]] for row in ROWS]
    return [
        [name[0], change(name[1]), *name[2:]] if of(row) else name
        for row, name in zip(ROWS, names, strict=True)
    ]


@pytest.fixture
def root(tmp_path, forms):
    for path, *_ in ROWS:
        forms.put(tmp_path, path)
    return tmp_path


def findings(root, content):
    (root / "table.csv").write_text(content, encoding="utf-8")
    return diagnose("table", root, progress=False).findings


def of_person_5(row):
    return row[1] == "5"


# an identity, a camera that is none, and what is said of it in one finding
# fmt: off
NO_LABELS = {
    "shortened": (with_cells("identity", lambda c: f"1.{c}3E+05"), "whose last digits are lost"),
    "shortened by R": (named(lambda c: "1e+05"), "'1e+05', which a spreadsheet has made"),
    "decimal comma": (with_cells("identity", lambda c: '"1,23E+05"', of_person_5),
        "whose last digits are lost"),
    "NA": (with_cells("identity", lambda c: "NA", of_person_5), "where there is none"),
    "nan among names": (named(lambda c: "nan"), "'nan', which tools write where there is none"),
    "NULL everywhere": (with_cells("identity", lambda c: "NULL"), "where there is none"),
    "-1 among names": (named(lambda c: "-1"), "where there is none"),
    "zeros": (named(lambda c: "P005"), "the identities 'P005' and 'P5', in two spellings"),
    "capitals": (named(str.lower), "the identities 'p5' and 'P5', in two spellings"),
    "beyond 64 bits": (with_cells("identity", lambda c: str(10**20), of_person_5),
        "whole numbers from 0, of up to 18 digits"),
    "thousands of digits": (with_cells("identity", lambda c: "9" * 5000, of_person_5),
        "whole numbers from 0, of up to 18 digits"),
    "camera beyond": (with_cells("camera", lambda c: str(10**20), of_person_5),
        "expected a number from 0, of up to 18 digits"),
    "camera below": (with_cells("camera", lambda c: "-1", of_person_5),
        "has the camera '-1'; expected a number from 0"),
    "every camera below": (with_cells("camera", lambda c: f"-{c}"), "expected a number from 0"),
}
# fmt: on


@pytest.mark.parametrize("case", NO_LABELS)
def test_what_is_no_identity_and_no_camera_is_one_finding(root, case):
    rows, message = NO_LABELS[case]
    fatal = [f for f in findings(root, text(rows)) if f.severity == "fatal"]
    assert len({f.kind for f in fatal}) == 1 and all(message in f.message for f in fatal)
    with pytest.raises(DataError, match="cannot be read as table"):
        open_dataset("table", root)


@pytest.mark.parametrize("word", ["Nan Li", "12e5", "E+05", "person -1", "10000000000000000000a"])
def test_a_name_that_resembles_no_name_is_one(root, word):
    assert not findings(root, text(named(lambda c: word, of_person_5)))


@pytest.mark.parametrize("camera", ["0", "cam-1", "cam_01", "1.0"])
def test_a_camera_is_a_number_from_0(root, camera):
    rows = with_cells("camera", lambda c: camera, lambda row: row[2] == "1")
    words = with_cells("camera", lambda c: f"cam{c}")
    if "cam" in camera:
        rows = [
            new if old[2] == "1" else word for old, new, word in zip(ROWS, rows, words, strict=True)
        ]
    assert not findings(root, text(rows))
    expected = 0 if camera == "0" else 1
    assert set(open_dataset("table", root).images.cams.tolist()) == {expected, 2, 3}


# an opened quote: the CSV, where it is said to open
QUOTES = {
    "in a path": (text(with_cells("path", lambda c: f'"{c}', lambda row: row is ROWS[3])), 5),
    "in the last line": (text(with_cells("split", lambda c: f'"{c}', lambda r: r is ROWS[-1])), 31),
    "in the head": (text(head=['"path', *HEAD[1:]]), 1),
    "twice": (
        text(with_cells("path", lambda c: f'"{c}', lambda row: row in (ROWS[3], ROWS[9]))),
        5,
    ),
}


@pytest.mark.parametrize("case", QUOTES)
def test_a_quote_that_stays_open_is_named_where_it_opens(root, case):
    content, line = QUOTES[case]
    (found,) = findings(root, content)
    assert (found.severity, found.path) == ("fatal", f"table.csv, line {line}")
    assert "opens a quote that is not closed" in found.message


def test_a_quote_that_runs_over_lines_is_said(root):
    rows = [[*row, '"seen\ntwice"' if row is ROWS[2] else ""] for row in ROWS]
    (found,) = findings(root, text(rows, [*HEAD, "note"]))
    assert found.severity == "warning" and found.path == "table.csv, line 4"
    assert "runs on to line 5" in found.message
    assert len(open_dataset("table", root).images) == len(ROWS)


# what people's tools put around a table, and how often it is said
EXPORTED = {
    "Excel": ("sep=;\n" + text(delimiter=";"), 0),
    "Excel, with tabs": ("sep=\t\n" + text(delimiter="\t"), 0),
    "Excel, quoted": ('"sep=,"\n' + text(), 0),
    "Excel, decimal commas": (text(with_cells("identity", "{},0".format), delimiter=";"), 0),
    "R, write.csv": (text(NUMBERED, ['""', *HEAD]), 0),
    "R, write.table": (text(NUMBERED), 1),
    "R, write.table with tabs": (text(NUMBERED, delimiter="\t"), 1),
    "pandas": (text(NUMBERED, ["Unnamed: 0", *HEAD]), 0),
    "pandas, with tabs": (text(NUMBERED, ["", *HEAD], "\t"), 0),
    "a separator too many": (text([[*row, ""] for row in ROWS]), 0),
}


@pytest.mark.parametrize("tool", EXPORTED)
def test_what_a_tool_adds_to_a_table_is_read(root, tool):
    findings(root, text())
    expected = open_dataset("table", root).images
    content, warnings = EXPORTED[tool]
    assert [f.severity for f in findings(root, content)] == ["warning"] * warnings
    found = open_dataset("table", root).images
    assert found.paths == expected.paths and found.ids.tolist() == expected.ids.tolist()


@pytest.mark.parametrize(
    "content", [text(delimiter=":"), "".join(text().splitlines(True)[1:]), "sep=;"]
)
def test_a_head_without_names_is_one_finding(root, content):
    (found,) = findings(root, content)
    assert "names none of the columns path, identity, camera, modality" in found.message


def test_every_kind_of_problem_is_shown(root):
    """Of one remedy and one severity, where some are many."""
    empty = {"1": 1, "2": 2, "3": 2}
    rows = [[c if k != empty.get(row[1]) else "" for k, c in enumerate(row)] for row in ROWS]
    fatal = [f for f in findings(root, text(rows)) if f.severity == "fatal"]
    said = [f.message for f in fatal if f.remedy == "fill it in, or remove the line"]
    assert said[-1] == "has no camera (and 11 more like this)"
    assert said[:-1] == ["has no identity"] * 6
    shown = diagnose("table", root, progress=False).render()
    assert "has no camera (and 11" in shown and "has no identity" in shown
