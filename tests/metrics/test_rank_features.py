import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mscm_lib.data.tables import ImageTable
from mscm_lib.errors import ProtocolError
from mscm_lib.evaluation.embedding import Embeddings
from mscm_lib.metrics import features as module
from mscm_lib.metrics import rank_features, rank_metrics, rerank
from mscm_lib.retrieval import GalleryIndex
from tests.metrics.reference import reference_metrics

PROTOCOLS = ("sysu", "regdb", "llcm", "market")


@st.composite
def rankings(draw):
    """Short lists of few people, few cameras and few different distances: many ties."""
    n, m = draw(st.integers(1, 6)), draw(st.integers(1, 14))
    people = draw(st.integers(1, 4))
    labels = [
        draw(arrays(np.int64, size, elements=st.integers(1, top)))
        for size, top in ((n, people + 1), (m, people), (n, 6), (m, 6))
    ]
    return labels, draw(st.sampled_from(PROTOCOLS)), draw(st.integers(1, 16))


def _same(found, wanted):
    np.testing.assert_allclose(found.cmc, wanted["cmc"], atol=1e-6)
    assert found.mean_ap == pytest.approx(wanted["mean_ap"], abs=1e-6)
    assert found.mean_inp == pytest.approx(wanted["mean_inp"], abs=1e-6)
    assert found.valid_queries == wanted["valid_queries"]
    for row, expected in zip(found.queries.itertuples(), wanted["rows"], strict=True):
        assert row.valid == (expected is not None)
        if expected is not None:
            assert (row.ap, row.inp) == pytest.approx(expected[:2], abs=1e-6)
            assert (row.first_hit, row.matches) == expected[2:]


def _check(rank, distances, labels, protocol, max_rank):
    wanted = reference_metrics(distances.tolist(), *labels, protocol, max_rank)
    if wanted is None:
        with pytest.raises(ProtocolError, match="has a right answer"):
            rank(*labels, protocol, max_rank)
    else:
        _same(rank(*labels, protocol, max_rank), wanted)


@settings(max_examples=1500, deadline=None)
@given(rankings(), st.data())
def test_distances_are_ranked_as_defined(ranking, data):
    labels, protocol, max_rank = ranking
    shape = len(labels[0]), len(labels[1])
    distances = data.draw(
        arrays(np.float64, shape, elements=st.integers(0, 5).map(lambda x: x / 4))
    )
    _check(lambda *rest: rank_metrics(distances, *rest), distances, labels, protocol, max_rank)


@settings(max_examples=1000, deadline=None)
@given(rankings(), st.data(), st.sampled_from(["cosine", "euclidean"]))
def test_features_are_ranked_as_defined(ranking, data, metric):
    """Features whose products are exact in float32, so that the reference knows every tie."""
    labels, protocol, max_rank = ranking
    # one of eight directions, all of length 2 exactly
    corners = np.array(np.meshgrid(*[[-1.0, 1.0]] * 3)).reshape(3, 8).T
    corners = np.concatenate([corners, np.ones((8, 1))], axis=1).astype(np.float32)
    query, gallery = (
        corners[data.draw(arrays(np.int64, len(ids), elements=st.integers(0, 7)))]
        for ids in labels[:2]
    )
    distances = -(query.astype(np.float64) @ gallery.T)
    chunks = {name: data.draw(st.integers(1, 9)) for name in ("query_chunk", "gallery_chunk")}

    def rank(*rest):
        return rank_features(query, gallery, *rest, metric=metric, **chunks)

    _check(rank, distances, labels, protocol, max_rank)


def _people(n, m, dimensions=64, seed=0):
    """Features of people seen twice and more, as confusable as a half-trained network's."""
    generator = np.random.default_rng(seed)
    query_ids, gallery_ids = generator.integers(0, 40, n), generator.integers(0, 40, m)
    centers = generator.normal(size=(40, dimensions))
    query, gallery = (
        (centers[ids] + 1.5 * generator.normal(size=(len(ids), dimensions))).astype(np.float32)
        for ids in (query_ids, gallery_ids)
    )
    gallery[m // 2 :: 7] = gallery[: len(gallery[m // 2 :: 7])]  # the same picture of other people
    cams = generator.integers(1, 7, n), generator.integers(1, 7, m)
    return (query, gallery), (query_ids, gallery_ids, *cams)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_chunks_change_nothing_to_the_bit(protocol):
    features, labels = _people(300, 2500)
    found = [
        rank_features(*features, *labels, protocol, query_chunk=q, gallery_chunk=g)
        for q, g in ((8192, 16384), (1, 100_000), (97, 1), (256, 1024), (300, 1500))
    ]
    for other in found[1:]:
        np.testing.assert_array_equal(other.ap, found[0].ap)
        np.testing.assert_array_equal(other.inp, found[0].inp)
        np.testing.assert_array_equal(other.first_hit, found[0].first_hit)


def test_the_order_of_the_queries_changes_nothing():
    features, labels = _people(300, 1100)
    whole = rank_features(*features, *labels)
    turned = rank_features(
        features[0][::-1].copy(), features[1], labels[0][::-1], labels[1], labels[2][::-1],
        labels[3],
    )  # fmt: skip
    np.testing.assert_array_equal(turned.ap[::-1], whole.ap)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_equal_to_the_evaluator_of_distances(metric):
    (query, gallery), labels = _people(200, 1500)
    query, gallery = query.astype(np.float64), gallery.astype(np.float64)
    if metric == "cosine":
        query /= np.linalg.norm(query, axis=1, keepdims=True)
        gallery /= np.linalg.norm(gallery, axis=1, keepdims=True)
        distances = -query @ gallery.T
    else:
        distances = ((query[:, None] - gallery[None]) ** 2).sum(-1)
    found = rank_features(query, gallery, *labels, metric=metric)
    wanted = rank_metrics(distances, *labels)
    np.testing.assert_allclose(found.cmc, wanted.cmc, atol=0.005)
    # float32 scores may turn round two images that float64 tells apart in the eighth digit
    assert found.mean_ap == pytest.approx(wanted.mean_ap, abs=1e-5)


def test_equal_images_are_ranked_in_gallery_order():
    features = np.ones((3, 8), dtype=np.float32)
    first = rank_features(features[:1], features, [1], [2, 1, 3], protocol="regdb")
    assert first.first_hit[0] == 2
    assert rank_features(features[:1], features, [3], [2, 1, 3], protocol="regdb").ap[0] == 1 / 3


@pytest.mark.parametrize("kind", ["float16", "bfloat16", "float64", "memmap", "tensor"])
def test_every_kind_of_features(kind, tmp_path):
    (query, gallery), labels = _people(60, 400)
    wanted = rank_features(query, gallery, *labels)
    if kind == "memmap":
        for name, array in (("q", query), ("g", gallery)):
            np.save(tmp_path / f"{name}.npy", array)
        query, gallery = (np.load(tmp_path / f"{n}.npy", mmap_mode="r") for n in "qg")
    elif kind != "float16":
        as_tensor = getattr(torch, kind, torch.float32) if kind != "tensor" else torch.float32
        query, gallery = (torch.from_numpy(x).to(as_tensor) for x in (query, gallery))
    else:
        query, gallery = query.astype(kind), gallery.astype(kind)
    found = rank_features(query, gallery, *labels)
    coarse = {"float16": 0.01, "bfloat16": 0.03}.get(kind, 0.0)
    assert found.mean_ap == pytest.approx(wanted.mean_ap, abs=coarse)
    if kind == "bfloat16":  # the scores themselves are float32: no ties beyond the features' own
        exact = rank_features(query.double(), gallery.double(), *labels)
        assert found.mean_ap == pytest.approx(exact.mean_ap, abs=1e-6)


def test_the_matrix_is_never_held(monkeypatch):
    """No tile is larger than promised, whatever the sizes."""
    largest = 0
    distances = module._Source.distances

    def watched(self, *given):
        nonlocal largest
        block = distances(self, *given)
        largest = max(largest, block.numel())
        return block

    monkeypatch.setattr(module._Source, "distances", watched)
    features, labels = _people(600, 5000, dimensions=8)
    rank_features(*features, *labels)
    assert 0 < largest <= module.CPU_TILE.gallery * module.CPU_TILE.queries < 600 * 5000


def by_differences(query, gallery):
    query, gallery = query.astype(np.float64), gallery.astype(np.float64)
    return ((query[:, None] - gallery[None]) ** 2).sum(-1)


@pytest.mark.parametrize(
    ("query", "gallery", "hit"),
    [
        ([[512695]], [[512804], [512696], [512695]], 3),
        ([[16777214.0]], [[16777212], [16777213], [16777214]], 3),
        ([[1e8]], [[-1e8], [1e8 + 8], [1e8]], 3),  # no centre is near both
        ([[3e18, 1]], [[3e18, 3], [-3e18, 1], [3e18, 1]], 3),
        ([[1e-25, 0]], [[3e-25, 0], [0, 3e-25], [1e-25, 0]], 3),
        ([[0, 0]], [[1, 0], [0, 1], [0, 0]], 3),
        ([[70001, 5]], [[70001, 6], [70002, 5], [70000, 5]], 1),  # equally far: gallery order
    ],
)
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_euclidean_ranks_tell_apart_what_features_tell_apart(query, gallery, hit, kind):
    query, gallery = np.array(query, kind), np.array(gallery, kind)
    for place in range(3):
        ids = [int(row == place) for row in range(3)]
        found = rank_features(
            query, gallery, [1], ids, protocol="regdb", metric="euclidean"
        ).first_hit[0]
        wanted = np.argsort(by_differences(query, gallery)[0], kind="stable").tolist()
        assert found == wanted.index(place) + 1
        assert found == 1 or place != hit - 1


@pytest.mark.parametrize("offset", [0, 1e3, 1e6])
def test_euclidean_ranks_are_those_of_differences_wherever_features_lie(offset):
    generator = np.random.default_rng(0)
    query, gallery = (
        (offset + generator.standard_normal((n, 128))).astype(np.float32) for n in (40, 1300)
    )
    gallery[600:640] = query + generator.normal(0, 1e-3, query.shape)
    labels = np.arange(40), np.arange(1300) % 60
    wanted = rank_metrics(by_differences(query, gallery), *labels, protocol="regdb")
    found = rank_features(query, gallery, *labels, protocol="regdb", metric="euclidean")
    np.testing.assert_array_equal(found.ap, wanted.ap)
    np.testing.assert_array_equal(found.first_hit, wanted.first_hit)


def test_the_callers_choice_of_coarse_products_is_not_followed_and_stands_again():
    features, _ = _people(60, 400)
    given = [torch.from_numpy(x) for x in features]
    wanted = rerank(*given)
    torch.set_float32_matmul_precision("medium")
    try:
        with torch.autocast("cpu", torch.bfloat16), module.full_precision():
            assert (given[0] @ given[1].T).dtype is torch.float32
            assert torch.backends.cuda.matmul.fp32_precision == "ieee"
            assert torch.backends.mkldnn.matmul.fp32_precision == "ieee"
        with torch.autocast("cpu", torch.bfloat16):
            np.testing.assert_array_equal(rerank(*given), wanted)
        assert torch.get_float32_matmul_precision() == "medium"
        assert torch.backends.cuda.matmul.allow_tf32
    finally:
        torch.set_float32_matmul_precision("highest")


USELESS = {"zero": 0, "vanishing": 1e-30, "overflowing": 3e19, "infinite": np.inf, "NaN": np.nan}


@pytest.mark.parametrize("kind", USELESS)
@pytest.mark.parametrize("where", ["cosine", "euclidean", "rerank", "index", "query", "network"])
def test_a_useless_feature_is_named_wherever_it_enters(kind, where):
    features, _ = _people(9, 30)
    good, bad = features[0], features[1].copy()
    bad[4] = USELESS[kind]
    table = ImageTable.from_rows([(f"{row}.png", row % 3, 1, False) for row in range(30)])
    ids = np.arange(9) % 3, np.arange(30) % 3
    enter = {
        "cosine": lambda: rank_features(good, bad, *ids, protocol="regdb"),
        "euclidean": lambda: rank_features(good, bad, *ids, protocol="regdb", metric="euclidean"),
        "rerank": lambda: rerank(good, bad),
        "index": lambda: GalleryIndex.build(table, bad),
        "query": lambda: GalleryIndex.build(table, features[1]).search(bad),
        "network": lambda: Embeddings(table, {"neck": torch.from_numpy(bad)}),
    }[where]
    if where in ("euclidean", "rerank") and kind in ("zero", "vanishing"):
        enter()  # a place like any other, where distances count and not directions
    else:
        with pytest.raises(ProtocolError, match=r"(row 4|feature 4|\b4\.png|query 4) is"):
            enter()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"query_features": np.full((3, 4), np.nan, np.float32)},
            "query_features: row 0 is not finite",
        ),
        ({"gallery_features": np.full((5, 4), np.inf, np.float32)}, "gallery_features: row . is"),
        (
            {"gallery_features": np.ones((0, 4), np.float32), "gallery_ids": []},
            "gallery set is emp",
        ),
        ({"gallery_features": np.ones((5, 3), np.float32)}, "have 4 numbers each .* 3"),
        ({"gallery_features": np.ones((6, 4), np.float32)}, r"expected \(6,\)"),
        ({"query_features": np.ones(4, np.float32)}, "expected .images, numbers"),
        ({"query_features": np.ones((3, 4), np.int64)}, "expected floating point"),
        ({"query_ids": [7, 8, 9]}, "none of the 3 queries has a right answer"),
        ({"metric": "cosin"}, "did you mean 'cosine'"),
        ({"protocol": "sysu"}, "give query_cams"),
        ({"gallery_chunk": 0}, "gallery_chunk = 0"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    values = {
        "query_features": np.ones((3, 4), np.float32),
        "gallery_features": np.ones((5, 4), np.float32),
        "query_ids": [1, 2, 3],
        "gallery_ids": [1, 2, 3, 1, 2],
        "protocol": "regdb",
    }
    with pytest.raises(ProtocolError, match=message):
        rank_features(**(values | change))
