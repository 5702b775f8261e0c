"""What is wrong with a dataset on disk: one finding a problem, collected instead of raised.

Readers and the doctor share one way of looking. A reader collects while it goes through the tree
and raises once at the end, so the doctor shows every problem in the same words and in one pass.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from mscm_lib.errors import DataError

Severity = Literal["fatal", "error", "warning"]
SEVERITIES: tuple[Severity, ...] = ("fatal", "error", "warning")
NAMED = 8  # problems of one kind that get a finding each; more of them get one together
_OWN = re.compile(r"'[^']*'|\"[^\"]*\"|\d[\d,.]*")  # what a message quotes or counts
Part = tuple[str, tuple[object, ...]]
Uses = Mapping[str, Collection[object]]
"""By "draw" and "trial": the gallery draws and splits that studies use; a missing key: all."""


@dataclass(frozen=True)
class Finding:
    """One problem.

    Attributes:
        severity: ``fatal``: the dataset cannot be opened; ``error``: it opens, but something that
            a study uses is missing or damaged; ``warning``: unusual, and no result depends on it
            or the effect is named.
        path: file or folder, relative to the dataset's root; "." is the root.
        message: what is wrong, and what was expected.
        remedy: what to do about it.
        only: what it keeps from being used, such as ("draw", ("official",)); None: the dataset.
    """

    severity: Severity
    path: str
    message: str
    remedy: str
    only: Part | None = None

    def __str__(self) -> str:
        return f"{self.path}: {self.message}; {self.remedy}"

    @property
    def kind(self) -> tuple[str, ...]:
        """What findings of one kind share: all that is said but names and numbers."""
        return self.severity, _OWN.sub("", self.message), self.remedy

    def weighed(self, uses: Uses) -> Finding:
        """Itself, or a warning where it keeps nothing from being used that is in ``uses``."""
        if self.only is None or self.only[0] not in uses or self.severity == "warning":
            return self
        kind, values = self.only
        if set(values) & set(uses[kind]):
            return self
        named = ", ".join(map(str, values))
        message = f"{self.message}; only {kind} {named} needs it"
        return replace(self, severity="warning", message=message)


@dataclass
class Findings:
    """A growing list of findings."""

    found: list[Finding] = field(default_factory=list)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.found)

    def __len__(self) -> int:
        return len(self.found)

    @property
    def worst(self) -> Severity | None:
        """The gravest severity among them; None where there is nothing."""
        return min((each.severity for each in self.found), key=SEVERITIES.index, default=None)

    def fatal(self, path: str, message: str, remedy: str) -> None:
        """Add a problem that keeps the dataset from being opened."""
        self.found.append(Finding("fatal", path, message, remedy))

    def error(self, path: str, message: str, remedy: str, only: Part | None = None) -> None:
        """Add a problem that damages a part of the dataset."""
        self.found.append(Finding("error", path, message, remedy, only))

    def alike(
        self,
        severity: Severity,
        problems: Sequence[tuple[str, str]],
        remedy: str,
        only: Part | None = None,
    ) -> None:
        """Add problems (path, message) of one remedy: each of a few of a kind, or all of many as one."""
        kinds: dict[tuple[str, ...], list[Finding]] = {}
        for path, text in problems:
            found = Finding(severity, path, text, remedy, only)
            kinds.setdefault(found.kind, []).append(found)
        for found_alike in kinds.values():
            if (count := len(found_alike)) > NAMED:
                more = f"{found_alike[0].message} (and {count - 1:,} more like this)"
                found_alike = [replace(found_alike[0], message=more)]
            self.found += found_alike

    def warning(self, path: str, message: str, remedy: str) -> None:
        """Add something unusual."""
        self.found.append(Finding("warning", path, message, remedy))

    def raise_fatal(self, name: str, root: object) -> None:
        """Raise the first fatal finding, if there is any.

        Raises:
            DataError: names the first problem, how many there are, and the doctor's command.
        """
        fatal = [finding for finding in self.found if finding.severity == "fatal"]
        if fatal:
            more = f" (and {len(fatal) - 1} more that are fatal)" if len(fatal) > 1 else ""
            raise DataError(
                f"{root}: cannot be read as {name}. {fatal[0]}{more}. "
                f'Run the doctor to see everything at once: mscm doctor {name} "{root}"'
            )
