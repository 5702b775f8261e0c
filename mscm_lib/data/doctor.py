"""The data doctor: everything that is there, missing or broken in a dataset, in one pass."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd

from mscm_lib.data.base import ReidDataset
from mscm_lib.data.datasets import read_tree
from mscm_lib.data.faults import SEVERITIES, Finding, Findings, Uses
from mscm_lib.data.layouts.listing import Tree, scan
from mscm_lib.data.layouts.recognise import OWN, TITLES, emulated_scale
from mscm_lib.data.layouts.table_protocol import TableProtocol
from mscm_lib.data.packed.arrays import PackedImages
from mscm_lib.data.packed.decoding import ImageFault, look_into
from mscm_lib.data.published_counts import Count, dataset_counts
from mscm_lib.data.workers import available_cores, progress_bar
from mscm_lib.errors import StudyError

_SHOWN = 8  # findings of one kind that the rendered text lists
_WRAP = textwrap.TextWrapper(
    100, subsequent_indent=" " * 8, break_long_words=False, break_on_hyphens=False
)
_REMOVE = "remove it, unless the release has it"
_BLOCK = 256  # images looked at between two steps of the progress bar


@dataclass(frozen=True)
class Diagnosis:
    """What the doctor found.

    Attributes:
        name: of the dataset.
        root: its folder.
        findings: every problem, the worst first.
        counts: what is there beside what is published.
        checked: images that were looked into.
        emulated: the scale, where the tree was written by `mscm_lib.data.emulated.emulate`; else "".
    """

    name: str
    root: Path
    findings: tuple[Finding, ...]
    counts: tuple[Count, ...]
    checked: int
    emulated: str = ""

    @property
    def healthy(self) -> bool:
        """Whether nothing is fatal and nothing an error; warnings may be there."""
        return all(finding.severity == "warning" for finding in self.findings)

    def table(self) -> pd.DataFrame:
        """Every finding: columns severity, path, message, remedy."""
        rows = [[f.severity, f.path, f.message, f.remedy] for f in self.findings]
        return pd.DataFrame(rows, columns=["severity", "path", "message", "remedy"])

    def render(self) -> str:
        """The diagnosis as text for a terminal: counts, then findings with their remedies."""
        kind = f"{self.name}, emulated ({self.emulated})," if self.emulated else self.name
        lines = [f"{kind} in {self.root}: {self.checked} image files looked into", ""]
        if self.counts:
            width = max(len(count.what) for count in self.counts)
            lines.append(f"  {'':{width}}  {'found':>8}  {'published':>9}")
            for count in self.counts:
                published = "" if count.published is None else str(count.published)
                mark = "" if count.agrees else "  differs"
                lines.append(f"  {count.what:{width}}  {count.found:>8}  {published:>9}{mark}")
            lines.append("")
        tally = Counter(finding.severity for finding in self.findings)
        lines += self._finding_lines()
        if self.findings:
            lines.append(", ".join(f"{tally[s]} {s}" for s in SEVERITIES if tally[s]))
        lines.append(
            "Nothing keeps this dataset from being used."
            if self.healthy
            else "Mend what is named above, then run the doctor again."
        )
        return "\n".join(lines)

    def _finding_lines(self) -> Iterator[str]:
        shown: Counter[tuple[str, ...]] = Counter()
        kinds = Counter(finding.kind for finding in self.findings)
        for finding in self.findings:
            kind = finding.kind
            shown[kind] += 1
            if shown[kind] <= _SHOWN:
                text = f"{finding.severity.upper():8}{finding.path}: {finding.message}"
                yield from _WRAP.wrap(text)
                yield f"        -> {finding.remedy}"
            elif shown[kind] == _SHOWN + 1:
                yield f"        and {kinds[kind] - _SHOWN} more like this"
        if self.findings:
            yield ""


def diagnose(
    name: str,
    root: Path | str,
    decode: bool = True,
    progress: bool = True,
    uses: Uses | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Diagnosis:
    """Look a dataset over; broken data become findings and never an exception.

    Args:
        name: ``sysu``, ``regdb``, ``llcm``, ``table``, or ``generated`` for packed arrays.
        root: the dataset's folder, or of a ``table`` the CSV itself.
        decode: decode every image; False looks at their headers alone, which is faster.
        progress: show a bar on stderr.
        uses: gallery draws and splits in use; what only others need is a warning when it is broken.
            None: all are in use.
        settings: the protocol of a ``table``; see `mscm_lib.data.layouts.table_protocol`.

    Raises:
        ConfigError: an unknown name, or wrong settings.
    """
    root = Path(root).expanduser()
    if name == "table" and root.is_file():
        root, settings = _folder_of(root, settings or {})
    findings = Findings()
    dataset = read_tree(name, root, findings, settings)
    emulated, title = emulated_scale(root), TITLES.get(name, OWN)
    counts, checked = list[Count](), 0
    if dataset is not None:
        counts = dataset_counts(dataset)
        look = _look_into_arrays if name == "generated" else _look_into_files
        checked = look(dataset, decode, progress, findings)
        differing = sum(not count.agrees for count in counts)
        if emulated:
            findings.warning(
                ".",
                f"is an emulated tree: drawn people in the layout of {title}"
                + f", {differing} of {len(counts)} counts not the published ones" * bool(differing),
                f"nothing has to be done; its figures say nothing about {title}",
            )
        elif differing:
            findings.warning(
                ".",
                f"{differing} of {len(counts)} counts are not the published ones",
                "complete the dataset, or do not put its figures beside published ones",
            )
    weighed = [finding.weighed(uses or {}) for finding in findings]
    order = sorted(weighed, key=lambda finding: SEVERITIES.index(finding.severity))
    return Diagnosis(name, root, tuple(order), tuple(counts), checked, emulated)


def _folder_of(table: Path, settings: Mapping[str, Any]) -> tuple[Path, Mapping[str, Any]]:
    """The folder that a table's pictures are below, and settings that name the table from there."""
    named = PurePosixPath(str(settings.get("table", TableProtocol.table))).parts
    if table.parts[-len(named) :] == named:
        return table.parents[len(named) - 1], settings
    return table.parent, {**settings, "table": table.name}


def _look_into_files(dataset: ReidDataset, decode: bool, progress: bool, findings: Findings) -> int:
    """Read every image below the root; what no list names is a warning at most."""
    infrared = dict(zip(dataset.images.paths, dataset.images.infrared.tolist(), strict=True))
    paths: Sequence[str] = dataset.images.paths  # what lies beside one's own table is no concern
    if dataset.name in TITLES:
        tree = scan(dataset.root, Findings())
        paths = tree.images
        _report_copies(tree, infrared, findings)

    def look(path: str) -> Finding | None:
        try:
            mode, reasons = look_into(dataset.root / path, decode, dataset.as_shown)
        except ImageFault as fault:
            if path in infrared:
                return Finding("error", path, fault.reason, fault.remedy)
            return Finding("warning", path, f"{fault.reason}, but no split names it", fault.remedy)
        if mode == "L" and infrared.get(path) is False and not dataset.as_shown:
            message = "has one channel; visible images have three"
            return Finding("error", path, message, "copy it again from the release")
        if not reasons or path not in infrared:
            return None
        return _shown_otherwise(path, " and ".join(reasons), dataset.as_shown)

    title = f"looking into {dataset.name}"
    with (
        progress_bar(len(paths), title, progress) as bar,
        ThreadPoolExecutor(available_cores(), thread_name_prefix="doctor") as pool,
    ):
        for start in range(0, len(paths), _BLOCK):
            block = paths[start : start + _BLOCK]
            findings.found += filter(None, pool.map(look, block))
            bar.update(len(block))
    return len(paths)


def _report_copies(tree: Tree, counted: Container[str], findings: Findings) -> None:
    for path, name in tree.copies.items():
        told = f"is a copy of {name!r} by its name, and "
        if path in counted:
            findings.error(path, f"{told}counts as one more picture", _REMOVE)
        else:
            findings.warning(path, f"{told}is left out", _REMOVE)


def _shown_otherwise(path: str, has: str, as_shown: bool) -> Finding:
    if as_shown:
        told, remedy = "as it is shown", "nothing has to be done"
    else:
        told = "as it is stored, as the field's code reads it"
        remedy = "where the viewer's is the right one, write it into the pixels; figures change with that"
    return Finding("warning", path, f"has {has}; it is packed {told}", remedy)


def _look_into_arrays(
    dataset: ReidDataset, decode: bool, progress: bool, findings: Findings
) -> int:
    """Check packed arrays, and that no image in them is blank."""
    try:
        images = PackedImages.open(dataset.root)
    except StudyError as error:
        findings.fatal(".", str(error), "generate the benchmark again")
        return 0
    if not decode:
        return 0
    with progress_bar(len(images), "looking into packed images", progress) as bar:
        for start in range(0, len(images), _BLOCK):
            rows = np.arange(start, min(start + _BLOCK, len(images)))
            pixels = images.read(rows).reshape(len(rows), -1)
            for row in rows[pixels.max(axis=1) == pixels.min(axis=1)].tolist():
                findings.error(
                    images.paths[row], f"row {row} is blank", "generate the benchmark again"
                )
            bar.update(len(rows))
    return len(images)
