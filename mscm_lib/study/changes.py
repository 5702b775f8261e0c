"""What a study that was just made says beside the committed one: yours, theirs, and the way back."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import pandas as pd

from mscm_lib.paths import project_root, resolve
from mscm_lib.provenance import git

_KEY = ["dataset", "variant", "trial", "seed", "search", "scoring"]
_MEASURES = {"mAP": "mean_ap", "R1": "rank1"}


def told(study: str) -> str:
    """Each run's mAP and rank-1 beside the committed ones, what changed, and how to put it back.

    Two figures are called different where their 95 % intervals over people do not overlap. Another
    kind of processor rounds differently, and from random weights a training then ends elsewhere, as
    one from another seed does: within these intervals, unless something else has changed.
    """
    root, path = project_root(), f"results/{study}/tables/metrics.csv"
    committed = git(root, "show", f"HEAD:./{path}")
    if not committed:
        return "No results of this study are committed to compare yours with."
    mine, theirs = _trained(resolve(path).read_text(encoding="utf-8")), _trained(committed)
    lines = ["Yours beside the committed (percent, 95 % interval over people):"]
    for row in mine.merge(theirs, on=_KEY, suffixes=("", "_theirs")).to_dict("records"):
        run = f"{row['dataset']}, {row['variant']}, seed {row['seed']}, {row['search']}"
        for label, measure in _MEASURES.items():
            apart = row[f"{measure}_low"] > row[f"{measure}_high_theirs"]
            apart |= row[f"{measure}_high"] < row[f"{measure}_low_theirs"]
            yours, other = _span(row, measure, ""), _span(row, measure, "_theirs")
            verdict = "DIFFERENT" if apart else "as other seeds and machines would be"
            if yours == other:
                verdict = "the same"
            lines.append(f"  {run:<42} {label:<4} {yours} beside {other}: {verdict}")
    places = [f"results/{study}", "dvc.lock", f"studies/{study}/dvc.lock"]
    changed = [
        line[3:] for line in git(root, "status", "--porcelain", "-uno", "--", *places).splitlines()
    ]
    if not changed:
        return "\n".join([*lines, "No tracked file has changed."])
    shown = [*changed[:6], *([f"… and {len(changed) - 6} more"] if len(changed) > 6 else [])]
    back = f"git checkout -- {' '.join(p for p in places if git(root, 'ls-files', '--', p))}"
    return "\n".join([*lines, "Tracked files that changed:", *(f"  {name}" for name in shown),
                      f"To put the committed ones back: {back}"])  # fmt: skip


def _trained(text: str) -> pd.DataFrame:
    """The reported figures of every trained network, a row a run and search."""
    table = pd.read_csv(io.StringIO(text), dtype={"scoring": "string"}).fillna({"scoring": ""})
    bounds = [f"{m}{end}" for m in _MEASURES.values() for end in ("", "_low", "_high")]
    return table[(table["kind"] == "trained") & table["reported"]][[*_KEY, *bounds]]


def _span(row: Mapping[Any, Any], measure: str, whose: str) -> str:
    mean, low, high = (100 * row[f"{measure}{end}{whose}"] for end in ("", "_low", "_high"))
    return f"{mean:.1f} [{low:.1f}, {high:.1f}]"
