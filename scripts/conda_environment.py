"""Write environment.yml: Python and pip from conda, everything else the pins of the lock."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEAD = """\
# For conda users: Python and pip from conda, everything else exactly requirements.lock.
# Made by scripts/lock.sh; a test holds the two together. After `conda env create -f environment.yml`
# and `conda activate mscm`: pip install --no-deps --no-build-isolation -e .
name: mscm
channels: [conda-forge]
dependencies:
  - python >=3.11,<3.14
  - pip
  - pip:
"""


def pins(lock: str) -> list[str]:
    """Every requirement of a lock file, with its environment marker and without its hashes."""
    return [line.rstrip(" \\") for line in re.findall(r"^[A-Za-z0-9].*$", lock, re.MULTILINE)]


def environment(lock: str) -> str:
    """The whole text of environment.yml."""
    return HEAD + "".join(f'      - "{pin}"\n' for pin in pins(lock))


if __name__ == "__main__":
    text = environment((ROOT / "requirements.lock").read_text(encoding="utf-8"))
    (ROOT / "environment.yml").write_text(text, encoding="utf-8")
    sys.stdout.write(f"environment.yml: {text.count(chr(10)) - HEAD.count(chr(10))} pins\n")
