"""What is in print, what was measured here, and what may stand beside what."""

import csv

import pandas as pd
import pytest

from mscm_lib.data.emulated.emulate import MARKER
from mscm_lib.errors import DataError
from mscm_lib.files import write_json
from mscm_lib.reports.measured import measured
from mscm_lib.reports.published import (
    COLUMNS,
    DATASETS,
    LOG,
    columns_of,
    published_figures,
    replications,
)
from mscm_lib.study import tables
from mscm_lib.study.settings import RunName, load_study
from tests.reports.finished import write_study

FIGURE = dict(
    zip(
        COLUMNS,
        ["AGW", "2021", "sysu", "all", "", "rank1", "47.5", "own", "its repository", ""],
        strict=True,
    )
)


def _write(path, rows, columns=COLUMNS):
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, columns)
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_every_figure_in_print_is_read_with_its_digits():
    figures = published_figures()
    assert set(figures["dataset"]) == set(DATASETS)
    own = figures[(figures["method"] == "MSCMNet") & (figures["search"] == "all")]
    assert own.set_index("metric").loc["mean_ap", "printed"] == "74.20"
    assert (figures["source"] != "").all()
    assert figures["year"].isna().sum() == (figures["method"] == "IFALNet").sum()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"value": "478"}, "line 2: value '478'; expected 0 to 100"),
        ({"value": "nan"}, "expected 0 to 100"),
        ({"value": ""}, "expected 0 to 100"),
        ({"dataset": "sysu-mm01"}, "unknown dataset 'sysu-mm01'"),
        ({"search": "al"}, "did you mean 'all'"),
        ({"scoring": "direct"}, "unknown scoring 'direct'"),
        ({"dataset": "llcm", "search": "visible-to-infrared"}, "unknown scoring ''"),
        ({"metric": "map"}, "unknown metric 'map'"),
        ({"origin": "hearsay"}, "unknown origin 'hearsay'"),
        ({"source": " "}, "line 2: no source"),
        ({"year": "MMXXI"}, "expected a method and its year"),
    ],
)
def test_a_wrong_figure_is_named_with_its_line(tmp_path, change, message):
    with pytest.raises(DataError, match=message):
        published_figures(_write(tmp_path / "figures.csv", [FIGURE | change]))


def test_a_figure_stands_once_in_a_table_of_the_known_columns(tmp_path):
    with pytest.raises(DataError, match="AGW, sysu, all.*twice"):
        published_figures(_write(tmp_path / "figures.csv", [FIGURE, FIGURE | {"value": "48"}]))
    with pytest.raises(DataError, match=r"columns \['value'\]; expected"):
        published_figures(_write(tmp_path / "figures.csv", [], ["value"]))
    with pytest.raises(DataError, match="no such file"):
        published_figures(tmp_path / "absent.csv")


def test_a_rerun_stands_beside_its_claim(tmp_path):
    found = replications()
    csdn = found[(found["method"] == "CSDN") & (found["metric"] == "rank1")]
    assert csdn["claim"].tolist() == [89.0, 89.0]
    assert csdn["difference"].tolist() == pytest.approx([-6.77, -0.84])
    assert found[found["claim"].isna()]["method"].tolist() == ["IDKL"]
    row = {key: FIGURE[key] for key in COLUMNS if key not in ("year", "origin")}
    with pytest.raises(DataError, match="line 2: unknown search 'al'"):
        replications(_write(tmp_path / "again.csv", [row | {"search": "al"}], list(row)))


def test_the_log_has_sources_epochs_and_percentages():
    log = pd.read_csv(LOG)
    assert list(log) == ["epoch", "feature", "quantity", "value", "source", "remark"]
    assert log["source"].notna().all() and (log["value"] >= 0).all()
    points = log[log["quantity"].isin(tables.METRICS)]
    assert points["epoch"].between(0, 149).all()
    assert (log[log["quantity"].isin([*tables.METRICS, "accuracy"])]["value"] <= 100).all()


@pytest.mark.parametrize(
    ("dataset", "changes", "reason"),
    [
        ("sysu", {"images": {"reader": "sysu", "emulated": True}}, "an emulated tree"),
        ("regdb", {"images": {"reader": "regdb", "emulated": True}}, "an emulated tree"),
        ("llcm", {"images": {"reader": "llcm", "emulated": True}}, "an emulated tree"),
        ("sysu", {"images": None}, "does not say whether the tree is real"),
        ("sysu", {"images": {"reader": "generated", "emulated": False}}, "by the generator"),
        ("llcm", {"identities": 16}, "trained on 16 people; LLCM has 713"),
        ("regdb", {"valid": 80}, "80 valid queries; RegDB has 2060"),
        ("sysu", {"shots": 10}, "multi-shot"),
        ("sysu", {"parameters": {"validation": "held-out"}}, "without the people held out"),
    ],
)
def test_what_does_not_compare_is_left_out_with_the_reason(tmp_path, dataset, changes, reason):
    found = measured(write_study(tmp_path, dataset, **changes))
    assert found.rows.empty and found.histories.empty
    assert len(found.left_out) == len(columns_of(dataset))
    assert found.left_out["reason"].str.contains(reason).all()


@pytest.mark.parametrize("emulated", [True, False])
def test_tables_say_whether_a_tree_was_emulated(tmp_path, monkeypatch, emulated):
    monkeypatch.setattr(tables, "resolve", lambda path: tmp_path / path)
    run = RunName("sysu", "mscmnet", 0, 0)
    write_json(tmp_path / f"runs/train/{run.name}/run.json", {"seed": 0})
    if emulated:
        write_json(tmp_path / "data/raw/sysu" / MARKER, {})
    record = tables._provenance(run, load_study("sysu"))
    assert record == {"seed": 0, "images": {"reader": "sysu", "emulated": emulated}}


def test_a_study_of_one_run_without_its_provenance_is_not_believed(tmp_path):
    write_study(tmp_path, "sysu")
    write_json(tmp_path / "sysu/tables/provenance.json", {})
    with pytest.raises(DataError, match="nothing about mscmnet on sysu.*mscm tables"):
        measured(tmp_path)
