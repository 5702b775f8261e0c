"""The findings, a line a study: verdicts from the tables, none where nothing was measured."""

import re
from dataclasses import replace

import pandas as pd
import pytest

from mscm_lib.paths import resolve
from mscm_lib.reports import findings
from mscm_lib.reports.experiments import Experiment, read_experiment, read_table
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
             "difference_high": 3, "detectable": 3.1,
             "verdict": "not distinguishable (could have seen 3.1 points)"},
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


def test_networks_that_no_test_tells_apart_are_told_together():
    verdict = "not distinguishable (could have seen {} points)".format
    rows = pd.DataFrame(
        [
            ("one", 1.0, -1.0, 3.0, 3.12, verdict(3.1)),
            ("two", 0.5, -9.0, 10.0, 12.0, verdict(12.0)),
        ],
        columns=[
            "label",
            "difference",
            "difference_low",
            "difference_high",
            "detectable",
            "verdict",
        ],
    )
    told = "one +1.0 [-1.0, +3.0], two +0.5 [-9.0, +10.0]: *not distinguishable (could have seen {} points)*"
    assert findings.verdicts(rows) == told.format("3.1 to 12.0")


def test_contrasts_come_first_and_no_pair_is_told_twice():
    found = _one_of_each_verdict()
    stated = pd.DataFrame(
        {"label": ["all"], "difference": 2.0, "difference_low": 1.0, "difference_high": 3.0,
         "detectable": 1.5, "verdict": "better"}
    )  # fmt: skip
    contrasts = {"all": {"mscmnet": 1, "none": -1}, "slope": {"none": 1, "concatenation": -1}}
    found = replace(found, study=replace(found.study, contrasts=contrasts))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Experiment, "contrasts", lambda _: stated)
        told = findings.found(found)
        rows = [*findings._table(found, "name")]
    assert ": all +2.0 [+1.0, +3.0]: *better*; concatenation +1.0" in told
    assert "none +8.0" not in told
    assert rows[0] == ["name<br>beside MIMB (27.2); 3 worlds, one training a network in each",
                       "all +2.0 [+1.0, +3.0]", "*better*"]  # fmt: skip
    assert [row[0] for row in rows[1:]] == [""] * 3 and "none +8.0" not in str(rows)


def test_runs_of_an_earlier_version_are_called_so_where_their_study_stands(tmp_path, monkeypatch):
    monkeypatch.setattr(findings, "resolve", lambda path: tmp_path / path)
    found, page = _one_of_each_verdict(), tmp_path / "results/multi_scale/README.md"
    page.parent.mkdir(parents=True)
    for text, ending in (
        ("**Of an earlier version**: the code", "; **of an earlier version**"),
        ("", "in each"),
    ):
        page.write_text(text)
        first, *others = (row[0] for row in findings._table(found, "name"))
        assert first.endswith(ending) and not any(others)


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
    *head, line = findings.findings("../").splitlines()
    assert len(head) == 3  # no row
    waiting = re.findall(r"\]\(\.\./(\S+?)\)", line)
    assert len(waiting) == len(studies_of_notebooks())
    assert all(resolve(path).is_file() for path in waiting)
    assert "lab" in line and "`make study STUDY=<name>`" in line and not re.search(r"\d\.\d", line)


def test_the_gate_is_told_with_its_figures():
    told = findings.gate(read_experiment("quick"))
    assert re.search(r"HOG \+ LDA reaches \d+\.\d mAP, the reference network \d+\.\d", told)
    assert "baseline 0." in told and "MSCMNet 0." in told


def test_what_the_readme_says_in_words_stands_in_the_tables():
    lab, components, scales = map(read_experiment, ("lab", "components", "multi_scale"))
    untold = "not distinguishable"
    rows, last = components.rows(), lab.rows()
    assert rows.loc["mscmnet", "verdict"].startswith(untold)
    loss = components.against("qfe").loc["none"]
    assert loss["verdict"] == "better" and 6.5 < loss["difference"] < 7
    beside = components.against("weighted-triplet").loc["mscmnet", "verdict"]
    assert beside.startswith(untold) and last.loc["weighted-triplet", "verdict"].startswith(untold)
    costs = [last.loc["none", "difference"], scales.rows().loc["none", "difference"]]
    assert all(4 < each < 5 for each in costs)
    assert lab.rows().loc["none", "verdict"] == scales.rows().loc["none", "verdict"] == "better"
    assert scales.against("none").loc["concatenation", "verdict"] == "better"
    fewer = read_experiment("albs").rows()
    assert fewer.loc[["none", "alb-2"], "verdict"].eq("better").all()
    assert fewer["mean"].drop("none").max() < fewer.loc["none", "mean"]
    assert components.contrasts().loc["main effect of QFE", "verdict"].startswith("equivalent")
    assert rows.loc["qfe", "verdict"].startswith(untold)
    assert last.loc["dual", "verdict"].startswith(untold)
    runs = pd.concat([read_experiment("alpha").seeds(), read_experiment("losses").seeds()])
    means = runs.groupby("variant")["value"].mean()
    gains = means[["alpha-1", "alpha-1-own"]] - means["cross-entropy"]
    assert 0.3 < 1 - gains["alpha-1-own"] / gains["alpha-1"] < 0.4
    assert read_experiment("alpha").rows().loc["alpha-1", "verdict"].startswith("equivalent")


def test_the_readme_counts_the_studies_that_have_mimb_beside_no_block():
    tables = map(pd.read_csv, sorted(resolve("results").glob("*/tables/comparison.csv")))
    own = [{*table.query("dataset == 'lab'")["variant"]} for table in tables]
    count = sum({"mscmnet", "none"} <= variants for variants in own)
    words = dict(zip(range(3, 9), ["three", "four", "five", "six", "seven", "eight"], strict=True))
    text = " ".join(resolve("README.md").read_text(encoding="utf-8").split())
    assert f"MIMB beside no block stands in {words[count]} of them" in text


def test_a_pair_has_one_verdict_whichever_of_the_two_is_the_reference():
    for name in ("alpha", "multi_scale", "components"):
        found = read_experiment(name)
        own, turned = found.study.reference, {"better": "worse", "worse": "better"}
        for variant, row in found.rows().drop(index=own).iterrows():
            other = found.against(variant).loc[own]
            assert other["difference"] == pytest.approx(-row["difference"], abs=1e-3)
            assert other["verdict"] == turned.get(row["verdict"], row["verdict"])


def test_what_the_guide_answers_stands_in_the_tables():
    losses, scales = read_experiment("losses"), read_experiment("multi_scale")
    rows = losses.rows()
    assert rows.loc["triplet", "verdict"] == rows.loc["cross-entropy", "verdict"] == "worse"
    worlds = losses.seeds().pivot(index="dataset", columns="variant", values="value")
    assert rows.loc["center", "verdict"] == "not trained far enough"
    assert (worlds["center"] < worlds["mscmnet"]).all()
    untrained = scales.rows()["verdict"] == "not trained far enough"
    assert {*untrained.index[untrained]} == {"cross-attention", "self-attention"}
    methods = read_experiment("methods").against("mscmnet")["verdict"]
    assert methods[["caj-plain", "hat"]].str.startswith("not distinguishable").all()
    looked = read_table("quick", "inspections").set_index(["measure", "variant"])["value"]
    assert looked.loc["explained by the deep map", "mscmnet"].min() > 0.9
    gap = read_experiment("quick").distances()["gap"]
    assert (gap < 1).all()


def test_what_92_claims_is_what_it_counts():
    page = resolve("results/quick/reports/92_first_edition.ipynb").read_text(encoding="utf-8")
    counted = dict(re.findall(r"<th>([a-z ]+)</th>\\n\",\s*\"\s*<td>(\d+)</td>", page))
    again, stand, turned = (int(counted[k]) for k in ("measured again", "stand", "turned"))
    assert 2 * stand == again and turned == 0
