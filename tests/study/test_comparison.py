import numpy as np
import pandas as pd
import pytest

from mscm_lib.errors import ConfigError, DataError
from mscm_lib.study.comparison import compare_gaps, compare_variants

COLUMNS = ["variant", "trial", "seed", "query_id", "queries", "ap"]


def _table(effects, seeds=3, people=60, noise=0.02, spread=0.2, start=0):
    """Figures of people: their own difficulty, a variant's effect, and noise of the training."""
    generator = np.random.default_rng(start)
    difficulty = generator.uniform(0.3, 0.3 + spread, people)
    rows = []
    for variant, effect in effects.items():
        for seed in range(seeds):
            jump = generator.normal(0, noise)
            for person in range(people):
                ap = difficulty[person] + effect + jump + generator.normal(0, noise)
                rows.append([variant, 0, seed, person, 4, ap])
    return pd.DataFrame(rows, columns=COLUMNS)


def test_a_clear_difference_is_named_and_no_difference_is_not():
    table = _table({"reference": 0.0, "better": 0.15, "worse": -0.15, "same": 0.0}, seeds=5)
    found = compare_variants(table, "reference").set_index("variant")
    assert found.loc["better", "verdict"] == "better"
    assert found.loc["worse", "verdict"] == "worse"
    assert found.loc["same", "verdict"] == "not distinguishable"
    assert pd.isna(found.loc["reference", "difference"])
    assert found.loc["better", "difference"] == pytest.approx(15, abs=4)
    assert (found["low"] < found["mean"]).all() and (found["mean"] < found["high"]).all()


def test_pairing_makes_the_interval_of_a_difference_narrow():
    """People differ far more than variants do, and they are compared with themselves."""
    table = _table({"reference": 0.0, "other": 0.05}, noise=0.005, spread=0.6)
    row = compare_variants(table, "reference").iloc[1]
    assert row["difference_high"] - row["difference_low"] < 0.3 * (row["high"] - row["low"])


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    """With the seeds left as they are, or drawn again themselves, it would be far too rarely."""
    held = 0
    for start in range(200):
        table = _table({"reference": 0.0, "other": 0.0}, people=20, start=start)
        row = compare_variants(table, "reference", draws=400).iloc[1]
        held += row["difference_low"] <= 0 <= row["difference_high"]
    assert 182 <= held <= 198  # 95 % of 200, give or take 2.6 standard deviations


def test_one_seed_is_no_verdict():
    table = _table({"reference": 0.0, "other": 0.1}, seeds=1)
    assert compare_variants(table, "reference")["verdict"][1].startswith("one seed")


def test_means_weigh_people_by_their_queries():
    rows = [["a", 0, 0, 1, 30, 1.0], ["a", 0, 0, 2, 10, 0.0]]
    table = pd.DataFrame(rows, columns=COLUMNS)
    assert compare_variants(table, "a")["mean"][0] == pytest.approx(75)


def test_the_same_seed_gives_the_same_intervals():
    table = _table({"reference": 0.0, "other": 0.01})
    pd.testing.assert_frame_equal(
        compare_variants(table, "reference"), compare_variants(table, "reference")
    )


def test_what_cannot_be_compared_is_refused():
    table = _table({"reference": 0.0, "other": 0.0})
    with pytest.raises(ConfigError, match="did you mean 'reference'"):
        compare_variants(table, "referense")
    fewer = table[(table["variant"] == "reference") | (table["query_id"] > 3)]
    with pytest.raises(DataError, match="'other' was not measured on the same people"):
        compare_variants(fewer, "reference")


def test_a_gap_that_grows_is_told_from_one_that_stays():
    here = _table({"reference": 0.0, "grows": 0.2, "stays": 0.1}, seeds=5, start=1)
    there = _table({"reference": 0.1, "grows": 0.0, "stays": 0.2}, seeds=5, start=2)
    found = compare_gaps(here, there, "reference").set_index("variant")
    assert list(found.index) == ["grows", "stays"]
    assert found.loc["grows", "difference"] == pytest.approx(30, abs=5)
    assert found.loc["grows", "verdict"] == "better"
    assert found.loc["stays", "verdict"] == "not distinguishable"
    back = compare_gaps(there, here, "reference").set_index("variant")
    assert back.loc["grows", "verdict"] == "worse"
    with pytest.raises(ConfigError, match="referense"):
        compare_gaps(here, there, "referense")


def test_one_person_of_two_splits_is_two_people():
    rows = [["a", trial, 0, 1, 4, float(trial)] for trial in (0, 1)]
    found = compare_variants(pd.DataFrame(rows, columns=COLUMNS), "a")
    assert found["mean"][0] == pytest.approx(50)
    assert (found["low"][0], found["high"][0]) == (0, 100)  # drawn apart


def test_a_reference_alone_has_the_columns_of_a_comparison():
    found = compare_variants(_table({"reference": 0.1}, seeds=2, start=1), "reference")
    assert len(found) == 1 and found[["difference", "verdict"]].isna().all().all()
