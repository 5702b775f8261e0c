"""What each rule of choosing an epoch keeps, and what choosing by the answer is worth."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mscm_lib.reports import epoch_choice
from mscm_lib.reports.finished_runs import two_runs

HISTORY = pd.DataFrame(
    {
        "epoch": [0, 1, 2],
        "validation_rank1": [0.1, 0.5, 0.4],
        "test_rank1": [0.3, 0.2, 0.25],
        "galleries_rank1": [0.2, 0.22, 0.25],
    }
)


def test_each_rule_keeps_its_epoch():
    watched = epoch_choice.Watched("x", HISTORY, pd.DataFrame())
    table = epoch_choice.choices(watched)
    assert table["epoch"].tolist() == [2, 1, 0]
    assert table["above last, first gallery"].tolist() == pytest.approx([0, -5, 5])
    assert table["above last, all galleries"].tolist() == pytest.approx([0, -3, -5])


@pytest.mark.parametrize("history", [HISTORY[["epoch"]], HISTORY * np.nan])
def test_where_nothing_was_recorded_nothing_is_chosen(history):
    assert epoch_choice.choices(epoch_choice.Watched("x", history, pd.DataFrame())).empty


def test_a_run_that_recorded_both_searches_is_taken_at_its_word():
    run, _ = two_runs("quick", people=6, epochs=1)
    own = epoch_choice.watched(replace(run, stand_in=False), 6, 2)
    assert own.history is run.history and own.queries.empty
    made = epoch_choice.watched(run, 6, 2)
    assert "2 epochs of 10 steps on people of stand-in" in made.name
    first = made.queries[made.queries["gallery_trial"] == 0].groupby("epoch")["hit"].mean()
    assert first.to_numpy() == pytest.approx(made.history["test_rank1"].to_numpy())
