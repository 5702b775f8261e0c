"""Whether the Python that runs this has what pyproject.toml asks for, the library included.

Run with -P, so that what it finds is what is installed. Versions need not be those of
requirements.lock; how many differ is said.
"""

from __future__ import annotations

import contextlib
import importlib.util
import re
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def lacking() -> list[str]:
    """Requirements, of the library and for development, that no installed package meets."""
    import tomllib

    from packaging.requirements import Requirement

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found = []
    for text in [*project["dependencies"], *project["optional-dependencies"]["dev"]]:
        wanted = Requirement(text)
        try:
            if not wanted.specifier.contains(version(wanted.name), prereleases=True):
                found.append(f"{text} (there is {version(wanted.name)})")
        except PackageNotFoundError:
            found.append(text)
    return found


def other_versions() -> int:
    """How many installed packages differ from requirements.lock."""
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    pins: dict[str, set[str]] = {}
    for name, pin in re.findall(r"^([\w.-]+)==([^\s;]+)", lock, re.MULTILINE):
        pins.setdefault(name, set()).add(pin)
    differ = 0
    for name, known in pins.items():
        with contextlib.suppress(PackageNotFoundError):
            differ += version(name).partition("+")[0] not in known
    return differ


def main() -> tuple[int, str]:
    """Exit status and one line: 0 it will do, 1 it will not, 2 only the library itself is missing."""
    if not (3, 11) <= sys.version_info < (3, 14):
        return (
            1,
            f"it has Python {sys.version_info.major}.{sys.version_info.minor}, not 3.11 to 3.13",
        )
    try:
        missing = lacking()
    except ImportError as error:
        missing = [str(error.name)]
    if missing:
        return 1, f"it lacks {', '.join(missing)}; to use it: pip install -r requirements.lock"
    library = importlib.util.find_spec("mscm_lib")
    if library is None:
        return 2, "all there but the study's own library"
    if not library.origin or Path(library.origin).resolve().parent.parent != ROOT:
        return 1, f"it has another copy of the study: {library.origin}"
    differ = other_versions()
    return (
        0,
        f"{differ} packages of other versions than requirements.lock" if differ else "complete",
    )


if __name__ == "__main__":
    status, line = main()
    print(line)
    sys.exit(status)
