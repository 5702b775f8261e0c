"""Searches, scorings, draws, shots, features and re-ranking against a plain reference."""

import numpy as np
import pytest

from mscm_lib.config import RunConfig
from mscm_lib.evaluation.rankings import rank_all
from mscm_lib.metrics import bootstrap_over_identities
from tests.metrics.dense_rerank import dense_rerank, squared_distances
from tests.metrics.reference import reference_metrics

CASES = [
    ("sysu", {"draw": "agw", "shots": 1}),
    ("sysu", {"draw": "agw", "shots": 10}),
    ("sysu", {"draw": "official", "shots": 1}),
    ("sysu", {"draw": "official", "shots": 10}),
    ("regdb", {"trial": 3}),
    ("llcm", {}),
]


def cosine(embeddings, query, gallery, feature, weight):
    if feature == "mix":
        parts = [cosine(embeddings, query, gallery, name, weight) for name in ("neck", "pooled")]
        return weight * parts[0] + (1 - weight) * parts[1]
    rows = {path: row for row, path in enumerate(embeddings.table.paths)}
    values = embeddings.features[feature].double().numpy()
    a, b = (values[[rows[path] for path in table.paths]] for table in (query, gallery))
    return a @ b.T


def plain_trial(dataset, config, embeddings, search, scoring, number, feature):
    """One ranking as the field's evaluators make it: the whole matrix, then the plain rules.

    Swapped: the matrix of drawn infrared × all visible images is that of the search, transposed.
    """
    query = dataset.query(search, trial=number)
    gallery = dataset.gallery(search, number, config.draw, config.shots)
    distances = -cosine(embeddings, query, gallery, feature, config.mix_weight)
    if scoring == "swapped":
        query, gallery, distances = gallery, query, distances.T
    return reference_metrics(
        distances, query.ids, gallery.ids, query.cams, gallery.cams, dataset.protocol, 20
    )


@pytest.mark.parametrize(("name", "options"), CASES)
def test_every_trial_is_the_plain_reference(trees, invented, name, options):
    dataset = trees[name]
    config = RunConfig(gallery_trials=3, mix_weight=0.3, **options)
    embeddings = invented(dataset.images).with_mix(config.mix_weight)
    figures = rank_all(dataset, config, embeddings, ("pooled", "neck", "mix"), {"flip": False})
    assert {row["feature"] for row in figures.rows} == {"pooled", "neck", "mix"}
    assert {row["search"] for row in figures.rows} == set(dataset.searches)
    for row in figures.trials:
        expected = plain_trial(
            dataset, config, embeddings, row["search"], row["scoring"],
            row["gallery_trial"], row["feature"],
        )  # fmt: skip
        for key in ("mean_ap", "mean_inp", "valid_queries"):
            assert row[key] == pytest.approx(expected[key], abs=1e-6), (key, row)
        for rank in (1, 5, 10, 20):
            assert row[f"rank{rank}"] == pytest.approx(expected["cmc"][rank - 1], abs=1e-6)


def test_llcm_is_scored_both_ways_and_they_differ(trees, invented):
    dataset = trees["llcm"]
    embeddings = invented(dataset.images)
    figures = rank_all(dataset, RunConfig(), embeddings, ("neck",), {"flip": False})
    rows = {(row["direction"], row["scoring"]): row for row in figures.rows}
    assert set(rows) == {
        ("infrared → visible", None), ("visible → infrared", "direct"),
        ("infrared → visible", "swapped"),
    }  # fmt: skip
    direct, swapped = rows["visible → infrared", "direct"], rows["infrared → visible", "swapped"]
    visible = dataset.query("visible-to-infrared")
    drawn = dataset.gallery("visible-to-infrared", 0)
    assert direct["valid_queries"] == len(visible) and swapped["valid_queries"] == len(drawn)
    assert direct["mean_ap"] != pytest.approx(swapped["mean_ap"], abs=1e-3)


def test_a_row_is_the_mean_of_ten_trials_with_their_spread_and_interval(trees, invented):
    dataset = trees["sysu"]
    figures = rank_all(
        dataset, RunConfig(), invented(dataset.images), ("neck",), {"flip": False, "seed": 4}
    )
    for place, row in enumerate(figures.rows):
        each = [t for t in figures.trials if t["search"] == row["search"]]
        assert [t["gallery_trial"] for t in each] == list(range(10)) and row["gallery_trials"] == 10
        values = np.array([t["mean_ap"] for t in each])
        assert row["mean_ap"] == pytest.approx(values.mean())
        assert row["mean_ap_sd"] == pytest.approx(values.std(ddof=1))
        assert values.std() > 0 and row["seed"] == 4
        queries = figures.queries[place]
        assert len(queries) == 10 * len(dataset.query(row["search"]))
        interval = bootstrap_over_identities(queries["ap"], queries["query_id"])
        assert (row["mean_ap_low"], row["mean_ap_high"]) == (interval.low, interval.high)


def test_re_ranked_rows_stand_beside_the_plain_ones(trees, invented):
    dataset = trees["regdb"]
    config = RunConfig(trial=1, rerank=True)
    embeddings = invented(dataset.images)
    figures = rank_all(dataset, config, embeddings, ("neck",), {"flip": False})
    assert [row["rerank"] for row in figures.rows] == [False, True] * 2
    plain = rank_all(dataset, config.replace(rerank=False), embeddings, ("neck",), {"flip": False})
    assert [row for row in figures.rows if not row["rerank"]] == plain.rows
    for row in (row for row in figures.trials if row["rerank"]):
        query = dataset.query(row["search"], trial=1)
        gallery = dataset.gallery(row["search"], 1)
        features = [embeddings.of(table, "neck").numpy() for table in (query, gallery)]
        squared = squared_distances(np.concatenate(features))
        expected = reference_metrics(
            dense_rerank(squared, len(query), 20, 6, 0.3).round(6),
            query.ids, gallery.ids, query.cams, gallery.cams, "regdb", 20,
        )  # fmt: skip
        assert row["mean_ap"] == pytest.approx(expected["mean_ap"], abs=1e-6)


def test_other_rules_are_named_in_every_row(trees, invented):
    dataset = trees["sysu"]
    embeddings = invented(dataset.images)
    config = RunConfig(gallery_trials=2)
    own = rank_all(dataset, config, embeddings, ("neck",), {"flip": False})
    other = rank_all(dataset, config, embeddings, ("neck",), {"flip": False}, protocol="market")
    assert {row["protocol"] for row in own.rows} == {"sysu"}
    assert {row["protocol"] for row in other.rows + other.trials} == {"market"}
    assert own.rows[0]["mean_ap"] != other.rows[0]["mean_ap"]
