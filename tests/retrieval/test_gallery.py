"""The index against a sorted list, its files, and what it refuses."""

import json

import numpy as np
import pytest
import torch

from mscm_lib.data.tables import ImageTable
from mscm_lib.errors import ConfigError, DataError, ProtocolError
from mscm_lib.metrics import rank_metrics
from mscm_lib.retrieval import GalleryIndex, neighbours


def people(count, seed=0, width=16):
    generator = np.random.default_rng(seed)
    ids, cams = generator.integers(0, 20, count), generator.integers(1, 5, count)
    rows = [
        (f"{i}.jpg", int(p), int(c), False) for i, (p, c) in enumerate(zip(ids, cams, strict=True))
    ]
    features = np.round(generator.standard_normal((count, width)) * 2) / 2  # many equal scores
    features[:, 0] += 0.25
    return ImageTable.from_rows(rows), features.astype(np.float32)


def by_sorting(table, features, queries):
    """Rows of the gallery for each query, best first, equal scores in gallery order."""
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (queries, features)]
    return np.argsort(-(unit[0] @ unit[1].T), axis=1, kind="stable")


@pytest.fixture(params=["product", "exhaustive"])
def way(request, monkeypatch):
    monkeypatch.setattr(neighbours, "SWITCH", 1 if request.param == "exhaustive" else 10**9)
    return request.param


def test_lists_are_those_of_sorting_every_score(way):
    table, features = people(700)
    _, queries = people(300, seed=1)
    lists = GalleryIndex.build(table, features).search(queries, k=len(table))
    wanted = by_sorting(table, features, queries)
    for matches, order in zip(lists, wanted, strict=True):
        scores = [match.score for match in matches]
        assert scores == sorted(scores, reverse=True)
        assert {m.path for m in matches} == {table.paths[row] for row in order}
        assert [m.rank for m in matches] == list(range(1, len(table) + 1))
    short = GalleryIndex.build(table, features).search(queries, k=7)
    for few, all_of_them in zip(short, lists, strict=True):
        np.testing.assert_allclose(
            [m.score for m in few], [m.score for m in all_of_them[:7]], atol=1e-6
        )


def test_equal_scores_come_in_gallery_order():
    table, features = people(300)
    features[::2] = features[0]
    matches = GalleryIndex.build(table, features).search(features[:1], k=90)[0]
    assert [m.path for m in matches] == [f"{2 * row}.jpg" for row in range(90)]


@pytest.mark.parametrize("protocol", ["sysu", "llcm", "regdb", "market"])
def test_the_camera_rule_is_the_evaluations(protocol, way):
    table, features = people(400, width=24)
    asked, queries = people(60, seed=2, width=24)
    generator = np.random.default_rng(3)
    features += 1e-3 * generator.standard_normal(features.shape).astype(np.float32)  # no ties
    index = GalleryIndex.build(table, features, protocol)
    lists = index.search(queries, len(table), asked.cams, asked.ids)
    cosine = -(queries / np.linalg.norm(queries, axis=1, keepdims=True)) @ index.features.T
    figures = rank_metrics(cosine, asked.ids, table.ids, asked.cams, table.cams, protocol)
    for query, matches in enumerate(lists):
        right = [m.rank for m in matches if m.right and not m.excluded]
        assert len(right) == figures.matches[query]
        if right:
            ap = np.mean([(k + 1) / rank for k, rank in enumerate(right)])
            assert ap == pytest.approx(figures.ap[query], abs=1e-6)


def test_ranks_are_filled_up_beyond_what_is_left_out():
    table, features = people(200)
    index = GalleryIndex.build(table, features, "sysu")
    first = features[table.cams == 2][:1]
    matches = index.search(np.repeat(first, 2, 0), 10, cameras=[3, 1])
    assert [m.rank for m in matches[0] if not m.excluded] == list(range(1, 11))
    assert all(m.camera == 2 for m in matches[0] if m.excluded)
    assert any(m.excluded for m in matches[0]) and not any(m.excluded for m in matches[1])
    assert all(m.right is None for m in matches[0])


@pytest.mark.parametrize("method", ["exact", "approximate"])
def test_saved_and_opened_it_answers_the_same(tmp_path, method):
    table, features = people(500)
    index = GalleryIndex.build(
        table, torch.from_numpy(features), "llcm", method, {"feature": "neck"}
    )
    index.save(tmp_path / "index")
    opened = GalleryIndex.open(tmp_path / "index")
    assert isinstance(opened.features, np.memmap)
    assert opened.about == {"feature": "neck"} and opened.protocol.name == "llcm"
    assert opened.search(features[:9], 5) == index.search(features[:9], 5)
    exact = GalleryIndex.build(table, features, "llcm").search(features[:9], 1)
    assert [m[0].score for m in opened.search(features[:9], 1)] == pytest.approx(
        [m[0].score for m in exact], abs=1e-5
    )


def test_a_damaged_index_names_its_file(tmp_path):
    table, features = people(60)
    folder = tmp_path / "index"

    def fresh():
        GalleryIndex.build(table, features, method="approximate").save(folder)
        return folder

    with pytest.raises(DataError, match="no gallery index"):
        GalleryIndex.open(folder)
    (fresh() / "features.npy").write_bytes(b"x" * 100)
    with pytest.raises(DataError, match="missing or damaged"):
        GalleryIndex.open(folder)
    np.save(fresh() / "features.npy", features[:5])
    with pytest.raises(DataError, match=r"holds \(5, 16\)"):
        GalleryIndex.open(folder)
    (fresh() / "images.csv").write_text("path\n")
    with pytest.raises(DataError, match="missing or damaged"):
        GalleryIndex.open(folder)
    images = (fresh() / "images.csv").read_text().splitlines()
    images[1] = images[1].replace(",", f",{10**20}", 1)  # an identity beyond 64 bits
    (folder / "images.csv").write_text("\n".join(images))
    with pytest.raises(DataError, match="missing or damaged"):
        GalleryIndex.open(folder)
    (fresh() / "graph.faiss").write_bytes(b"no graph")
    with pytest.raises(DataError, match=r"graph\.faiss"):
        GalleryIndex.open(folder)
    (fresh() / "index.json").write_text(json.dumps({"format": 99}))
    with pytest.raises(DataError, match="format 2"):
        GalleryIndex.open(folder)
    objects = np.empty(60, dtype=object)
    np.save(fresh() / "features.npy", objects)  # a pickle in disguise
    with pytest.raises(DataError, match="missing or damaged"):
        GalleryIndex.open(folder)


def test_what_cannot_be_searched_is_refused():
    table, features = people(30)
    index = GalleryIndex.build(table, features)
    with pytest.raises(ConfigError, match="method"):
        GalleryIndex.build(table, features, method="guess")
    with pytest.raises(ProtocolError, match="empty"):
        GalleryIndex.build(table[:0], features[:0])
    with pytest.raises(ProtocolError, match="a row for each"):
        GalleryIndex.build(table, features[:9])
    broken = features.copy()
    broken[4, 3] = np.nan
    with pytest.raises(ProtocolError, match=r"4\.jpg is not finite"):
        GalleryIndex.build(table, broken)
    with pytest.raises(ProtocolError, match="expected \\(N, 16\\)"):
        index.search(features[:, :9])
    with pytest.raises(ProtocolError, match="k = 0"):
        index.search(features, 0)
    with pytest.raises(ProtocolError, match="2 cameras for 30"):
        index.search(features, 1, cameras=[1, 2])
