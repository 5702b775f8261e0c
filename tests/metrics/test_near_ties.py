"""Features so near one another that float32 rounds their order."""

import numpy as np
import torch

from mscm_lib.metrics import rank_features, rank_metrics
from mscm_lib.metrics.distances import negative_cosines
from mscm_lib.retrieval.neighbours import by_product


def crowded() -> list[torch.Tensor]:
    """Queries (Q, D) and gallery (M, D): unit features about one direction."""
    generator = np.random.default_rng(0)
    offset = generator.standard_normal(64) * 50
    query, gallery = (offset + generator.standard_normal((n, 64)) * 0.05 for n in (40, 400))
    unit = [values / np.linalg.norm(values, axis=1, keepdims=True) for values in (query, gallery)]
    return [torch.from_numpy(values).float() for values in unit]


def test_rounded_unit_features_keep_an_order_that_their_float32_products_lose() -> None:
    query, gallery = crowded()
    exact = [
        values.double() / values.double().norm(dim=1, keepdim=True) for values in (query, gallery)
    ]
    right = np.argsort(-(exact[0] @ exact[1].T).numpy(), axis=1, kind="stable")
    found = np.argsort(negative_cosines(query, gallery).numpy(), axis=1, kind="stable")
    rounded = np.argsort(-(query @ gallery.T).numpy(), axis=1, kind="stable")
    assert (found == right).all()
    assert (rounded != right).mean() > 0.5


def test_features_of_other_lengths_are_ranked_by_their_products() -> None:
    query = torch.tensor([[1.0, 0.0]])
    gallery = torch.tensor([[1.0, 0.0], [3.0, 3.0]])
    assert negative_cosines(query, gallery).tolist() == [[-1.0, -3.0]]
    assert (
        rank_metrics(negative_cosines(query, gallery), [0], [1, 0], protocol="regdb").rank(1) == 1
    )


def test_rank_features_counts_what_float64_orders() -> None:
    query, gallery = crowded()
    generator = np.random.default_rng(1)
    query_ids, gallery_ids = np.arange(40) % 20, generator.permutation(400) % 20
    found = rank_features(query, gallery, query_ids, gallery_ids, protocol="regdb")
    exact, rounded = (
        rank_metrics(scores, query_ids, gallery_ids, protocol="regdb").queries
        for scores in (negative_cosines(query, gallery), -(query @ gallery.T))
    )
    assert np.allclose(found.queries["ap"], exact["ap"], atol=1e-9)
    assert not np.allclose(found.queries["ap"], rounded["ap"], atol=1e-3)


def test_a_search_lists_what_an_evaluation_ranks() -> None:
    query, gallery = crowded()
    order = np.argsort(negative_cosines(query, gallery).numpy(), axis=1, kind="stable")
    for count in (1, 10, 400):
        scores, rows = by_product(gallery.numpy(), query.numpy(), count)
        assert (rows == order[:, :count]).all()
        assert (np.diff(scores, axis=1) <= 0).all()
