"""The experiments' table: verdicts from the tables, none where nothing was measured."""

import pandas as pd

from mscm_lib.reports import findings
from mscm_lib.reports.experiments import Experiment
from mscm_lib.reports.pages import studies_of_notebooks
from mscm_lib.study.settings import load_study


def _experiment(rows):
    table = pd.DataFrame(rows).assign(dataset="lab", search="all", scoring="", metric="mAP")
    columns = ["seeds", "mean", "low", "high", "difference", "difference_low", "difference_high"]
    table = table.reindex(columns=[*table.columns, *(c for c in columns if c not in table)])
    study = load_study("multi_scale")
    return Experiment(study, table.fillna({"seeds": 3}), table, table, {"a": {}, "b": {}})


def test_a_variant_stands_where_its_verdict_puts_it(monkeypatch):
    found = _experiment(
        [
            {"variant": "mscmnet", "mean": 27.25},
            {"variant": "none", "difference": 8.04, "difference_low": 5, "difference_high": 11,
             "verdict": "better"},
            {"variant": "pyramid", "difference": -3, "difference_low": -5, "difference_high": -1,
             "verdict": "worse"},
            {"variant": "concatenation", "difference": 1, "difference_low": -1,
             "difference_high": 3, "verdict": "not distinguishable (could have seen 3.1 points)"},
            {"variant": "self-attention", "difference": -20, "difference_low": -25,
             "difference_high": -15, "verdict": "not trained far enough"},
        ]
    )  # fmt: skip
    monkeypatch.setattr(findings, "read_experiment", lambda name: found)
    row = findings.findings_table("there/").splitlines()[2]
    cells = [cell.strip() for cell in row.split("|")[1:-1]]
    assert cells[0] == "[components](there/30_components.ipynb)"
    assert cells[1:] == [
        "MIMB, 27.2", "none +8.0 [+5.0, +11.0]", "pyramid -3.0 [-5.0, -1.0]",
        "not distinguishable (could have seen 3.1 points): concatenation; "
        "not trained far enough: self attention",
        "2, 1 a network and dataset", "`make study STUDY=multi_scale`",
    ]  # fmt: skip


def test_without_results_there_is_a_command_and_no_figure(monkeypatch):
    none = pd.DataFrame(columns=["variant"])
    study = load_study("losses")
    empty = Experiment(study, none, none, none, {})
    monkeypatch.setattr(findings, "read_experiment", lambda name: empty)
    lines = findings.findings_table().splitlines()[2:]
    assert len(lines) == len(studies_of_notebooks())
    assert all("not run here" in line and "`make study STUDY=" in line for line in lines)
