import pandas as pd
import pytest

from mscm_lib.config import RunConfig
from mscm_lib.study.presets import preset_paths
from mscm_lib.study.settings import load_study
from mscm_lib.study.tables import (
    METRICS,
    _reported,
    as_markdown,
    as_metrics,
    results_table,
    summarise,
)

QUICK = load_study(next(path for path in preset_paths() if path.stem == "quick"))


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
    summary = summarise(metrics, QUICK).set_index("network")
    assert summary.loc["mscmnet", "mAP"] == pytest.approx(50)
    assert summary.loc["mscmnet", "mAP sd"] == pytest.approx(100 * 0.2 / 2**0.5)
    assert summary.loc["mscmnet", "runs"] == 2
    assert pd.isna(summary.loc["untrained", "mAP sd"])


def test_metrics_for_dvc_name_where_each_figure_was_measured():
    metrics = pd.DataFrame([_row("mscmnet", 0, 0.4), _row("mscmnet", 0, 0.2, search="indoor")])
    found = as_metrics(summarise(metrics, QUICK))["quick"]
    assert found["all"]["infrared → visible"]["mscmnet"]["mAP"] == 40.0
    assert found["indoor"]["infrared → visible"]["mscmnet"]["R1"] == 20.0


def test_every_row_carries_the_command_that_makes_it_again():
    metrics = pd.DataFrame([_row("mscmnet", 1, 0.4), _row("untrained", 0, 0.1, kind="reference")])
    text = as_markdown(summarise(metrics, QUICK))
    assert "`dvc repro evaluate@quick-mscmnet-0-1`" in text
    assert "`dvc repro reference@quick`" in text
    assert "40.0" in text


def test_the_reported_row_is_never_the_re_ranked_one_and_says_what_was_done():
    config = RunConfig(feature="mix", flip=True, rerank=True)
    row = _row("mscmnet", 0, 0.4, feature="mix", mix_weight=0.25, flip=True)
    assert _reported(row, config)
    for change in ({"rerank": True}, {"flip": False}, {"feature": "neck"}):
        assert not _reported(row | change, config)
    shown = results_table(summarise(pd.DataFrame([row]), QUICK))
    assert shown["feature"].tolist() == ["mix (neck 0.25), flip"]
