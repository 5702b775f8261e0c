"""Label lists: lines ``relative/path label``, found among a tree's images whoever wrote them.

Lists travel: through Windows, which writes backslashes and does not tell ``.BMP`` from ``.bmp``;
through scripts that put their own folder in front of every path. What is meant beyond doubt is
read and said once for all lists; what is not is one problem that names its cause.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from mscm_lib.coercion import LONGEST
from mscm_lib.data.faults import Findings, Part, Severity
from mscm_lib.data.layouts.listing import (
    AGAIN,
    IMAGE_SUFFIXES,
    Tree,
    is_number,
    loosely,
    read_text,
)
from mscm_lib.data.layouts.mistaken import file_mistaken_for
from mscm_lib.errors import DataError

PartOf = Callable[[str], Part]
_RESTORE = "restore the image"
_ONE_RELEASE = "copy the list again: an image has one label"


@dataclass(frozen=True)
class LabelLine:
    """One usable line of a label list."""

    path: str
    label: int


class _Way(NamedTuple):
    """A way of writing paths: what lists do, and an example as written and as read."""

    what: str
    written: str
    read: str


@dataclass
class Listed:
    """Finds listed names among a tree's images, and keeps what was odd until `report`.

    Attributes:
        tree: whose images are listed.
        folder: of the lists, for what is said of all of them.
        broken: lists with a line that cannot be used.
    """

    tree: Tree
    folder: str = "idx"
    broken: set[str] = field(default_factory=set)
    _ways: dict[str, _Way] = field(default_factory=dict)
    _times: Counter[str] = field(default_factory=Counter)
    _problems: dict[str, list[tuple[str, str]]] = field(default_factory=dict)

    def labels(self, path: str, findings: Findings) -> list[LabelLine]:
        """The usable lines of a list, in its order.

        Lines that are malformed, leave the dataset's folder or name no image make the list one of
        ``broken``. A line that is there twice counts twice, as in the field's code, with a warning.
        """
        text = read_text(self.tree.root, path, findings)
        if text is None:
            self.broken.add(path)
            return []
        label_of: dict[str, int] = {}
        times: Counter[str] = Counter()
        lines: list[LabelLine] = []
        for number, line in enumerate(text.splitlines(), start=1):
            if not line.strip():
                continue
            where = f"{path}, line {number}"
            try:
                found = self._line(line.strip())
            except LineProblem as problem:
                self.refuse(path, where, problem)
                continue
            before = label_of.setdefault(found.path, found.label)
            times[found.path] += 1
            if before != found.label:
                message = f"gives {found.path!r} the label {found.label}, an earlier line {before}"
                self.refuse(path, where, LineProblem(message, _ONE_RELEASE))
            elif times[found.path] > 1:
                findings.warning(
                    where,
                    f"repeats {found.path!r}, which so counts {times[found.path]} times",
                    "remove the line if the release does not have it",
                )
            lines.append(found)
        return lines

    def refuse(self, path: str, where: str, problem: LineProblem) -> None:
        """Keep a problem of the list ``path`` until `report`."""
        self._problems.setdefault(problem.remedy, []).append((where, str(problem)))
        self.broken.add(path)

    def report(self, findings: Findings, severity: Severity, part: PartOf | None = None) -> None:
        """What was odd in all lists: each way of writing once, then each kind of problem.

        Args:
            findings: grows.
            severity: of a line that cannot be used.
            part: what a list keeps from being used, by its path; None: the dataset.
        """
        for key, way in self._ways.items():
            findings.warning(
                self.folder,
                f"{self._times[key]:,} lines {way.what}: {way.written!r} is read as {way.read!r}",
                "nothing has to be done",
            )
        for remedy, problems in self._problems.items():
            only = None
            if part is not None:
                kind = part(problems[0][0])[0]
                values = [value for path, _ in problems for value in part(path)[1]]
                only = (kind, tuple(dict.fromkeys(values)))
            findings.alike(severity, problems, remedy, only)

    def _line(self, line: str) -> LabelLine:
        name, label = [*line.rsplit(None, 1), ""][:2]
        if not is_number(label):
            so = f", its label of up to {LONGEST} digits" if label.isdecimal() else ""
            raise LineProblem(f"is {line[:80]!r}; expected 'relative/path label'{so}", AGAIN)
        return LabelLine(self.image(name), int(label))

    def image(self, name: str) -> str:
        """The image that ``name`` means; raises `LineProblem` where there is none."""
        if name in self._images:
            return name
        plain = name.replace("\\", "/")
        drive = plain[:2] if plain[1:2] == ":" else ""
        absolute = bool(drive) or plain.startswith("/")
        parts = [part for part in plain[len(drive) :].split("/") if part not in ("", ".")]
        if ".." in parts:
            raise LineProblem(
                f"names {name!r}, which leads out of its folder by '..'",
                "name files below the root only",
            )
        ends = ["/".join(parts[start:]) for start in range(max(1, len(parts) - 1))]
        for start, path in enumerate(ends):
            found = path if path in self._images else self._by_case.get(_case(path), "")
            if found:
                front = plain[: len(plain) - len(path)] if start or absolute else ""
                self._note(name, front, path, found)
                return found
        for path in ends:
            if found := self._others.get(_case(path), ""):
                raise self._no_picture(name, found)
        if absolute:
            raise LineProblem(f"names {name!r}, an absolute path", "name files below the root only")
        raise self._missing(name, "/".join(parts))

    def _note(self, name: str, front: str, path: str, found: str) -> None:
        ways = {
            "backslash": ("write backslashes", "\\" in name),
            "front": (f"put {front!r} in front of paths", bool(front)),
            "case": ("write names in another case than the files have", path != found),
        }
        for key, (what, so) in ways.items():
            if so:
                self._ways.setdefault(key, _Way(what, name, found))
                self._times[key] += 1

    def _missing(self, name: str, path: str) -> LineProblem:
        for alike, what, remedy in self._other_forms:
            if found := alike(path):
                what = f"{found!r} is there: {what}"
                return LineProblem(f"names {name!r}, but no such image is there; {what}", remedy)
        return LineProblem(f"names {name!r}, but no such image is there", _RESTORE)

    def _no_picture(self, name: str, found: str) -> LineProblem:
        kind = file_mistaken_for(self.tree.root / found)
        is_it = f" and is {kind.kind}" if kind else ""
        return LineProblem(
            f"names {name!r}, which is there{is_it}; read are {', '.join(IMAGE_SUFFIXES)}",
            "convert it to PNG, or rename it where it is one of these (a .jfif is a .jpg)",
        )

    @property
    def _other_forms(self) -> tuple[tuple[Callable[[str], str], str, str], ...]:
        return (
            (
                lambda path: self._by_stem.get(_stem(path), ""),
                "the files have another ending",
                "restore the release's files; pictures encoded again are other pictures",
            ),
            (
                lambda path: self._by_number.get(loosely(path), ""),
                "its folders or names have other leading zeros",
                "rename the folders as the list writes them, such as '0002' for '2'",
            ),
            (
                lambda path: self._by_end.get(path, ""),
                "it lies in a folder further down",
                "give that folder as the dataset's, or move what is in it up",
            ),
        )

    @cached_property
    def _images(self) -> set[str]:
        return set(self.tree.images)

    @cached_property
    def _others(self) -> dict[str, str]:
        return {_case(path): path for path in self.tree.others}

    @cached_property
    def _by_case(self) -> dict[str, str]:
        return self._unique(_case)

    @cached_property
    def _by_stem(self) -> dict[str, str]:
        return self._unique(_stem)

    @cached_property
    def _by_number(self) -> dict[str, str]:
        return self._unique(loosely)

    @cached_property
    def _by_end(self) -> dict[str, str]:
        """Images by each shorter end of their path."""
        found: dict[str, str] = {}
        for path in self.tree.images:
            parts = path.split("/")
            for start in range(1, len(parts) - 1):
                found["/".join(parts[start:])] = path
        return found

    def _unique(self, form: Callable[[str], str]) -> dict[str, str]:
        """Images by ``form`` of their path, where it is one image's alone."""
        times = Counter(map(form, self.tree.images))
        return {form(path): path for path in self.tree.images if times[form(path)] == 1}


class LineProblem(DataError):
    """A line that cannot be used, and what to do about it."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy


def _case(path: str) -> str:
    return unicodedata.normalize("NFC", path).casefold()


def _stem(path: str) -> str:
    return _case(path).rpartition(".")[0]
