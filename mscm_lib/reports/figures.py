"""The study's figures, drawn from its tables alone, each with a sentence that says what it shows."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from mscm_lib.errors import DataError
from mscm_lib.files import atomic_path, write_text
from mscm_lib.paths import resolve
from mscm_lib.reports.experiment_figures import differences_figure
from mscm_lib.reports.experiments import read_experiment
from mscm_lib.reports.style import legend_below, use_style
from mscm_lib.study.settings import Study, load_study

FLOORS, CEILING = ("chance", "colour histogram", "untrained", "HOG", "HOG + LDA"), ("oracle",)


def write_figures(name: str) -> None:
    """Draw ``results/<study>/figures``; the same tables give the same bytes.

    Raises:
        ConfigError: there is no study of that name.
        DataError: the tables are not there.
    """
    study = load_study(name)
    use_style()
    metrics = read_table(study, "metrics")
    histories = read_table(study, "histories")
    with atomic_path(resolve(f"results/{study.name}/figures")) as folder:
        folder.mkdir()
        save(folder / "retrieval.png", retrieval(metrics), RETRIEVAL)
        if (experiment := read_experiment(name)).has_contrasts:
            drawn = differences_figure(
                experiment, experiment.contrasts(), "What each part adds last"
            )
            save(folder / "contrasts.png", drawn, STATED)
        save(folder / "training.png", training(histories), TRAINING)
        if any(definition.reader == "generated" for definition in study.data.values()):
            save(folder / "benchmark.png", benchmark(study), BENCHMARK)


def read_table(study: Study, name: str) -> pd.DataFrame:
    """A table of ``results/<study>/tables``; raises `DataError` where it is missing."""
    path = resolve(f"results/{study.name}/tables/{name}.csv")
    if not path.is_file():
        raise DataError(f"{path}: no such file; `make study` makes it")
    return pd.read_csv(path)


def save(path: Path, figure: Figure, text: str) -> None:
    """Save a figure as PNG without a date in it, and what it shows as text beside it."""
    figure.savefig(path, dpi=150, bbox_inches="tight", metadata={"Software": None})
    plt.close(figure)
    write_text(path.with_suffix(".txt"), text + "\n")


STATED = (
    "What MIMB, QCT and QFE add to the other two parts, in points of mAP: means over worlds with "
    "95 % intervals; filled where the verdict is better or worse."
)
RETRIEVAL = (
    "Rank-1 and mAP in percent of each network, below floors that need none and beside the ceiling "
    "of an ideal reader; one dot a run (a seed or a split), the bar their mean."
)


def retrieval(metrics: pd.DataFrame) -> Figure:
    """Rank-1 and mAP of every variant beside the references, one panel a search."""
    reported = metrics[metrics["reported"]].copy()
    scoring = reported["scoring"].fillna("")
    reported["panel"] = (reported["search"] + " " + scoring).str.strip()
    long = reported.melt(["variant", "panel"], ["rank1", "mean_ap"], "measure", "percent")
    long["percent"] *= 100
    long["measure"] = long["measure"].map({"rank1": "rank-1", "mean_ap": "mAP"})
    variants = list(dict.fromkeys(reported["variant"]))
    networks = [name for name in variants if name not in (*FLOORS, *CEILING)]
    order = [name for name in (*FLOORS, *networks, *CEILING) if name in set(variants)]
    panels = list(dict.fromkeys(long["panel"]))
    figure, axes = plt.subplots(
        1,
        len(panels),
        figsize=(4.6 * len(panels), 3.6),
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    for axis, panel in zip(axes[0], panels, strict=True):
        data = long[long["panel"] == panel]
        shared = {
            "data": data,
            "x": "variant",
            "y": "percent",
            "hue": "measure",
            "order": order,
            "ax": axis,
        }
        sns.barplot(**shared, errorbar=None, alpha=0.45)
        sns.stripplot(
            **shared,
            dodge=True,
            jitter=False,
            size=5,
            legend=False,
            edgecolor="black",
            linewidth=0.5,
        )
        axis.set(title=f"search: {panel}", xlabel="", ylabel="percent", ylim=(0, 100))
        plt.setp(axis.get_xticklabels(), rotation=30, ha="right", rotation_mode="anchor")
        axis.legend(title=None, loc="upper left")
    figure.suptitle("Retrieval of people never seen in training")
    return figure


TRAINING = (
    "Identity loss, metric loss and training accuracy over epochs, one line a run: the losses fall "
    "and the accuracy rises where training works. Different metric losses are different functions, "
    "whose values do not compare."
)


def training(histories: pd.DataFrame) -> Figure:
    """Losses and training accuracy of every run over epochs."""
    panels = {
        "identity_loss": ("identity loss", "nats"),
        "metric_loss": ("metric loss", "loss"),
        "accuracy": ("training accuracy", "percent"),
    }
    data = histories.copy()
    data["accuracy"] *= 100
    figure, axes = plt.subplots(1, 3, figsize=(12, 3.4), layout="constrained")
    for axis, (column, (title, unit)) in zip(axes, panels.items(), strict=True):
        sns.lineplot(
            data=data,
            x="epoch",
            y=column,
            hue="variant",
            style="variant",
            units=data[["dataset", "trial", "seed"]].astype(str).agg("-".join, axis=1),
            estimator=None,
            ax=axis,
            legend=axis is axes[0],
        )
        axis.set(title=title, xlabel="epoch", ylabel=unit)
    if data["metric_loss"].max() > 100 * data["metric_loss"].median() > 0:
        axes[1].set_yscale("log")  # one loss would press the others flat
    legend_below(figure, axes[0])
    return figure


BENCHMARK = (
    "The generated benchmark: one column a person, one row a camera; visible cameras above, "
    "near-infrared cameras below. Colour is lost in the infrared and so is most of a print; the "
    "outline, the cut of the clothes and what is carried stay."
)


def benchmark(study: Study) -> Figure:
    """A sheet of generated people by camera."""
    from mscm_lib.data.generated import GeneratedSettings, sample_sheet

    definition = next(d for d in study.data.values() if d.reader == "generated")
    sheet = sample_sheet(GeneratedSettings.preset(**definition.settings))
    figure, axis = plt.subplots(figsize=(9, 9 * sheet.height / sheet.width), layout="constrained")
    axis.imshow(sheet)
    axis.set_axis_off()
    return figure
