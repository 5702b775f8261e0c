import numpy as np
import pandas as pd
import pytest

from mscm_lib.errors import ConfigError, DataError
from mscm_lib.study.comparison import (
    ACCURACY,
    Gate,
    benchmark_of,
    compare_contrasts,
    compare_gaps,
    compare_variants,
)

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


def _worlds(effects, worlds=5, seeds=1, **changes):
    """The same in several worlds, each with people and trainings of its own."""
    return pd.concat(
        [
            _table(effects, seeds=seeds, start=world, **changes).assign(dataset=f"lab-w{world}")
            for world in range(worlds)
        ]
    )


def test_a_clear_difference_is_named_and_no_difference_is_not():
    table = _table({"reference": 0.0, "better": 0.15, "worse": -0.15, "same": 0.0}, seeds=5)
    found = compare_variants(table, "reference").set_index("variant")
    assert found.loc["better", "verdict"] == "better"
    assert found.loc["worse", "verdict"] == "worse"
    assert found.loc["same", "verdict"].startswith("not distinguishable (could have seen ")
    assert pd.isna(found.loc["reference", "difference"])
    assert found.loc["better", "difference"] == pytest.approx(15, abs=4)
    assert (found["low"] < found["mean"]).all() and (found["mean"] < found["high"]).all()


def test_pairing_makes_the_interval_of_a_difference_narrow():
    """People differ far more than variants do, and they are compared with themselves."""
    table = _table({"reference": 0.0, "other": 0.05}, noise=0.005, spread=0.6)
    row = compare_variants(table, "reference").iloc[1]
    assert row["difference_high"] - row["difference_low"] < 0.3 * (row["high"] - row["low"])


@pytest.mark.parametrize("table", [_table, _worlds])
def test_one_pair_has_one_interval_wherever_it_stands(table):
    whole = table({"a": 0.0, "b": 0.05, "c": 0.3, "d": -0.2}, seeds=3)
    alone = whole[whole["variant"].isin(["a", "b"])]
    measured = ["difference", "difference_low", "difference_high", "p", "improvement"]
    of_four = compare_variants(whole, "a").set_index("variant").loc["b"]
    of_two = compare_variants(alone, "a").set_index("variant").loc["b"]
    back = compare_variants(whole, "b").set_index("variant").loc["a"]
    stated = compare_contrasts(whole, {"x": {"b": 1, "a": -1}, "y": {"d": 1, "c": -1}}).iloc[0]
    for other in (of_two, stated):
        assert other[measured].tolist() == pytest.approx(of_four[measured].tolist())
    assert back["difference_low"] == pytest.approx(-of_four["difference_high"])
    assert of_four["p_holm"] >= of_two["p_holm"] == of_two["p"]
    assert of_four["detectable"] > of_two["detectable"]


@pytest.mark.parametrize("table", [_table, _worlds])
def test_contrasts_are_sums_of_means_and_a_pair_is_one_of_them(table):
    """Two parts that give 0.05 and 0.1, and 0.08 more together."""
    whole = table({"none": 0.0, "a": 0.05, "b": 0.1, "both": 0.23}, seeds=3, noise=0.002)
    found = compare_contrasts(
        whole,
        {
            "a": {"a": 0.5, "none": -0.5, "both": 0.5, "b": -0.5},
            "together": {"both": 1, "none": 1, "a": -1, "b": -1},
            "pair": {"b": 1, "none": -1},
        },
    ).set_index("contrast")
    assert found["difference"].tolist() == pytest.approx([9, 8, 10], abs=0.6)
    assert set(found["verdict"]) == {"better"}
    pair = compare_contrasts(whole, {"pair": {"b": 1, "none": -1}}).iloc[0]
    assert found["improvement"].isna().tolist() == [True, True, False]
    same = ["seeds", "worlds", "difference", "difference_low", "difference_high", "p"]
    assert found.loc["pair", same].tolist() == pytest.approx(pair[same].tolist())
    assert found.loc["pair", "p_holm"] > pair["p_holm"]  # three tests, not one


def test_a_contrast_has_a_verdict_where_all_of_its_networks_are_trained():
    whole = _worlds({"none": 0.0, "a": 0.05, "b": 0.1})
    gate = Gate(10.0, 40.0, {"none": 1.0, "a": 1.0, "b": 0.9})
    asked = {"a": {"a": 1, "none": -1}, "mean": {"a": 0.5, "b": 0.5, "none": -1}}
    found = compare_contrasts(whole, asked, gate=gate)
    assert found["verdict"].tolist() == ["better", "not trained far enough"]
    with pytest.raises(ConfigError, match="unknown variant 'c'"):
        compare_contrasts(whole, {"c": {"c": 1, "none": -1}})


def test_over_worlds_it_is_student_t_of_the_differences():
    rows = [
        [f"lab-w{world}", variant, 0, seed, 1, 4, ap]
        for world, (low, high) in enumerate([(0.2, 0.23), (0.5, 0.54), (0.3, 0.35)])
        for seed in (0, 1)
        for variant, ap in (("reference", low), ("other", high + 0.01 * seed - 0.005))
    ]
    row = compare_variants(pd.DataFrame(rows, columns=["dataset", *COLUMNS]), "reference").iloc[1]
    assert (row["worlds"], row["seeds"]) == (3, 2)
    half = 4.302653 * 1 / 3**0.5  # differences 3, 4 and 5 points
    span = row["difference"], row["difference_low"], row["difference_high"]
    assert span == pytest.approx((4, 4 - half, 4 + half), abs=1e-4)
    assert row["improvement"] == 1
    assert row["verdict"] == "better"


def test_networks_that_are_alike_are_called_so():
    table = _worlds({"reference": 0.0, "same": 0.0, "less": -0.01}, noise=0.002)
    found = compare_variants(table, "reference").set_index("variant")
    assert found.loc["same", "verdict"] == "equivalent within 2 points"
    assert found.loc["less", "verdict"] == "worse"  # by one point, which is seen


def test_a_finding_is_one_among_all_of_its_table():
    """p = 0.02 alone; not among five."""
    table = _worlds({"reference": 0.0, "other": 0.0}, noise=0.01)
    gains = [0.02, 0.01, 0.05, 0.03, 0.015]  # of five worlds: t = 3.4
    table["ap"] = 0.5
    for world, gain in enumerate(gains):
        table.loc[(table["variant"] == "other") & (table["dataset"] == f"lab-w{world}"), "ap"] += (
            gain
        )
    assert compare_variants(table, "reference")["verdict"][1] == "better"
    more = [table] + [
        table[table["variant"] == "reference"].assign(
            variant=name, ap=lambda t: 0.5 + 0.04 * (t["dataset"] > "lab-w2") - 0.02
        )
        for name in "abcd"
    ]
    found = compare_variants(pd.concat(more), "reference").set_index("variant")
    assert found.loc["other", "p"] < 0.05 < found.loc["other", "p_holm"]
    assert found.loc["other", "verdict"].startswith("not distinguishable")


@pytest.mark.parametrize("seeds", [1, 2])
def test_too_few_seeds_of_one_world_are_no_verdict(seeds):
    table = _table({"reference": 0.0, "other": 0.1}, seeds=seeds)
    assert compare_variants(table, "reference")["verdict"][1].startswith("one world, fewer than")


def test_the_gate_stands_before_every_verdict():
    table = _worlds({"reference": 0.0, "other": 0.1, "slow": -0.1})
    reached = {"reference": 0.99, "other": ACCURACY, "slow": 0.94}

    def verdicts(floor):
        return compare_variants(table, "reference", gate=Gate(floor, 45.0, reached))["verdict"][1:]

    assert verdicts(30.0).tolist() == ["better", "not trained far enough"]
    assert verdicts(30.1).tolist() == ["world too easy", "not trained far enough"]
    assert verdicts(np.nan)[1] == "floor not measured"
    unknown = Gate(10.0, 45.0, {"reference": 1.0})
    assert unknown.closed("reference", "other") == "not trained far enough"
    gaps = compare_gaps(table, table, "reference", gates=[Gate(40.0, 45.0, reached)])
    assert gaps["verdict"].tolist() == ["world too easy", "not trained far enough"]


def test_the_gate_reads_the_tables_of_all_worlds():
    names = ["dataset", "variant", "trial", "seed"]
    metrics = pd.DataFrame(
        [
            ["lab-w0", "HOG + LDA", np.nan, np.nan, "all", np.nan, True, 0.1],
            ["lab-w1", "HOG + LDA", np.nan, np.nan, "all", np.nan, True, 0.2],
            ["lab-w0", "baseline", 0, 0, "all", "", True, 0.3],
            ["lab-w0", "baseline", 0, 0, "all", "", False, 0.9],
            ["lab-w1", "baseline", 0, 0, "all", "", True, 0.4],
            ["lab-w1", "baseline", 0, 0, "indoor", "", True, 0.8],
            ["sysu", "baseline", 0, 0, "all", "", True, 0.7],
        ],
        columns=[*names, "search", "scoring", "reported", "mean_ap"],
    )
    histories = pd.DataFrame(
        [
            ["lab-w0", "baseline", 0, 0, 1, 0.99],
            ["lab-w0", "baseline", 0, 0, 0, 0.2],
            ["lab-w1", "baseline", 0, 0, 0, 0.97],
            ["sysu", "baseline", 0, 0, 0, 0.1],
        ],
        columns=[*names, "epoch", "accuracy"],
    )
    found = Gate.of(metrics, histories, "baseline", "lab", "all")
    assert (found.floor, found.reference) == pytest.approx((15, 35))
    assert found.accuracies == {"baseline": 0.97}
    assert Gate.of(metrics, histories, "baseline", "lab-w0", "all") == found
    assert np.isnan(Gate.of(metrics, histories, "baseline", "sysu", "all").floor)


def test_worlds_of_a_benchmark_are_named_alike():
    assert [benchmark_of(name) for name in ("lab-w0", "lab-w12", "lab", "nir-thermal")] == [
        "lab", "lab", "lab", "nir-thermal",
    ]  # fmt: skip


def test_means_weigh_people_by_their_queries():
    rows = [["a", 0, 0, 1, 30, 1.0], ["a", 0, 0, 2, 10, 0.0]]
    table = pd.DataFrame(rows, columns=COLUMNS)
    assert compare_variants(table, "a")["mean"][0] == pytest.approx(75)


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
    assert found.loc["stays", "verdict"].startswith("not distinguishable")
    back = compare_gaps(there, here, "reference").set_index("variant")
    assert back.loc["grows", "verdict"] == "worse"
    with pytest.raises(ConfigError, match="referense"):
        compare_gaps(here, there, "referense")


def test_one_person_of_two_splits_is_two_people():
    rows = [["a", trial, 0, 1, 4, float(trial)] for trial in (0, 1)]
    found = compare_variants(pd.DataFrame(rows, columns=COLUMNS), "a")
    assert found["mean"][0] == pytest.approx(50)
    assert (found["low"][0], found["high"][0]) == (0, 100)  # two splits


def test_a_reference_alone_has_the_columns_of_a_comparison():
    found = compare_variants(_table({"reference": 0.1}, seeds=2, start=1), "reference")
    assert len(found) == 1 and found[["difference", "verdict"]].isna().all().all()
