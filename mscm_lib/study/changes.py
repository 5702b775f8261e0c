"""What has changed: a study that was just made beside the committed one, and what made its runs since."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from mscm_lib.paths import project_root, resolve
from mscm_lib.provenance import git
from mscm_lib.study.code import FOLDER, OWN, write_code, write_own_code
from mscm_lib.study.copies import own_files
from mscm_lib.study.reading import read_yaml
from mscm_lib.study.settings import Study

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


def changed(study: Study) -> list[str]:
    """Code and parameters that are no longer those that made the study's runs, by DVC's own lock.

    The lock itself is among them where it does not name all of the runs.
    """
    if not resolve(FOLDER).is_dir():
        write_code()
    if own_files(study) and not resolve(f"{OWN}/{study.name}").is_dir():
        write_own_code(study)
    path = resolve("dvc.lock")
    stages = read_yaml(path)["stages"] if path.is_file() else {}
    made = [f"{kind}@{run.name}" for run in study.runs() for kind in ("train", "evaluate")]
    read = [d for stage in made for d in stages.get(stage, {}).get("deps", [])]
    read = [d for d in read if d["path"].startswith(("build/", "plan/"))]
    unnamed = {path.name for stage in made if stage not in stages}
    return sorted(unnamed | {d["path"] for d in read if _md5(resolve(d["path"])) != d["md5"]})


def _md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest() if path.is_file() else ""


def _trained(text: str) -> pd.DataFrame:
    """The reported figures of every trained network, a row a run and search."""
    table = pd.read_csv(io.StringIO(text), dtype={"scoring": "string"}).fillna({"scoring": ""})
    bounds = [f"{m}{end}" for m in _MEASURES.values() for end in ("", "_low", "_high")]
    return table[(table["kind"] == "trained") & table["reported"]][[*_KEY, *bounds]]


def _span(row: Mapping[Any, Any], measure: str, whose: str) -> str:
    mean, low, high = (100 * row[f"{measure}{end}{whose}"] for end in ("", "_low", "_high"))
    return f"{mean:.1f} [{low:.1f}, {high:.1f}]"
