"""git's diff and merge of notebooks, cell by cell through nbdime, and never worse than git's own.

Set-up copies this file into the repository's git folder and names it in git's configuration. Where
nbdime is not installed, or fails, notebooks are compared and merged as text.

    notebook_drivers.py diff PATH OLD … NEW …        what git gives to an external diff
    notebook_drivers.py merge %O %A %B %L %P         what git gives to a merge driver
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

CRASHED = 70  # nbdime itself ends with 1 after a crash and after a conflict alike
CALL = """
import sys
from nbdime.vcs.git.{} import main
try:
    sys.exit(main(sys.argv[1:]))
except Exception as error:
    print(type(error).__name__, error, sep=": ", file=sys.stderr)
    sys.exit(70)
"""
UNSEEN = ["--ignore-outputs", "--ignore-metadata", "--ignore-details", "--ignore-id"]
EXECUTED = "results/"  # copies whose outputs are what they are for


def diff(arguments: list[str]) -> int:
    """Show what changed in prose and code, and in the outputs of executed copies.

    Always 0, since git takes all else for a crash.
    """
    if len(arguments) == 1:
        print(f"* Unmerged path {arguments[0]}")
        return 0
    colours = sys.stdout.isatty() or os.environ.get("GIT_PAGER_IN_USE")
    unseen = UNSEEN[1:] if arguments[0].startswith(EXECUTED) else UNSEEN
    options = [*unseen, *([] if colours else ["--no-color"])]
    python, old, new = _python(), arguments[1], arguments[4]
    if not python or _nbdime(python, "diffdriver", ["diff", *options, *arguments]).returncode:
        subprocess.run(["git", "diff", "--no-index", "--no-ext-diff", "--", old, new], check=False)
    return 0


def merge(base: str, ours: str, theirs: str, marks: str, path: str) -> int:
    """Merge into ``ours``: 0 when that is done, 1 when conflicts are marked in it.

    What nbdime makes counts only if every line that a side added is in it; else git merges text.
    """
    with tempfile.TemporaryDirectory() as folder:
        merged = str(Path(folder, "merged.ipynb"))
        shutil.copyfile(ours, merged)
        why = "nbdime is not installed"
        if python := _python():
            run = _nbdime(python, "mergedriver", ["merge", base, merged, theirs, marks, path], True)
            why = f"nbdime failed ({(run.stderr.strip().splitlines() or ['no reason given'])[-1]})"
            if run.returncode in (0, 1):
                if _lines(merged) >= (_lines(ours) | _lines(theirs)) - _lines(base):
                    shutil.copyfile(merged, ours)
                    return run.returncode
                why = "nbdime lost lines"
    names = ["-L", "ours", "-L", "base", "-L", "theirs", f"--marker-size={marks}"]
    conflicts = subprocess.run(["git", "merge-file", *names, ours, base, theirs]).returncode
    _say(f"{path}: {why}; merged as text" + (", conflicts are marked" if conflicts else ""))
    if not conflicts and not _lines(ours):
        _say(f"{path}: the merged text is no notebook; mend it by hand")
        return 1
    return min(conflicts, 1)


def _python() -> str | None:
    """A Python that has nbdime: of this work tree, of the repository's main one, or on the path."""
    command = "git-nbmergedriver"
    trees = (Path.cwd(), Path(__file__).resolve().parent.parent)
    places = [tree / ".venv/bin" / command for tree in trees] + [Path(shutil.which(command) or "")]
    return next((str(p.parent / "python") for p in places if p.is_file()), None)


def _nbdime(
    python: str, driver: str, arguments: list[str], quiet: bool = False
) -> subprocess.CompletedProcess[str]:
    command = [python, "-c", CALL.format(driver), *arguments]
    try:
        return subprocess.run(command, stderr=subprocess.PIPE if quiet else None, text=True)
    except OSError as error:  # an environment whose Python is gone
        return subprocess.CompletedProcess(command, CRASHED, stderr=str(error))


def _lines(path: str) -> set[str]:
    """Every line of every cell; none when it is no notebook, as the base of two new files is."""
    try:
        cells = json.loads(Path(path).read_text(encoding="utf-8"))["cells"]
        return {line for cell in cells for line in "".join(cell["source"]).splitlines()}
    except (ValueError, TypeError, KeyError):
        return set()


def _say(text: str) -> None:
    print(text, file=sys.stderr)


if __name__ == "__main__":
    command, *rest = sys.argv[1:] or [""]
    if command == "merge" and len(rest) == 5:
        sys.exit(merge(*rest))
    if command == "diff" and (len(rest) >= 7 or len(rest) == 1):
        sys.exit(diff(rest))
    sys.exit(__doc__)
