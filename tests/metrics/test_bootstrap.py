"""Intervals over identities: known answers, and how often they hold the truth."""

import numpy as np
import pytest

from mscm_lib.errors import ProtocolError
from mscm_lib.metrics import bootstrap_over_identities


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
