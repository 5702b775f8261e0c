"""A label or a title is drawn as it is written, whatever it holds."""

import io
from dataclasses import replace

import pandas as pd
import pytest

from mscm_lib.reports import experiment_figures as draw
from mscm_lib.reports import figures
from mscm_lib.reports.experiments import read_experiment

ODD = r"$x_$1 \frac{"  # a formula that there is not


@pytest.fixture(scope="module")
def experiment():
    """A measured one whose every label is odd."""
    found = read_experiment("components")
    labels = {name: f"{ODD} {name}" for name in found.study.variants}
    return replace(found, study=replace(found.study, labels=labels, title=ODD))


@pytest.mark.parametrize("kind", ["means", "differences", "curves", "cost", "retrieval"])
def test_a_label_is_no_formula(experiment, kind):
    rows = experiment.rows()
    numbered = rows.set_axis(range(len(rows)))
    costs = pd.DataFrame({"images": range(len(rows))}, index=rows.index)
    figure = {
        "means": lambda: draw.means_figure(experiment, ODD),
        "differences": lambda: draw.differences_figure(experiment, rows, ODD),
        "curves": lambda: draw.curves_figure(experiment, {ODD: numbered, "b": numbered}, "x", ODD),
        "cost": lambda: draw.cost_figure(experiment, costs, ODD),
        "retrieval": lambda: figures.retrieval(experiment.metrics, experiment.study),
    }[kind]()
    drawn = io.BytesIO()
    figure.savefig(drawn, format="svg")
    assert drawn.tell()
