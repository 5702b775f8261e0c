"""Whether the Python that runs this has what pyproject.toml asks for: exit status 0, or 1 and what lacks.

Run with -P, so that what it finds is what is installed. The versions need not be the lock's; how many
differ is said.
"""

from __future__ import annotations

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
    differ = set()
    for name, pinned in re.findall(r"^([\w.-]+)==([^\s;]+)", lock, re.MULTILINE):
        try:
            if version(name).partition("+")[0] != pinned:
                differ.add(name)
        except PackageNotFoundError:
            pass
    return len(differ)


def main() -> str | None:
    """What is wrong, or None."""
    if not (3, 11) <= sys.version_info < (3, 14):
        return f"it has Python {sys.version_info.major}.{sys.version_info.minor}, not 3.11 to 3.13"
    try:
        missing = lacking()
    except ImportError as error:
        return f"it lacks {error.name}; pip install -r requirements.lock would complete it"
    if missing:
        return f"it lacks {', '.join(missing)}; pip install -r requirements.lock would complete it"
    library = importlib.util.find_spec("mscm_lib")
    if not library or not library.origin or Path(library.origin).resolve().parent.parent != ROOT:
        where = library.origin if library else "none"
        return f"""its mscm_lib is not this folder's ({where}): \
pip install --no-deps --no-build-isolation -e . in it"""
    print(
        f"{count} packages differ from requirements.lock" if (count := other_versions()) else "ok"
    )
    return None


if __name__ == "__main__":
    sys.exit(main())
