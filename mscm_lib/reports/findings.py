"""What the studies found, a line each, from the tables that they left."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from mscm_lib.paths import resolve
from mscm_lib.reports.experiments import Experiment, read_experiment, span
from mscm_lib.study.comparison import FLOOR, VERDICTS
from mscm_lib.study.copies import QUICK, studies_of_notebooks
from mscm_lib.study.settings import study_names


def findings(root: str = "") -> str:
    """A Markdown list: every study that has been run with its verdicts, and the experiments that wait.

    A study of single trainings, such as a choice of rates, says nothing that could be told in a line.

    Args:
        root: the way to the project's root from the page, with its slash.
    """
    experiments = [*studies_of_notebooks().values()]
    names = [*experiments, *sorted({*study_names()} - {QUICK, *experiments}), QUICK]
    read = [read_experiment(name) for name in names if name in study_names()]
    repeated = [e for e in read if e.measured and len(e.study.data) * e.study.repeats > 1]
    lines = [f"- **{link(e.study.name, root)}**: {found(e)}" for e in repeated]
    waiting = [e.study.name for e in read if not e.measured and e.study.name in experiments]
    if waiting:
        told = ", ".join(link(name, root) for name in waiting)
        lines.append(f"- open, not measured here: {told}; `make study STUDY=<name>` measures one")
    return "\n".join(lines) + "\n"


def link(study: str, root: str = "") -> str:
    """A study's name, leading to its executed notebook, else its front page, else the source."""
    stem = next((s for s, name in studies_of_notebooks().items() if name == study), "")
    places = [f"results/{study}/reports/{stem}.ipynb", f"results/{study}/README.md"]
    places += [f"notebooks/{stem}.ipynb"]
    there = next((place for place in places if resolve(place).is_file()), "")
    name = study.replace("_", "-")
    return f"[{name}]({root}{there})" if there else name


def found(experiment: Experiment) -> str:
    """One line: the reference, then every difference from it with its interval, by verdict."""
    rows = experiment.rows()
    own = rows.loc[experiment.study.reference]
    beside = f"points of mAP beside {own['label']} ({own['mean']:.1f}), {_replicates(experiment)}: "
    if not (stated := experiment.study.contrasts):
        return beside + verdicts(rows)
    asked = f"stated in advance, {verdicts(experiment.contrasts())}"
    pairs = [{*c} for c in stated.values() if len(c) == 2]
    others = verdicts(
        rows[[{name, experiment.study.reference} not in pairs for name in rows.index]]
    )
    return beside + "; pairs, ".join(filter(None, (asked, others)))


def told(experiment: Experiment) -> str:
    """What a study's runs show: a sentence a network, then the gate; a list in Markdown."""
    if not experiment.measured:
        return experiment.state
    rows = experiment.rows().dropna(subset=["difference"])
    other = experiment.label(experiment.study.reference)
    lines = [f"- {_sentence(row, other)}" for row in rows.itertuples()]
    return "\n".join([*lines, "", gate(experiment)])


def _sentence(row: Any, other: str) -> str:
    measured = f"{span(row, ' points')} of mAP"
    verdict = str(row.verdict)
    if verdict in ("better", "worse"):
        return f"**{row.label}** does {verdict} than {other}: {measured}."
    if verdict.startswith(VERDICTS[2:]):
        return f"**{row.label}** and {other} are {verdict}: {measured}."
    return f"**{row.label}** beside {other}: no verdict, {verdict} ({measured})."


def verdicts(rows: pd.DataFrame) -> str:
    """Differences with 95 % intervals, those of one verdict together."""
    told: dict[str, list[Any]] = {}
    for row in rows.dropna(subset=["difference"]).itertuples():
        told.setdefault(str(row.verdict).partition(" (")[0], []).append(row)
    return "; ".join(
        f"{', '.join(f'{row.label} {span(row)}' for row in group)}: *{why}{_seen(why, group)}*"
        for why, group in told.items()
    )


def _seen(verdict: str, rows: Sequence[Any]) -> str:
    """What could have been seen, where nothing was."""
    if verdict != VERDICTS[3]:
        return ""
    seen = sorted(row.detectable for row in rows)
    told = " to ".join(dict.fromkeys(f"{each:.1f}" for each in (seen[0], seen[-1])))
    return f" (could have seen {told} points)"


def gate(experiment: Experiment) -> str:
    """The figures that decide whether comparisons get a verdict, as a sentence."""
    held = experiment.gate()
    floor = "was not measured" if pd.isna(held.floor) else f"reaches {held.floor:.1f} mAP"
    least = ", ".join(f"{experiment.label(n)} {value:.2f}" for n, value in held.accuracies.items())
    return (
        f"The gate of PROTOCOL.md on {experiment.dataset}: {FLOOR} {floor}, the "
        f"reference network {held.reference:.1f}; training accuracy at the end, the least of each "
        f"network's runs: {least}."
    )


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines) + "\n"


def _replicates(experiment: Experiment) -> str:
    row = experiment.rows().iloc[0]
    one = row["seeds"] == 1
    seeds = "one training a network in each" if one else f"{row['seeds']:.0f} seeds in each"
    return f"{row['worlds']:.0f} world{'s' if row['worlds'] > 1 else ''}, {seeds}"
