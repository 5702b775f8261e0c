"""The findings, a line a study: verdicts from the tables, none where nothing was measured."""

import re

import pandas as pd

from mscm_lib.paths import resolve
from mscm_lib.reports import findings
from mscm_lib.reports.experiments import Experiment, read_experiment
from mscm_lib.study.copies import studies_of_notebooks
from mscm_lib.study.settings import load_study


def _experiment(rows):
    table = pd.DataFrame(rows).assign(dataset="lab", search="all", scoring="", metric="mAP")
    columns = [
        "worlds",
        "seeds",
        "mean",
        "low",
        "high",
        "difference",
        "difference_low",
        "difference_high",
    ]
    table = table.reindex(columns=[*table.columns, *(c for c in columns if c not in table)])
    study = load_study("multi_scale")
    return Experiment(
        study, table.fillna({"worlds": 3, "seeds": 1}), table, table, {"a": {}, "b": {}}
    )


def _one_of_each_verdict():
    return _experiment(
        [
            {"variant": "mscmnet", "mean": 27.25},
            {"variant": "none", "difference": 8.04, "difference_low": 5, "difference_high": 11,
             "verdict": "better"},
            {"variant": "cross-attention", "difference": -3, "difference_low": -5, "difference_high": -1,
             "verdict": "worse"},
            {"variant": "concatenation", "difference": 1, "difference_low": -1,
             "difference_high": 3, "verdict": "not distinguishable (could have seen 3.1 points)"},
            {"variant": "self-attention", "difference": -20, "difference_low": -25,
             "difference_high": -15, "verdict": "not trained far enough"},
        ]
    )  # fmt: skip


def test_a_variant_stands_where_its_verdict_puts_it():
    found = _one_of_each_verdict()
    assert findings.found(found) == (
        "points of mAP beside MIMB (27.2), 3 worlds, one training a network in each: "
        "none +8.0 [+5.0, +11.0]: *better*; "
        "concatenation +1.0 [-1.0, +3.0]: *not distinguishable (could have seen 3.1 points)*; "
        "cross attention -3.0 [-5.0, -1.0]: *worse*; "
        "self attention -20.0 [-25.0, -15.0]: *not trained far enough*"
    )


def test_a_sentence_says_no_more_than_its_verdict(monkeypatch):
    monkeypatch.setattr(findings, "gate", lambda _: "The gate.")
    assert findings.told(_one_of_each_verdict()).splitlines() == [
        "- **none** does better than MIMB: +8.0 points [+5.0, +11.0] of mAP.",
        "- **concatenation** and MIMB are not distinguishable (could have seen 3.1 points): "
        "+1.0 points [-1.0, +3.0] of mAP.",
        "- **cross attention** does worse than MIMB: -3.0 points [-5.0, -1.0] of mAP.",
        "- **self attention** beside MIMB: no verdict, not trained far enough "
        "(-20.0 points [-25.0, -15.0] of mAP).",
        "",
        "The gate.",
    ]


def test_what_waits_has_a_command_and_no_figure(monkeypatch):
    none = pd.DataFrame(columns=["variant"])

    def unmeasured(name):
        return Experiment(load_study(name), none, none, none, {})

    monkeypatch.setattr(findings, "read_experiment", unmeasured)
    (line,) = findings.findings("../").splitlines()
    waiting = re.findall(r"\]\(\.\./(\S+?)\)", line)
    assert len(waiting) == len(studies_of_notebooks())
    assert all(resolve(path).is_file() for path in waiting)
    assert "lab" in line and "`make study STUDY=<name>`" in line and not re.search(r"\d\.\d", line)


def test_the_gate_is_told_with_its_figures():
    told = findings.gate(read_experiment("quick"))
    assert re.search(r"HOG \+ LDA reaches \d+\.\d mAP, the reference network \d+\.\d", told)
    assert "baseline 0." in told and "MSCMNet 0." in told


def test_what_30_says_of_the_committed_runs_stands_in_their_tables():
    components = read_experiment("components")
    found = components.contrasts().rename(lambda name: name.removeprefix("main effect of "))
    rows = components.rows()
    assert rows.loc["qct", "verdict"] == found.loc["QCT", "verdict"] == "better"
    assert found.loc["MIMB × QCT", "verdict"] == "worse"
    assert found.loc["QFE", "verdict"] == "equivalent within 2 points"
    assert found.loc["MIMB", "difference_high"] < 0
    assert [round(abs(found.loc[name, "difference"]), 1) for name in ("QCT", "MIMB × QCT")] == [
        3.5,
        3.4,
    ]
    assert {*rows["mean"].nlargest(2).index} == {"qct", "none"}
