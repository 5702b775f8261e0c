"""Tables that notebooks make by themselves, beside the same figures counted by hand from a few rows."""

import ast
from statistics import mean

import pandas as pd
import pytest

from mscm_lib.reports import experiments
from mscm_lib.reports.executed import read_notebook
from mscm_lib.reports.experiments import read_experiment
from tests.notebooks.shared import ROOT

PROBES = ["dataset", "variant", "images", "kind", "target", "classes", "score", "above_chance"]


def shown(stem, phrase, names):
    """What the cell with a phrase ends with; ``names`` are those before it and, then, after it."""
    cells = read_notebook(ROOT / f"notebooks/{stem}.ipynb").cells
    (source,) = (c.source for c in cells if c.cell_type == "code" and phrase in c.source)
    *statements, last = ast.parse(source).body
    if not isinstance(last, ast.Expr):
        return exec(source, names)
    exec(ast.unparse(ast.Module(statements, [])), names)
    return eval(ast.unparse(last), names)


@pytest.fixture
def reads(monkeypatch):
    """``reads(rows, columns)``: that table is the one that a notebook finds; gives its reader."""

    def put(rows, columns):
        monkeypatch.setattr(
            experiments, "read_table", lambda *_: pd.DataFrame(rows, columns=columns)
        )
        return experiments.read_table

    return put


def probed(network, kind, target, scores, images="visible", dataset="shared-40"):
    return [[dataset, network, images, kind, target, 4, s, (s - 0.25) / 0.75] for s in scores]


def test_11_shows_shares_of_a_blocks_output_in_percent_as_means_over_runs(reads):
    columns = ["dataset", "variant", "measure", "part", "value"]
    source, reach = [0.11, 0.22, 0.6], [0.5, 0.75]
    rows = [["lab", "mscmnet", "explained by the source", "stem", each] for each in source]
    rows += [["lab", "mscmnet", "reach", "stem", each] for each in reach]
    reads(rows, columns)
    names = {"study": "lab"}
    table = shown("11_training_report", "explained by both", names)
    row = names["blocks"].loc[("lab", "mscmnet", "stem")]
    assert row["explained by the source"] == pytest.approx(100 * mean(source))
    assert row["reach"] == pytest.approx(100 * mean(reach))
    assert f"{100 * mean(source):.0f} %</td>" in table.to_html()


def test_11_shows_what_a_probe_reads_of_the_camera_in_percent_beside_chance(reads):
    scores = [0.3, 0.4, 0.8]
    reader = reads(probed("mscmnet", "camera", "camera", scores), PROBES)
    names = {"study": "lab", "place": ["dataset", "variant"], "pd": pd, "read_table": reader}
    html = shown("11_training_report", '"camera"]', names).to_html()
    assert f"{100 * mean(scores):.0f}</td>" in html and ">25</td>" in html


def test_31_shows_the_mean_of_what_a_probe_reads_of_the_modality(reads):
    losses, scores = read_experiment("losses"), [0.4, 0.55, 0.85]
    reader = reads(probed("triplet", "modality", "modality", scores, "all"), PROBES)
    names = {"experiment": losses, "rows": losses.rows(), "read_table": reader}
    wanted = round(mean((s - 0.25) / 0.75 for s in scores), 2)
    table = shown("31_losses", "told_apart", names)
    assert table.loc["triplet", ("modality", "all")] == pytest.approx(wanted)


def test_35_shows_means_of_what_probes_read_by_kind_and_by_attribute(reads):
    streams, hair, legs = read_experiment("streams"), [0.3, 0.45, 0.9], [0.5]
    rows = probed("dual", "own", "hair_tone", hair) + probed("dual", "own", "legs", legs)
    rows += probed("dual", "own", "legs", [1.0], "infrared") + probed(
        "dual", "own", "legs", [1.0], dataset="lab"
    )
    reads(rows, PROBES)
    names = {"experiment": streams, "pd": pd}
    shown("35_streams", "def by_variant", names)
    above = [(s - 0.25) / 0.75 for s in hair + legs]
    kept, label = names["kept"], streams.label("dual")
    assert kept.loc["private, their own, visible images", label] == pytest.approx(mean(above))
    table = shown("35_streams", "half = ", names)
    wanted = round(mean(above[: len(hair)]), 2)
    assert table.loc["hair tone, own, visible", label] == pytest.approx(wanted)
