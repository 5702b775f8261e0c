"""Intervals and tests: known answers, and by simulation how often they are right."""

import numpy as np
import pytest

from mscm_lib.errors import ProtocolError
from mscm_lib.metrics import bootstrap_over_identities
from mscm_lib.metrics.inference import (
    Estimate,
    expected_best,
    holm,
    improvement,
    less,
    over_people_and_seeds,
    over_replicates,
    power,
)

TIMES = 2500  # simulated studies; 1.96 standard errors of a coverage are 0.9 points


def holds(estimates, truth):
    """Share of 95 % intervals that hold the truth."""
    spans = [each.interval() for each in estimates]
    return np.mean([span.low <= truth <= span.high for span in spans])


def studies(generator, times, networks, seeds, people, spreads, own=8.0, noise=14.0):
    """(times, networks, seeds, people) AP in points, as the experiments' tables have it.

    Networks differ in how people suit them (standard deviation ``own`` of a pair's differences),
    seeds move a whole network (``spreads``), and people of one seed (``noise``).
    """
    shape = times, networks, seeds, people
    suits = generator.normal(0, own / 2**0.5, (times, networks, 1, people))
    moved = generator.normal(0, 1, (times, networks, seeds, 1)) * np.reshape(spreads, (-1, 1, 1))
    return 40 + suits + moved + generator.normal(0, noise, shape)


@pytest.mark.parametrize(
    ("seeds", "people", "spreads"),
    [(3, 128, (1, 1)), (3, 128, (1.5, 2)), (3, 128, (0.5, 3)), (3, 96, (4, 4)), (5, 128, (1, 1)),
     (5, 128, (0.5, 4))],
)  # fmt: skip
def test_intervals_over_people_and_seeds_hold_the_truth_as_often_as_they_say(
    seeds, people, spreads
):
    """Spreads of seeds as in the experiments' tables, in points of mAP, alike and far apart."""
    generator = np.random.default_rng(0)
    drawn = studies(generator, TIMES, 2, seeds, people, spreads)
    weights = np.full(people, 1 / people)
    assert 0.93 <= holds([over_people_and_seeds(pair, weights) for pair in drawn], 0) <= 0.97


@pytest.mark.parametrize("worlds", [2, 3, 5])
def test_intervals_over_worlds_hold_the_truth_as_often_as_they_say(worlds):
    gaps = np.random.default_rng(1).normal(3.0, 2.0, (TIMES, worlds))
    assert 0.93 <= holds([over_replicates(each) for each in gaps], 3.0) <= 0.97


def test_a_difference_of_differences_holds_the_truth_as_often_as_it_says():
    generator = np.random.default_rng(2)
    here, there = (generator.normal(1, spread, (TIMES, 5)) for spread in (1.0, 3.0))
    pairs = zip(here, there, strict=True)
    found = [less(over_replicates(a), over_replicates(b)) for a, b in pairs]
    assert 0.93 <= holds(found, 0) <= 0.97


def false_findings(tables):
    """Share of tables in which any of the comparisons with the first network counts as a finding."""
    return np.mean([(holm([each.p_zero() for each in table]) < 0.05).any() for table in tables])


@pytest.mark.parametrize(("networks", "times"), [(4, 6000), (8, 2500)])
def test_one_table_in_twenty_at_most_finds_what_is_not_there(networks, times):
    """All networks are alike, and share what they are compared with."""
    generator = np.random.default_rng(3)
    worlds = generator.normal(40, 2, (times, networks, 5)) + generator.normal(0, 5, (times, 1, 5))
    found = [[over_replicates(each - table[0]) for each in table[1:]] for table in worlds]
    assert 0.01 <= false_findings(found) <= 0.05
    unadjusted = np.mean([min(each.p_zero() for each in table) < 0.05 for table in found])
    assert unadjusted > 0.08  # what the adjustment is for


def test_so_does_a_table_of_one_world():
    drawn = studies(np.random.default_rng(4), 800, 8, 3, 128, (0.5, 1, 1, 1, 1.5, 1.5, 2, 2))
    weights = np.full(128, 1 / 128)
    found = [[over_people_and_seeds((e, table[0]), weights) for e in table[1:]] for table in drawn]
    assert false_findings(found) <= 0.05


def test_equivalence_is_seldom_claimed_of_what_lies_at_the_margin():
    gaps = np.random.default_rng(5).normal(2.0, 0.5, (TIMES, 3, 5))
    claimed = [
        (holm([over_replicates(each).p_beyond(2.0) for each in table]) < 0.05).any()
        for table in gaps
    ]
    assert 0.02 <= np.mean(claimed) <= 0.06


def test_a_detectable_difference_is_seen_four_times_in_five():
    generator = np.random.default_rng(6)
    true = Estimate(0, 1.5 / 5**0.5, 4).detectable(comparisons=3)
    seen = [
        over_replicates(each).p_zero() < 0.05 / 3
        for each in generator.normal(true, 1.5, (TIMES, 5))
    ]
    assert np.mean(seen) == pytest.approx(0.8, abs=0.025)


def test_power_by_the_book():
    """34 pairs see half a standard deviation with power 0.808 (Cohen's tables give 0.8 at 34)."""
    assert power(0.5, 1 / 34**0.5, 33) == pytest.approx(0.808, abs=0.001)
    assert power(0, 1, [1, 4, 100]) == pytest.approx([0.025] * 3)
    assert (np.diff(power(2, 1.5 / np.sqrt([3, 5, 8]), [2, 4, 7])) > 0).all()
    finds = [Estimate(0, 1, freedom).detectable(12) for freedom in (1, 1.3, 2, 4, 127)]
    assert (np.diff(finds) < 0).all()


def test_a_t_test_by_hand():
    found = over_replicates([1, 2, 3, 4])  # mean 2.5, standard error 0.645
    assert found == pytest.approx((2.5, 0.6455, 3), abs=1e-4)
    assert found.interval() == pytest.approx((2.5, 0.4457, 4.5543), abs=1e-4)
    assert found.p_zero() == pytest.approx(0.0305, abs=1e-4)


def test_equivalence_by_hand():
    """t = (2 - 0.5) / 0.5 = 3 with four degrees of freedom: p = 0.01997 on one side."""
    assert Estimate(0.5, 0.5, 4).p_beyond(2) == pytest.approx(0.01997, abs=1e-5)
    assert Estimate(-0.5, 0.5, 4).p_beyond(2) == pytest.approx(0.01997, abs=1e-5)
    assert Estimate(2.0, 0.5, 4).p_beyond(2) == pytest.approx(0.5)
    assert Estimate(3.0, 0.5, 4).p_beyond(2) > 0.9


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.6]) == pytest.approx([1, 1])
    assert holm([]).size == 0


def test_people_and_seeds_by_hand():
    """Two seeds of two people; what a seed does to one person is in both variances, and counts once.

    People's means 0.3 and 0.7: variance of the mean 0.04. Seeds' means 0.4 and 0.6: 0.01. A seed
    moves both people alike, so nothing is taken off.
    """
    found = over_people_and_seeds([np.array([[0.2, 0.6], [0.4, 0.8]])], np.array([0.5, 0.5]))
    assert found == pytest.approx((0.5, 0.05**0.5, 0.05**2 / (0.04**2 + 0.01**2)))
    moved = over_people_and_seeds([np.array([[0.4, 0.6], [0.2, 0.8]])], np.array([0.5, 0.5]))
    assert moved[:2] == pytest.approx((0.5, 0.2))  # seeds' means agree: people are all there is


def test_runs_that_agree_to_the_last_digit_do_not_differ():
    same = over_people_and_seeds([np.full((3, 5), 0.4)] * 2, np.full(5, 0.2))
    assert tuple(same.interval()) == (0, 0, 0)
    assert (same.p_zero(), same.p_beyond(2)) == pytest.approx((1, 0))


def test_how_often_one_run_beats_another():
    assert improvement([2, 3], [1, 2]) == pytest.approx(0.875)
    assert improvement([1], [1]) == 0.5


def test_the_best_of_few_trials_is_the_mean_over_all_choices_of_them():
    assert expected_best([3, 1, 2]) == pytest.approx([2, 8 / 3, 3])


def people(generator, identities=60, queries=8, between=0.15, within=0.1):
    """Scores of several queries a person, whose persons differ more than their queries."""
    ids = np.repeat(np.arange(identities), queries)
    own = between * generator.standard_normal(identities)
    return 0.5 + own[ids] + within * generator.standard_normal(len(ids)), ids


def test_the_mean_is_over_queries_and_leaves_out_those_without_an_answer():
    found = bootstrap_over_identities([1.0, 0.0, 0.5, np.nan], [1, 1, 2, 3])
    assert found.mean == pytest.approx(0.5)


def test_two_people_of_one_value_each_give_the_values_themselves():
    """Of two people, each draw takes one twice with probability 1/4: the interval is all of it."""
    found = bootstrap_over_identities([0.2, 0.2, 0.8, 0.8], [7, 7, 9, 9])
    assert (found.low, found.high) == pytest.approx((0.2, 0.8))


def test_one_value_for_all_has_no_width():
    found = bootstrap_over_identities(np.full(20, 0.25), np.arange(20) // 2)
    assert tuple(found) == pytest.approx((0.25, 0.25, 0.25))


def test_the_width_is_that_of_the_means_of_people():
    values, ids = people(np.random.default_rng(0))
    found = bootstrap_over_identities(values, ids, draws=4000)
    means = values.reshape(60, 8).mean(axis=1)
    normal = 2 * 1.96 * means.std() / 60**0.5
    assert found.high - found.low == pytest.approx(normal, rel=0.08)
    as_if_independent = 2 * 1.96 * values.std() / 480**0.5
    assert found.high - found.low > 1.8 * as_if_independent


def test_holds_the_truth_as_often_as_it_says():
    generator = np.random.default_rng(1)
    inside = 0
    for _ in range(300):
        values, ids = people(generator)
        found = bootstrap_over_identities(values, ids, draws=400)
        inside += found.low <= 0.5 <= found.high
    assert 0.90 <= inside / 300 <= 0.98


def test_the_same_seed_gives_the_same_interval_and_leaves_the_global_state_alone():
    values, ids = people(np.random.default_rng(2))
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first = bootstrap_over_identities(values, ids, seed=3)
    assert first == bootstrap_over_identities(values, ids, seed=3)
    assert first != bootstrap_over_identities(values, ids, seed=4)
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


@pytest.mark.parametrize(
    ("values", "ids", "message"),
    [([0.1, 0.2], [1], "shape"), ([np.nan], [1], "nothing to average")],
)
def test_refuses_what_cannot_be_averaged(values, ids, message):
    with pytest.raises(ProtocolError, match=message):
        bootstrap_over_identities(values, ids)
