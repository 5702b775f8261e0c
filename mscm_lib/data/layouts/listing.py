"""What lies in a dataset's folder, and whom its identity lists name."""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from mscm_lib.coercion import LONGEST
from mscm_lib.data.faults import Findings
from mscm_lib.data.layouts.mistaken import mistaken_for

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff")
IDENTITY_FOLDER = re.compile(r"\d{4}")
CAMERA_FOLDER = re.compile(r"cam(\d{1,9})")
AGAIN = "copy it again from the release"
PERMIT = "give yourself permission to read it"
COMPANION = "._"  # what macOS puts before the name of a file of its own beside another


@dataclass
class Tree:
    """The files below a root; paths are relative to it, POSIX style.

    Attributes:
        root: the folder.
        images: sorted image files.
        others: files that are no images by their suffix.
        copies: files of either kind that lie beside the one they are a copy of, with its name.
        folders: every folder.
        outside: images that a link brings in from outside the root.
    """

    root: Path
    images: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    copies: dict[str, str] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    outside: set[str] = field(default_factory=set)

    def elsewhere(self, folder: str) -> str | None:
        """A folder that may be the missing ``folder``, written otherwise or lying elsewhere."""
        wanted = loosely(folder)
        alike = sorted(found for found in self.folders if loosely(found).endswith(wanted))
        within = [f for f in alike if loosely(f) == wanted or loosely(f).endswith(f"/{wanted}")]
        return min(within, key=lambda found: found.count("/"), default=None)

    def folder_names(self, parent: str) -> list[str]:
        """Sorted names of the folders directly in ``parent``."""
        start = f"{parent}/"
        names = (f[len(start) :] for f in self.folders if f.startswith(start))
        return sorted(name for name in names if "/" not in name)


def scan(root: Path, findings: Findings) -> Tree:
    """Everything below ``root``, hidden files and folders aside; of ``others`` no copies."""
    tree = Tree(root)
    _scan_folder(tree, "", False, (root.resolve(),), findings)
    tree.images.sort()
    images = set(tree.images)
    originals = {path: original(path, images) for path in sorted([*tree.images, *tree.others])}
    tree.copies = {path: name for path, name in originals.items() if name}
    tree.others = sorted(set(tree.others) - set(tree.copies))
    return tree


def original(path: str, images: set[str]) -> str:
    """The name of the image that ``path`` is a copy of, as systems name copies; "" if of none.

    Whatever their language, they put words or brackets before or behind the name: "0001 (1).jpg",
    "0001 - Copy.jpg", "Copy of 0001.jpg"; editors put a "~" behind it.
    """
    folder, slash, name = path.rpartition("/")
    bare = name.removeprefix(COMPANION).removesuffix("~")
    stem, dot, ending = bare.rpartition(".")
    words = re.split(r"[ (]+", stem)
    names = (bare, words[0] + dot + ending, words[-1] + dot + ending)
    return next((n for n in names if n != name and folder + slash + n in images), "")


def _scan_folder(
    tree: Tree, folder: str, outside: bool, above: tuple[Path, ...], findings: Findings
) -> None:
    try:
        entries = list(os.scandir(tree.root / folder))
    except OSError as error:
        findings.error(
            folder or ".",
            f"the folder cannot be listed ({error.strerror})",
            PERMIT,
        )
        return
    for entry in entries:
        path = f"{folder}/{entry.name}" if folder else entry.name
        if entry.name.startswith(".") and not entry.name.startswith(COMPANION):
            continue
        if not _is_unicode(entry.name):
            shown = os.fsencode(path).decode("utf-8", "backslashreplace")
            findings.error(shown, "its name is not UTF-8, so it is left out", "rename it")
            continue
        try:
            _scan_entry(tree, entry, path, outside, above, findings)
        except PermissionError as error:  # of what a link points to
            findings.error(path, f"cannot be read ({error.strerror})", PERMIT)


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
    elif path.lower().endswith(IMAGE_SUFFIXES) and not entry.name.startswith(COMPANION):
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
        content = (root / path).read_bytes()
        text = content.decode("utf-8-sig")
    except FileNotFoundError:
        alike = _written_otherwise(root / path)
        found, remedy = (f"; {alike!r} is there", "rename it") if alike else ("", AGAIN)
        findings.fatal(path, f"the file is missing{found}", remedy)
    except UnicodeDecodeError:
        findings.fatal(path, "is not UTF-8 text", "save it again as plain UTF-8 text")
    except OSError as error:
        remedy = PERMIT if isinstance(error, PermissionError) else AGAIN
        findings.fatal(path, f"cannot be read ({error.strerror})", remedy)
    else:
        if mistaken := mistaken_for(content):
            findings.fatal(path, f"is {mistaken.kind}, no list", mistaken.remedy)
        elif text.strip():
            return text
        else:
            findings.fatal(path, "is empty", AGAIN)
    return None


def _written_otherwise(path: Path) -> str | None:
    """The name beside ``path`` that differs in case, zeros or a second ``.txt`` alone."""
    wanted = loosely(path.name)
    try:
        names = sorted(entry.name for entry in path.parent.iterdir())
    except OSError:
        return None
    return next(
        (n for n in names if loosely(n).removesuffix(".txt") in (wanted, wanted[:-4])), None
    )


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
        name = token.strip()
        if is_number(name) and int(name) > 0:
            identities.append(int(name))
        else:
            expected = f"identities from 1, as numbers of up to {LONGEST} digits"
            findings.fatal(path, f"names {name[:80]!r}; expected {expected}", AGAIN)
    for identity, count in Counter(identities).items():
        if count > 1:
            findings.warning(path, f"names identity {identity} {count} times", "keep one of them")
    return sorted(set(identities))


def is_number(token: str) -> bool:
    """Whether ``token`` is a whole number from 0 in plain digits, of no more than `LONGEST`."""
    return token.isascii() and token.isdecimal() and len(token) <= LONGEST


def loosely(path: str) -> str:
    """A path with what hands and systems write differently taken off: case, zeros, Unicode form."""
    parts = unicodedata.normalize("NFC", path).casefold().split("/")
    return "/".join(re.sub(r"(?<!\d)0+(?=\d)", "", part.strip()) for part in parts)


def report_identity_folders(tree: Tree, parent: str, findings: Findings) -> None:
    """A finding for the folders in ``parent`` that no identity is read from."""
    others = [name for name in tree.folder_names(parent) if not IDENTITY_FOLDER.fullmatch(name)]
    padded = [int(name) for name in others if is_number(name) and len(name) < 4]
    findings.alike(
        "error",
        [(f"{parent}/{name}", "is left out: identity folders have four digits") for name in others],
        f"rename it, for example to {padded[0]:04d}" if padded else "rename it",
    )


def report_missing(tree: Tree, folder: str, message: str, findings: Findings) -> None:
    """An error for a folder that is not there or empty, with the one that it may be."""
    found = None if folder in tree.folders else tree.elsewhere(folder)
    if found is None:
        findings.error(folder, message, "unpack the release again and compare its folders")
    else:
        findings.error(folder, f"{message}; {found!r} is there", f"rename it to {folder!r}")


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
