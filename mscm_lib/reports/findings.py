"""What the experiments found, a line each, from the tables that they left."""

from __future__ import annotations

from mscm_lib.reports.experiments import Experiment, read_experiment
from mscm_lib.reports.pages import studies_of_notebooks

_HEAD = ("experiment", "compared with", "better", "worse", "neither", "runs", "command")


def findings_table(folder: str = "") -> str:
    """A Markdown table of every experiment: the verdict on each variant beside the reference.

    Differences are in points of mAP on the experiment's first benchmark and search, with 95 %
    intervals; an experiment that has not been run here is named with its command and no figure.

    Args:
        folder: of the notebooks as seen from the page, with its slash.
    """
    lines = [f"| {' | '.join(_HEAD)} |", "| " + " | ".join("---" for _ in _HEAD) + " |"]
    for stem, name in studies_of_notebooks().items():
        experiment = read_experiment(name)
        title = name.replace("_", "-")
        cells = [f"[{title}]({folder}{stem}.ipynb)", *_found(experiment), f"`{experiment.command}`"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _found(experiment: Experiment) -> list[str]:
    """Reference, better, worse, neither and why, number of runs."""
    if not experiment.measured:
        return ["not run here", "", "", "", ""]
    rows = experiment.rows()
    own = rows.loc[experiment.study.reference]
    told: dict[str, list[str]] = {"better": [], "worse": []}
    for row in rows.dropna(subset=["difference"]).itertuples():
        span = f" {row.difference:+.1f} [{row.difference_low:+.1f}, {row.difference_high:+.1f}]"
        shown = span if row.verdict in ("better", "worse") else ""
        told.setdefault(str(row.verdict), []).append(f"{row.label}{shown}")
    better, worse = ("; ".join(told.pop(name)) or "none" for name in ("better", "worse"))
    neither = "; ".join(f"{why}: {', '.join(names)}" for why, names in told.items()) or "none"
    runs = f"{len(experiment.provenance)}, {experiment.study.repeats} a network and dataset"
    return [f"{own['label']}, {own['mean']:.1f}", better, worse, neither, runs]
