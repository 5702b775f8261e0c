"""Re-ranking against its dense definition, whatever the features, ties and blocks."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mscm_lib.errors import ProtocolError
from mscm_lib.metrics import rank_metrics, rerank, rerank_neighbours
from tests.metrics.dense_rerank import dense_rerank, squared_distances


def people(seed, images=90, dimensions=24, spread=1.0):
    """Features of fifteen people, more or less scattered."""
    generator = np.random.default_rng(seed)
    centers = spread * generator.standard_normal((15, dimensions))
    noise = generator.standard_normal((images, dimensions))
    return (centers[generator.integers(0, 15, images)] + noise).astype(np.float32)


def expected(features, queries, k1=20, k2=6, lambda_=0.3):
    return dense_rerank(squared_distances(features), queries, k1, k2, lambda_)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    images=st.integers(2, 70),
    spread=st.sampled_from([0.0, 0.5, 1.0, 3.0]),
    levels=st.sampled_from([0, 2, 5]),
    k1=st.integers(1, 25),
    k2=st.integers(1, 8),
    lambda_=st.sampled_from([0.0, 0.3, 1.0]),
    rows=st.sampled_from([1, 7, 1000]),
)
def test_is_the_dense_definition(seed, images, spread, levels, k1, k2, lambda_, rows):
    features = people(seed, images, dimensions=6, spread=spread)
    if levels:  # features on a grid: many distances are equal
        features = np.round(np.clip(features, -1, 1) * (levels // 2))
        features[0, 0] += 1  # not all the same
    queries = max(1, images // 3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rerank_neighbours, "BLOCK_ELEMENTS", rows * images)
        found = rerank(features[:queries], features[queries:], k1, k2, lambda_)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected(features, queries, k1, k2, lambda_), atol=1e-5)


def test_neighbours_that_float32_cannot_tell_apart():
    """Distances that differ in the seventh digit, far from the origin: float64 decides."""
    generator = np.random.default_rng(0)
    features = people(0, dimensions=64)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    features = 30 + features[:10].repeat(9, axis=0) + 1e-5 * generator.standard_normal((90, 64))
    found = rerank(features[:30], features[30:])
    np.testing.assert_allclose(found, expected(features, 30), atol=1e-5)


def test_weights_and_distances_worked_out_by_hand():
    """Points 0, 1 | 3, 7 on a line, k1 = 1: only 0 and 1 have each other; 3 has 1, 7 has 3."""
    points = np.array([[0.0], [1.0], [3.0], [7.0]])
    a, b = np.exp(-1 / 49), np.exp(-1 / 36)  # weights of the other one at 0 and at 1
    found = rerank(points[:2], points[2:], k1=1, k2=1, lambda_=0.25)
    # no weight is shared with the gallery, so every Jaccard distance is 1
    by_hand = 0.25 * np.array([[9 / 49, 1], [4 / 36, 1]]) + 0.75
    np.testing.assert_allclose(found, by_hand, rtol=1e-6)
    # 0 searches 1, 3, 7: its weights are (1, a) / (1 + a), those of 1 are (b, 1) / (1 + b)
    found = rerank(points[:1], points[1:], k1=1, k2=1, lambda_=0)
    shared = min(1 / (1 + a), b / (1 + b)) + min(a / (1 + a), 1 / (1 + b))
    np.testing.assert_allclose(found, [[1 - shared / (2 - shared), 1, 1]], rtol=1e-6)


@pytest.mark.parametrize("kind", [torch.float32, torch.float64, torch.bfloat16, np.float64])
def test_takes_arrays_and_tensors_and_leaves_them_as_they_are(kind):
    features = people(3)
    given = torch.from_numpy(features).to(kind) if isinstance(kind, torch.dtype) else features
    before = given.clone() if isinstance(given, torch.Tensor) else given.copy()
    found = rerank(given[:30], given[30:])
    values = given.double().numpy() if isinstance(given, torch.Tensor) else given
    np.testing.assert_allclose(found, expected(values, 30), atol=1e-5)
    assert (given == before).all()


@pytest.mark.parametrize("factor", [1e-25, 2.0**-90, 1e17])
def test_a_common_factor_changes_nothing(factor):
    features = people(4)
    found = rerank(*(factor * features[part] for part in (slice(30), slice(30, None))))
    np.testing.assert_allclose(found, rerank(features[:30], features[30:]), atol=1e-5)


def test_of_identical_features_the_first_are_the_nearest():
    """With more copies than neighbours a list holds the first of the set, and the image itself."""
    found = rerank(np.ones((3, 4)), np.ones((50, 4)))
    assert found.min() == 0 and (found[:, :18] == 0).all()  # the first 21 have each other
    assert (found[:, 18:] > 0).all() and np.isfinite(found).all()


def test_helps_where_people_form_groups():
    """On scattered people with a few images each, mutual neighbours find more right answers."""
    generator = np.random.default_rng(1)
    ids = np.arange(240) % 30
    centers = generator.standard_normal((30, 32))
    features = centers[ids] + 1.4 * generator.standard_normal((240, 32))
    query, gallery = slice(0, 90), slice(90, None)
    plain = squared_distances(features)[query, gallery]
    before = rank_metrics(plain, ids[query], ids[gallery], protocol="regdb")
    again = rerank(features[query], features[gallery])
    after = rank_metrics(again, ids[query], ids[gallery], protocol="regdb")
    assert after.mean_ap > before.mean_ap + 0.02


@pytest.mark.parametrize(
    ("query", "gallery", "options", "message"),
    [
        (np.ones((2, 3)), np.ones((2, 4)), {}, "3 dimensions and gallery features 4"),
        (np.ones((0, 3)), np.ones((2, 3)), {}, r"query features have shape \(0, 3\)"),
        (np.ones((2, 3)), np.ones((0, 3)), {}, r"gallery features have shape \(0, 3\)"),
        (np.ones(3), np.ones((2, 3)), {}, r"query features have shape \(3,\)"),
        (np.ones((2, 3)), np.full((2, 3), np.nan), {}, "gallery feature 0 is not finite"),
        (np.ones((2, 3)), np.ones((2, 3)), {"k1": 0}, "k1 = 0"),
        (np.ones((2, 3)), np.ones((2, 3)), {"k2": 1.5}, "k2 = 1.5"),
        (np.ones((2, 3)), np.ones((2, 3)), {"lambda_": 1.2}, "lambda_ = 1.2"),
    ],
)
def test_refuses_what_does_not_fit(query, gallery, options, message):
    with pytest.raises(ProtocolError, match=message):
        rerank(query, gallery, **options)
