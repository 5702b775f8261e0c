"""Paired comparison of two runs: known answers, coverage, and which queries differ."""

import numpy as np
import pandas as pd
import pytest

from mscm_lib.errors import ProtocolError
from mscm_lib.metrics import compare_runs, rank_metrics


def table(ap, ids, hits=None, **columns):
    paths = [f"{place:04d}.jpg" for place in range(len(ap))]
    first = np.ones(len(ap), int) if hits is None else np.where(hits, 1, 3)
    frame = pd.DataFrame({"path": paths, "query_id": ids, "ap": ap, "first_hit": first})
    return frame.assign(**columns)


def simulated(generator, gain=0.0, identities=50, queries=6):
    """Two runs' AP: what is common to a query, what is common to a person, and their own luck."""
    ids = np.repeat(np.arange(identities), queries)
    common = generator.uniform(0.2, 0.8, len(ids))
    taste = 0.03 * generator.standard_normal(identities)  # whom run a finds easier than run b
    luck = 0.03 * generator.standard_normal((2, len(ids)))
    return table(common + gain + taste[ids] + luck[0], ids), table(common + luck[1], ids)


def test_means_and_queries_by_hand():
    a = table([0.5, 1.0, 0.25, 0.75], [1, 1, 2, 2], hits=[0, 1, 0, 1])
    b = table([0.5, 0.5, 1.00, 0.50], [1, 1, 2, 2], hits=[0, 0, 1, 1])
    found = compare_runs(a, b)
    assert found.ap.mean == pytest.approx(0)
    assert found.rank1.mean == pytest.approx(0)
    assert found.ap.verdict == found.rank1.verdict == "not distinguishable"
    assert found.queries["path"].tolist() == ["0002.jpg", "0001.jpg", "0003.jpg"]
    assert found.queries["difference"].tolist() == [-0.75, 0.5, 0.25]
    assert found.queries[["ap_a", "ap_b"]].iloc[0].tolist() == [0.25, 1.0]
    # either person twice, or each once: the interval reaches from one's mean to the other's
    assert (found.ap.low, found.ap.high) == pytest.approx((-0.25, 0.25))


def test_a_run_beside_itself_does_not_differ():
    a, _ = simulated(np.random.default_rng(0))
    found = compare_runs(a, a.sample(frac=1, random_state=0))
    assert tuple(found.ap) == (0, 0, 0)
    assert found.ap.verdict == "not distinguishable"
    assert found.queries.empty


def test_pairing_tells_what_separate_intervals_do_not():
    a, b = simulated(np.random.default_rng(1), gain=0.03)
    forth, back = compare_runs(a, b), compare_runs(b, a)
    assert forth.ap.verdict == "a better" and back.ap.verdict == "b better"
    assert back.ap.mean == pytest.approx(-forth.ap.mean)
    assert forth.ap.high - forth.ap.low < 0.04  # either run's own interval is wider than 0.06


def test_holds_the_true_difference_as_often_as_it_says():
    generator = np.random.default_rng(2)
    inside = 0
    for _ in range(200):
        found = compare_runs(*simulated(generator, gain=0.01), draws=400)
        inside += found.ap.low <= 0.01 <= found.ap.high
    assert 0.89 <= inside / 200 <= 0.985


def test_galleries_and_searches_are_matched_and_averaged():
    names = {"search": "all", "scoring": None}
    a = pd.concat(
        [table([v, 0.5], [1, 2], gallery_trial=t, **names) for t, v in ((0, 0.9), (1, 0.7))]
    )
    b = pd.concat(
        [table([v, 0.5], [1, 2], gallery_trial=t, **names) for t, v in ((1, 0.1), (0, 0.2))]
    )
    found = compare_runs(a, b)
    row = found.queries.iloc[0]
    assert len(found.queries) == 1 and row["search"] == "all"
    assert (row["ap_a"], row["ap_b"], row["difference"]) == pytest.approx((0.8, 0.15, 0.65))


def test_unanswerable_queries_are_left_out():
    a = table([0.5, np.nan], [1, 2])
    assert compare_runs(a, table([0.25, np.nan], [1, 2])).ap.mean == pytest.approx(0.25)


def test_tables_of_rank_metrics_are_matched_by_place():
    far = np.array([[0.0, 1.0], [0.0, 1.0]])
    a = rank_metrics(far, [1, 2], [1, 2], protocol="regdb").queries
    b = rank_metrics(far[:, ::-1], [1, 2], [1, 2], protocol="regdb").queries
    found = compare_runs(a, b)
    assert found.queries["difference"].tolist() == [0.5, -0.5]
    assert found.rank1.mean == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns="ap"), "no column 'ap'"),
        (lambda t: t.iloc[1:], "did not answer the same queries: 1 stand"),
        (lambda t: pd.concat([t, t]), "more than once"),
        (lambda t: t.assign(query_id=[1, 3]), "another identity"),
        (lambda t: t.assign(ap=[0.5, np.nan]), "another answer"),
    ],
)
def test_refuses_tables_that_are_no_pair(change, message):
    whole = table([0.5, 0.25], [1, 2])
    with pytest.raises(ProtocolError, match=message):
        compare_runs(whole, change(whole))
