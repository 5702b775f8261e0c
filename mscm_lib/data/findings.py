"""What is wrong with a dataset on disk: one finding a problem, collected instead of raised.

Readers and the doctor share one way of looking. A reader collects while it goes through the tree
and raises once at the end, so the doctor shows every problem in the same words and in one pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from mscm_lib.errors import DataError

Severity = Literal["fatal", "error", "warning"]
SEVERITIES: tuple[Severity, ...] = ("fatal", "error", "warning")


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
    """

    severity: Severity
    path: str
    message: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}; {self.remedy}"


@dataclass
class Findings:
    """A growing list of findings."""

    found: list[Finding] = field(default_factory=list)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.found)

    def __len__(self) -> int:
        return len(self.found)

    def fatal(self, path: str, message: str, remedy: str) -> None:
        """Add a problem that keeps the dataset from being opened."""
        self.found.append(Finding("fatal", path, message, remedy))

    def error(self, path: str, message: str, remedy: str) -> None:
        """Add a problem that damages a part of the dataset."""
        self.found.append(Finding("error", path, message, remedy))

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
            more = f" ({len(fatal) - 1} more problems of this kind)" if len(fatal) > 1 else ""
            raise DataError(
                f"{root}: cannot be read as {name}. {fatal[0]}{more}. "
                f'Run the doctor to see everything at once: mscm doctor {name} "{root}"'
            )
