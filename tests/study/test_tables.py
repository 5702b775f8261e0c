import json
import re
import subprocess
import sys

import pandas as pd
import pytest

from mscm_lib.config import RunConfig
from mscm_lib.paths import project_root, resolve
from mscm_lib.study.comparison import benchmark_of
from mscm_lib.study.settings import load_study
from mscm_lib.study.tables import (
    METRICS,
    _reported,
    as_markdown,
    headline,
    results_table,
    summarise,
)


def _row(variant, seed, mean_ap, **changes):
    row = {
        "kind": "trained",
        "dataset": "quick",
        "variant": variant,
        "trial": 0,
        "seed": seed,
        "search": "all",
        "direction": "infrared → visible",
        "scoring": None,
        "feature": "neck",
        "flip": False,
        "rerank": False,
        "reported": True,
        **dict.fromkeys(METRICS, mean_ap),
    }
    return row | changes


def test_the_summary_is_the_mean_over_runs_of_the_reported_feature():
    metrics = pd.DataFrame(
        [
            _row("mscmnet", 0, 0.4),
            _row("mscmnet", 1, 0.6),
            _row("mscmnet", 0, 0.9, feature="pooled", reported=False),
            _row("mscmnet", 0, 0.9, rerank=True, reported=False),
            _row("untrained", 0, 0.1, kind="reference"),
        ]
    )
    summary = summarise(metrics).set_index("network")
    assert summary.loc["mscmnet", "mAP"] == pytest.approx(50)
    assert summary.loc["mscmnet", "mAP sd"] == pytest.approx(100 * 0.2 / 2**0.5)
    assert summary.loc["mscmnet", "runs"] == 2
    assert pd.isna(summary.loc["untrained", "mAP sd"])


def test_the_headline_for_dvc_is_small_and_plain():
    rows = [
        _row("mscmnet", 0, 0.4),
        _row("mscmnet", 0, 0.2, search="visible-to-infrared", scoring="direct"),
        _row("colour histogram", 0, 0.1, kind="reference"),
    ]
    found = headline(summarise(pd.DataFrame(rows)))
    assert found["mscmnet"]["all"] == {"mAP": 40.0, "R1": 40.0}
    assert found["mscmnet"]["visible-to-infrared-direct"]["R1"] == 20.0
    assert json.dumps(found).isascii() and list(found) == ["mscmnet", "colour-histogram"]
    several = pd.DataFrame([*rows, _row("mscmnet", 0, 0.3, dataset="lab")])
    assert headline(summarise(several))["lab"]["mscmnet"]["all"]["mAP"] == 30.0


def test_worlds_are_runs_of_their_benchmark():
    rows = [_row("mscmnet", n, 0.4 + n / 5, dataset=f"lab-w{n}") for n in (0, 1)]
    (row,) = summarise(pd.DataFrame(rows)).to_dict("records")
    assert (row["dataset"], row["runs"], row["mAP"]) == ("lab", 2, pytest.approx(50))
    assert row["command"] == "dvc repro evaluate@lab-w0-mscmnet-t0-s0 evaluate@lab-w1-mscmnet-t0-s1"


def test_every_row_carries_the_command_that_makes_it_again():
    metrics = pd.DataFrame(
        [
            _row("mscmnet", 1, 0.4),
            _row("mscmnet", 4, 0.4),
            _row("untrained", 0, 0.1, kind="reference"),
        ]
    )
    text = as_markdown(summarise(metrics))
    assert "`dvc repro evaluate@quick-mscmnet-t0-s1 evaluate@quick-mscmnet-t0-s4`" in text
    assert "`dvc repro reference@quick`" in text
    assert "40.0" in text


def test_the_reported_row_is_never_the_re_ranked_one_and_says_what_was_done():
    config = RunConfig(feature="mix", flip=True, rerank=True)
    row = _row("mscmnet", 0, 0.4, feature="mix", mix_weight=0.25, flip=True)
    assert _reported(row, config)
    for change in ({"rerank": True}, {"flip": False}, {"feature": "neck"}):
        assert not _reported(row | change, config)
    shown = results_table(summarise(pd.DataFrame([row])))
    assert shown["feature"].tolist() == ["mix (neck 0.25), flip"]


def test_commands_of_committed_tables_are_known_to_dvc_and_name_all_their_runs():
    asked = [sys.executable, "-m", "dvc", "stage", "list", "--all", "--name-only"]
    listed = subprocess.run(asked, cwd=project_root(), capture_output=True, text=True, check=True)
    known = {*listed.stdout.split()}
    tables = sorted(resolve("results").glob("*/tables/summary.csv"))
    assert tables
    for path in tables:
        study, table = load_study(path.parts[-3]), pd.read_csv(path)
        for row in table.to_dict("records"):
            worlds = [key for key in study.data if benchmark_of(key) == row["dataset"]]
            wanted = [f"reference@{key}" for key in worlds]
            if row["network"] in study.variants:
                runs = [run for run in study.runs() if run.dataset in worlds]
                wanted = [f"evaluate@{run.name}" for run in runs if run.variant == row["network"]]
                assert row["runs"] == len(wanted), (path, row["network"])
            assert row["command"].split() == ["dvc", "repro", *wanted], path
            assert {*wanted} <= known, path
        shown = re.findall(r"`(dvc repro [^`]+)`", path.with_suffix(".md").read_text("utf-8"))
        assert shown == table["command"].tolist(), path
