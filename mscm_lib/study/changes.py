"""What a study that was just made says beside the committed one: yours, theirs, and the way back."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from mscm_lib.paths import project_root, resolve

_KEY = ["dataset", "search", "scoring", "metric", "variant"]


def told(study: str) -> str:
    """Each network's mAP and rank-1 beside the committed ones, what changed, and how to put it back.

    Two results are called different where their 95 % intervals, which hold what other people and
    other seeds would have changed, do not overlap; another machine's rounding is of that size too.
    """
    folder = f"results/{study}/tables"
    mine = _compared((resolve(folder) / "comparison.csv").read_text(encoding="utf-8"))
    committed = _git("show", f"HEAD:./{folder}/comparison.csv")
    if not committed:
        return "No results of this study are committed to compare yours with."
    theirs = _compared(committed)
    lines = ["Yours beside the committed (percent, 95 % interval over people and seeds):"]
    for row in mine.merge(theirs, on=_KEY, suffixes=("", "_theirs")).to_dict("records"):
        apart = row["low"] > row["high_theirs"] or row["high"] < row["low_theirs"]
        verdict = "DIFFERENT" if apart else "as far apart as seeds and machines put them"
        yours, committed = _span(row, ""), _span(row, "_theirs")
        search = f"{row['search']} {row['scoring']}".strip()
        lines.append(
            f"  {row['variant']:<20} {row['dataset']:<8} {search:<12} {row['metric']:<4} {yours} "
            f"beside {committed}: {'the same' if yours == committed else verdict}"
        )
    places = [f"results/{study}", "dvc.lock", f"studies/{study}/dvc.lock"]
    changed = [line[3:] for line in _git("status", "--porcelain", "--", *places).splitlines()]
    if not changed:
        return "\n".join([*lines, "No tracked file has changed."])
    shown = [*changed[:6], *([f"… and {len(changed) - 6} more"] if len(changed) > 6 else [])]
    back = f"git checkout -- {' '.join(p for p in places if _git('ls-files', '--', p))}"
    return "\n".join([*lines, "Tracked files that changed:", *(f"  {name}" for name in shown),
                      f"To put the committed ones back: {back}"])  # fmt: skip


def _compared(text: str) -> pd.DataFrame:
    table = pd.read_csv(io.StringIO(text), keep_default_na=False)
    bounds = ["mean", "low", "high"]
    table[bounds] = table[bounds].apply(pd.to_numeric)
    return table[[*_KEY, *bounds]]


def _span(row: Mapping[Any, Any], whose: str) -> str:
    mean, low, high = (row[f"{name}{whose}"] for name in ("mean", "low", "high"))
    return f"{mean:.1f} [{low:.1f}, {high:.1f}]"


def _git(*arguments: str) -> str:
    """What git says in the project's root; "" where it says no or is not there."""
    root: Path = project_root()
    try:
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True)
    except OSError:
        return ""
    return done.stdout if not done.returncode else ""
