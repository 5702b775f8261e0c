"""The study's figures, drawn from its tables alone, each with a sentence that says what it shows."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from mscm_lib.files import atomic_path, write_text
from mscm_lib.paths import resolve
from mscm_lib.reports.experiment_figures import differences_figure
from mscm_lib.reports.experiments import read_measured, read_table
from mscm_lib.reports.style import as_written, use_style
from mscm_lib.study.settings import Study
from mscm_lib.study.variants import CEILING, FLOORS


def write_figures(name: str) -> None:
    """Draw ``results/<study>/figures``; the same tables give the same bytes.

    Raises:
        ConfigError: there is no study of that name.
        DataError: the tables are not there.
    """
    experiment = read_measured(name)
    use_style()
    with atomic_path(resolve(f"results/{name}/figures")) as folder:
        folder.mkdir()
        save(folder / "retrieval.png", retrieval(experiment.metrics, experiment.study), RETRIEVAL)
        if experiment.study.contrasts:
            title = experiment.study.title
            drawn = differences_figure(experiment, experiment.contrasts(), title)
            save(folder / "contrasts.png", drawn, STATED)
        save(folder / "training.png", training(read_table(name, "histories")), TRAINING)
        if any(each.reader == "generated" for each in experiment.study.data.values()):
            save(folder / "benchmark.png", benchmark(experiment.study), BENCHMARK)


def save(path: Path, figure: Figure, text: str) -> None:
    """Save a figure as PNG without a date in it, and what it shows as text beside it."""
    figure.savefig(path, dpi=150, bbox_inches="tight", metadata={"Software": None})
    plt.close(figure)
    write_text(path.with_suffix(".txt"), text + "\n")


STATED = (
    "The contrasts of the study, in points of mAP: means over worlds with 95 % intervals; "
    "filled where the verdict is better or worse."
)
RETRIEVAL = (
    "Rank-1 and mAP in percent of each network, behind floors that need none; one dot a run (a world, "
    "a seed or a split), the bar their mean. The ceiling of generated people, an ideal reader, is in the "
    "table alone."
)


@as_written
def retrieval(metrics: pd.DataFrame, study: Study) -> Figure:
    """Rank-1 and mAP of every variant beside the references, one panel a search."""
    reported = metrics[metrics["reported"] & (metrics["variant"] != CEILING)].copy()
    reported["variant"] = reported["variant"].replace(study.labels)
    scoring = reported["scoring"].fillna("")
    reported["panel"] = (reported["search"] + " " + scoring).str.strip()
    long = reported.melt(["variant", "panel"], ["rank1", "mean_ap"], "measure", "percent")
    long["percent"] *= 100
    long["measure"] = long["measure"].map({"rank1": "rank-1", "mean_ap": "mAP"})
    variants = list(dict.fromkeys(reported["variant"]))
    order = sorted(variants, key=lambda name: FLOORS.index(name) if name in FLOORS else len(FLOORS))
    panels = list(dict.fromkeys(long["panel"]))
    size = max(4.6, 0.5 * len(order)) * len(panels), 3.8
    figure, axes = plt.subplots(
        1, len(panels), figsize=size, sharey=True, squeeze=False, layout="constrained"
    )
    for axis, panel in zip(axes[0], panels, strict=True):
        place = {"x": "variant", "y": "percent", "hue": "measure", "order": order, "ax": axis}
        data = long[long["panel"] == panel]
        sns.barplot(data, **place, errorbar=None, alpha=0.45)
        dots = {"size": 5, "edgecolor": "black", "linewidth": 0.5}
        sns.stripplot(data, **place, dodge=True, jitter=False, legend=False, **dots)
        axis.set(title=f"search: {panel}", xlabel="", ylabel="percent")
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
    data = histories.assign(accuracy=100 * histories["accuracy"])
    runs = data[["dataset", "trial", "seed"]].astype(str).agg("-".join, axis=1)
    figure, axes = plt.subplots(1, 3, figsize=(12, 3.4), layout="constrained")
    for axis, (column, (title, unit)) in zip(axes, panels.items(), strict=True):
        sns.lineplot(
            data, x="epoch", y=column, hue="variant", style="variant", units=runs, estimator=None,
            ax=axis, legend=axis is axes[0],
        )  # fmt: skip
        axis.set(title=title, xlabel="epoch", ylabel=unit)
    if data["metric_loss"].max() > 100 * data["metric_loss"].median() > 0:
        axes[1].set_yscale("log")  # one loss would press the others flat
    handles, labels = axes[0].get_legend_handles_labels()
    axes[0].get_legend().remove()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=9)
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
