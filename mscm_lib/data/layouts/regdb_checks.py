"""Whether the lists of a RegDB split agree with each other and with the folders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from mscm_lib.data.faults import Findings
from mscm_lib.data.layouts.listed import LabelLine
from mscm_lib.data.layouts.listing import AGAIN

Lists = Mapping[tuple[str, str], list[LabelLine]]


def report_labels(lists: Lists, trial: int, findings: Findings) -> None:
    """Findings of one split: people in both halves, people of one modality, labels at odds.

    Args:
        lists: the lines by half (train, test) and modality (visible, thermal).
        trial: the split's number.
        findings: grows.
    """
    for modality in ("visible", "thermal"):
        train, test = lists["train", modality], lists["test", modality]
        where = f"idx/test_{modality}_{trial}.txt"
        for path in sorted({line.path for line in train} & {line.path for line in test}):
            findings.fatal(where, f"{path!r} is also in the training list", AGAIN)
        if _follows_folders(train) and _follows_folders(test):
            for person in sorted(_people(train) & _people(test)):
                findings.fatal(
                    where, f"the person of folder {person!r} is also in the training list", AGAIN
                )
    for half in ("train", "test"):
        _report_half(lists[half, "visible"], lists[half, "thermal"], half, trial, findings)


def _report_half(
    visible: list[LabelLine], thermal: list[LabelLine], half: str, trial: int, findings: Findings
) -> None:
    for path in sorted({line.path for line in visible} & {line.path for line in thermal}):
        findings.fatal(
            f"idx/{half}_thermal_{trial}.txt", f"{path!r} is also in the visible list", AGAIN
        )
    labels = {"visible": {x.label for x in visible}, "thermal": {x.label for x in thermal}}
    for modality, other in (("visible", "thermal"), ("thermal", "visible")):
        for label in sorted(labels[modality] - labels[other]):
            findings.warning(
                f"idx/{half}_{modality}_{trial}.txt",
                f"label {label} has no {other} image",
                f"compare it with idx/{half}_{other}_{trial}.txt",
            )
    # Visible/12 and Thermal/12 hold one person, if folders follow labels at all.
    if _follows_folders(visible) and _follows_folders(thermal):
        label_of = {_person(line): line.label for line in visible}
        at_odds = {
            (_person(line), line.label, label_of[_person(line)])
            for line in thermal
            if label_of.get(_person(line), line.label) != line.label
        }
        for person, label, expected in sorted(at_odds):
            findings.error(
                f"idx/{half}_thermal_{trial}.txt",
                f"folder {person!r} has label {label}, but {expected} in the visible list",
                AGAIN,
            )


def _person(line: LabelLine) -> str:
    return PurePosixPath(line.path).parent.name


def _people(lines: Iterable[LabelLine]) -> set[str]:
    return {_person(line) for line in lines}


def _follows_folders(lines: list[LabelLine]) -> bool:
    """Whether each folder is one label and each label one folder."""
    pairs = {(_person(line), line.label) for line in lines}
    return len(pairs) == len({p for p, _ in pairs}) == len({label for _, label in pairs})
