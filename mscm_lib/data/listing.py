"""What lies in a dataset's folder, and what its text files say."""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath

from mscm_lib.data.findings import Findings

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff")
IDENTITY_FOLDER = re.compile(r"\d{4}")
CAMERA_FOLDER = re.compile(r"cam(\d+)")
AGAIN = "copy it again from the release"


@dataclass
class Tree:
    """The files below a root; paths are relative to it, POSIX style.

    Attributes:
        root: the folder.
        images: sorted image files.
        others: files that are no images by their suffix.
        folders: every folder.
        outside: images that a link brings in from outside the root.
    """

    root: Path
    images: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    folders: set[str] = field(default_factory=set)
    outside: set[str] = field(default_factory=set)

    def folder_names(self, parent: str) -> list[str]:
        """Sorted names of the folders directly in ``parent``."""
        start = f"{parent}/"
        names = (f[len(start) :] for f in self.folders if f.startswith(start))
        return sorted(name for name in names if "/" not in name)


def scan(root: Path, findings: Findings) -> Tree:
    """Everything below ``root``, hidden files and folders aside."""
    tree = Tree(root)
    _scan_folder(tree, "", False, (root.resolve(),), findings)
    tree.images.sort()
    tree.others.sort()
    return tree


def _scan_folder(
    tree: Tree, folder: str, outside: bool, above: tuple[Path, ...], findings: Findings
) -> None:
    try:
        entries = list(os.scandir(tree.root / folder))
    except OSError as error:
        findings.error(
            folder or ".",
            f"the folder cannot be listed ({error.strerror})",
            "give yourself permission to read it",
        )
        return
    for entry in entries:
        path = f"{folder}/{entry.name}" if folder else entry.name
        if entry.name.startswith("."):
            continue
        if not _is_unicode(entry.name):
            shown = os.fsencode(path).decode("utf-8", "backslashreplace")
            findings.error(shown, "its name is not UTF-8, so it is left out", "rename it")
            continue
        _scan_entry(tree, entry, path, outside, above, findings)


def _scan_entry(
    tree: Tree,
    entry: os.DirEntry[str],
    path: str,
    outside: bool,
    above: tuple[Path, ...],
    findings: Findings,
) -> None:
    real = above[-1] / entry.name
    if entry.is_symlink():
        real = Path(os.path.realpath(entry.path))
        if not real.exists():
            findings.error(path, "the link points to nothing", AGAIN)
            return
        outside = outside or not real.is_relative_to(above[0])
    if entry.is_dir():
        if real in above:
            findings.error(path, "the link leads back to a folder above it", "remove the link")
            return
        tree.folders.add(path)
        _scan_folder(tree, path, outside, (*above, real), findings)
    elif path.lower().endswith(IMAGE_SUFFIXES):
        tree.images.append(path)
        if outside:
            tree.outside.add(path)
    else:
        tree.others.append(path)


def _is_unicode(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def report_outside(tree: Tree, used: set[str], findings: Findings) -> None:
    """A finding for each used image that lies outside the root."""
    for path in sorted(tree.outside & used):
        findings.error(
            path,
            "is a link to a file outside the dataset's folder",
            "put a copy there: what it points to can change or vanish unnoticed",
        )


def read_text(root: Path, path: str, findings: Findings) -> str | None:
    """A text file's content; None and a fatal finding where it cannot be read."""
    try:
        text = (root / path).read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        findings.fatal(path, "the file is missing", AGAIN)
    except UnicodeDecodeError:
        findings.fatal(path, "is not UTF-8 text", "save it again as plain UTF-8 text")
    except OSError as error:
        findings.fatal(path, f"cannot be read ({error.strerror})", AGAIN)
    else:
        if text.strip():
            return text
        findings.fatal(path, "is empty", AGAIN)
    return None


def read_identities(root: Path, path: str, findings: Findings) -> list[int]:
    """Sorted identities from one line of comma-separated numbers; problems become findings."""
    text = read_text(root, path, findings)
    if text is None:
        return []
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) > 1:
        findings.fatal(
            path, f"has {len(lines)} lines; expected one line of comma-separated identities", AGAIN
        )
    identities: list[int] = []
    for token in ",".join(lines).rstrip(", ").split(","):
        if _is_number(token.strip()) and int(token) > 0:
            identities.append(int(token))
        else:
            findings.fatal(
                path, f"names {token.strip()!r}; expected identities from 1, as numbers", AGAIN
            )
    for identity, count in Counter(identities).items():
        if count > 1:
            findings.warning(path, f"names identity {identity} {count} times", "keep one of them")
    return sorted(set(identities))


@dataclass(frozen=True)
class LabelLine:
    """One usable line of a label list."""

    path: str
    label: int


def read_labels(tree: Tree, path: str, findings: Findings) -> list[LabelLine]:
    """The lines ``relative/path label`` of a list, in its order.

    Lines that are malformed, leave the dataset's folder or name no image become fatal findings. A
    line that is there twice counts twice, as in the field's code, with a warning.
    """
    text = read_text(tree.root, path, findings) or ""
    images = set(tree.images)
    label_of: dict[str, int] = {}
    times: Counter[str] = Counter()
    lines: list[LabelLine] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        found = _parse_label(line, where, images, findings)
        if found is None:
            continue
        before = label_of.setdefault(found.path, found.label)
        times[found.path] += 1
        if before != found.label:
            message = f"gives {found.path!r} the label {found.label}, an earlier line {before}"
            findings.fatal(where, message, AGAIN)
        elif times[found.path] > 1:
            findings.warning(
                where,
                f"repeats {found.path!r}, which so counts {times[found.path]} times",
                "remove the line if the release does not have it",
            )
        lines.append(found)
    return lines


def _parse_label(line: str, where: str, images: set[str], findings: Findings) -> LabelLine | None:
    name, label = [*line.strip().rsplit(None, 1), ""][:2]
    if not _is_number(label):
        findings.fatal(where, f"is {line[:80]!r}; expected 'relative/path label'", AGAIN)
        return None
    if reason := _unsafe(name):
        findings.fatal(where, f"names {name!r}, {reason}", "name files below the root only")
        return None
    path = str(PurePosixPath(name))
    if path not in images:
        findings.fatal(where, f"names {name!r}, but no such image is there", "restore the image")
        return None
    return LabelLine(path, int(label))


def _unsafe(name: str) -> str | None:
    """Why a listed path is refused, or None."""
    if "\\" in name:
        return "with backslashes; expected forward slashes"
    if PurePosixPath(name).is_absolute() or PureWindowsPath(name).drive:
        return "an absolute path"
    if ".." in PurePosixPath(name).parts:
        return "which leads out of its folder by '..'"
    return None


def _is_number(token: str) -> bool:
    return token.isascii() and token.isdecimal()


def folder_identity(path: str) -> int | None:
    """The identity that a path states: its last four-digit folder; None where it has none."""
    for part in reversed(PurePosixPath(path).parts[:-1]):
        if IDENTITY_FOLDER.fullmatch(part):
            return int(part)
    return None


def folder_camera(path: str) -> int | None:
    """The camera that a path states: its last ``camC`` folder; None where it has none."""
    for part in reversed(PurePosixPath(path).parts[:-1]):
        if match := CAMERA_FOLDER.fullmatch(part):
            return int(match[1])
    return None
