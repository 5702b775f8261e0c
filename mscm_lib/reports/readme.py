"""README.md's tables, written from what studies and benchmarks left."""

from __future__ import annotations

import re
from pathlib import Path

from mscm_lib.errors import DataError
from mscm_lib.files import write_text
from mscm_lib.paths import resolve
from mscm_lib.reports.benchmarks import benchmark_table
from mscm_lib.reports.diagrams import write_diagrams
from mscm_lib.reports.findings import findings_table

_BLOCK = re.compile(r"(<!-- results: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
_FOUND = re.compile(r"(<!-- experiments -->\n).*?(<!-- end -->)", re.DOTALL)
_SPEED = re.compile(r"(<!-- benchmarks -->\n).*?(<!-- end -->)", re.DOTALL)


def refreshed(text: str) -> str:
    """``text`` with every ``<!-- results: study -->`` block holding that study's summary table,
    the ``<!-- experiments -->`` block what the experiments found, and the ``<!-- benchmarks -->``
    block what the benchmarks measured.

    Raises:
        DataError: a block names a study that has no results.
    """

    def fill(match: re.Match[str]) -> str:
        path = resolve(f"results/{match[2]}/tables/summary.md")
        if not path.is_file():
            raise DataError(
                f"{path}: no such file; make it with `make study STUDY={match[2]}`, or take the "
                "block out of README.md"
            )
        return f"{match[1]}{path.read_text(encoding='utf-8')}{match[3]}"

    text = _SPEED.sub(lambda match: f"{match[1]}{benchmark_table()}{match[2]}", text)
    text = _FOUND.sub(lambda match: f"{match[1]}{findings_table('notebooks/')}{match[2]}", text)
    return _BLOCK.sub(fill, text)


def refresh(path: Path | str = "README.md") -> None:
    """Rewrite README.md's tables in place, and draw the diagrams that it shows."""
    write_diagrams()
    path = resolve(path)
    write_text(path, refreshed(path.read_text(encoding="utf-8")))
