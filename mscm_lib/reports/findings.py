"""What the studies found, a line each, from the tables that they left."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from mscm_lib.markdown import markdown_table
from mscm_lib.paths import resolve
from mscm_lib.reports.experiments import Experiment, read_experiment, span
from mscm_lib.study.comparison import FLOOR, VERDICTS
from mscm_lib.study.copies import QUICK, studies_of_notebooks
from mscm_lib.study.settings import study_names

EARLIER = "Of an earlier version"  # how a front page calls runs that other code or parameters made


def findings(root: str = "") -> str:
    """A Markdown table, every study that has been run with its verdicts, and the experiments that wait.

    A study of single trainings, such as a choice of rates, says nothing that could be told in a line.

    Args:
        root: the way to the project's root from the page, with its slash.
    """
    experiments = [*studies_of_notebooks().values()]
    names = [*experiments, *sorted({*study_names()} - {QUICK, *experiments}), QUICK]
    read = [read_experiment(name) for name in names if name in study_names()]
    repeated = [e for e in read if e.measured and len(e.study.data) * e.study.repeats > 1]
    rows = [row for e in repeated for row in _table(e, f"**{link(e.study.name, root)}**")]
    table = markdown_table(["study", "difference of mAP, points [95 %]", "verdict"], rows)
    waiting = [e.study.name for e in read if not e.measured and e.study.name in experiments]
    if waiting:
        told = ", ".join(link(name, root) for name in waiting)
        table += f"\nOpen, not measured here: {told}; `make study STUDY=<name>` measures one.\n"
    return table


def link(study: str, root: str = "") -> str:
    """A study's name, leading to its executed notebook, else its front page, else the source."""
    stem = next((s for s, name in studies_of_notebooks().items() if name == study), "")
    places = [f"results/{study}/reports/{stem}.ipynb", f"results/{study}/README.md"]
    places += [f"notebooks/{stem}.ipynb"]
    there = next((place for place in places if resolve(place).is_file()), "")
    name = study.replace("_", "-")
    return f"[{name}]({root}{there})" if there else name


def _table(experiment: Experiment, name: str) -> Iterator[list[str]]:
    """A study's rows of the table of findings: its contrasts, then other pairs, a row a verdict."""
    place = f"{name}<br>beside {_reference(experiment)}; {_replicates(experiment)}"
    page = resolve(f"results/{experiment.study.name}/README.md")
    if page.is_file() and EARLIER in page.read_text(encoding="utf-8"):
        place += f"; **{EARLIER.lower()}**"
    for compared in _compared(experiment):
        for differences, verdict in _by_verdict(compared, "<br>"):
            yield [place, differences, verdict]
            place = ""


def found(experiment: Experiment) -> str:
    """One line: the reference, then every difference from it with its interval, by verdict."""
    told = "; ".join(filter(None, map(verdicts, _compared(experiment))))
    return f"points of mAP beside {_reference(experiment)}, {_replicates(experiment)}: {told}"


def _compared(experiment: Experiment) -> Iterator[pd.DataFrame]:
    """The contrasts of a study that names some, then the pairs that are none of them."""
    rows, stated = experiment.rows(), experiment.study.contrasts
    if stated:
        yield experiment.contrasts()
    pairs = [{*c} for c in stated.values() if len(c) == 2]
    yield rows[[{name, experiment.study.reference} not in pairs for name in rows.index]]


def _reference(experiment: Experiment) -> str:
    own = experiment.rows().loc[experiment.study.reference]
    return f"{own['label']} ({own['mean']:.1f})"


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
    return "; ".join(f"{differences}: {verdict}" for differences, verdict in _by_verdict(rows))


def _by_verdict(rows: pd.DataFrame, between: str = ", ") -> Iterator[tuple[str, str]]:
    rows = rows.dropna(subset=["difference"])
    kinds = rows["verdict"].map(lambda verdict: str(verdict).partition(" (")[0])
    for kind, group in rows.groupby(kinds, sort=False):
        told = str(kind)
        if told == VERDICTS[3]:
            seen = group["detectable"].agg(["min", "max"]).map("{:.1f}".format).unique()
            told += f" (could have seen {' to '.join(seen)} points)"
        yield between.join(f"{row.label} {span(row)}" for row in group.itertuples()), f"*{told}*"


def gate(experiment: Experiment) -> str:
    """The figures that decide whether comparisons get a verdict, as a sentence."""
    held = experiment.gate()
    floor = "was not measured" if pd.isna(held.floor) else f"reaches {held.floor:.1f} mAP"
    least = ", ".join(f"{experiment.label(n)} {value:.2f}" for n, value in held.accuracies.items())
    worlds = len(experiment.study.data)
    where = "means over worlds" if worlds > 1 else f"on {experiment.dataset}"
    return (
        f"The gate of PROTOCOL.md, {where}: {FLOOR} {floor}, the "
        f"reference network {held.reference:.1f}; training accuracy at the end, the least of each "
        f"network's runs: {least}."
    )


def _replicates(experiment: Experiment) -> str:
    row = experiment.rows().iloc[0]
    one = row["seeds"] == 1
    seeds = "one training a network in each" if one else f"{row['seeds']:.0f} seeds in each"
    return f"{row['worlds']:.0f} world{'s' if row['worlds'] > 1 else ''}, {seeds}"
