"""Floors and ceilings, under the run's own protocol."""

from functools import partial

import numpy as np
import pytest
import torch

from mscm_lib.data import open_packed
from mscm_lib.data.generated import GeneratedSettings, generate, oracle
from mscm_lib.evaluation import (
    rank_at_random,
    rank_by_gradients,
    rank_by_histogram,
    rank_oracle,
    rank_untrained,
)
from mscm_lib.evaluation.references import (
    BINS,
    ORIENTATIONS,
    STRIPES,
    _gradients,
    colour_histograms,
    gradients,
)


def test_histograms_count_each_channel_of_each_stripe(packed):
    table = packed.dataset.images[:5]
    found = colour_histograms(packed.images, table, batch=2)
    for row, path in enumerate(table.paths):
        image = packed.images.read(packed.images.rows((path,)))[0]
        counts = [
            np.histogram(stripe[..., channel], bins=BINS, range=(0, 256))[0]
            for stripe in np.array_split(image, STRIPES)
            for channel in range(3)
        ]
        expected = np.sqrt(np.concatenate(counts))
        np.testing.assert_allclose(found[row], expected / np.linalg.norm(expected), atol=1e-6)


def test_rows_say_what_ranked(packed, config):
    figures = rank_by_histogram(packed, config.replace(seed=3))
    assert {(row["variant"], row["feature"], row["seed"]) for row in figures.rows} == {
        ("colour histogram", "histogram", 3)
    }
    assert all(0 < row["mean_ap"] < 1 for row in figures.rows)
    assert {(row["device"], row["precision"]) for row in figures.rows} == {("cpu", "float32")}


def test_an_untrained_network_is_that_of_the_runs_seed(packed, config):
    first, again, other = (
        rank_untrained(packed, config.replace(seed=seed), progress=False).rows for seed in (1, 1, 2)
    )
    assert first == again
    assert [row["mean_ap"] for row in first] != [row["mean_ap"] for row in other]
    assert {row["feature"] for row in first} == {"pooled", "neck"}
    assert {(row["device"], row["precision"]) for row in first} == {("cpu", "float32")}
    assert torch.is_grad_enabled()


def test_chance_is_one_over_the_gallery(packed, config):
    rank1 = [
        row["rank1"]
        for seed in range(40)
        for row in rank_at_random(packed, config.replace(seed=seed)).rows
        if row["search"] == "all"
    ]
    assert np.mean(rank1) == pytest.approx(
        1 / 6, abs=0.03
    )  # six people, one gallery image a camera


def test_gradients_tell_direction_and_not_contrast():
    across = np.tile(np.arange(32, dtype=np.uint8), (64, 1))
    images = np.stack([across * 4, across * 7, np.tile(np.arange(64, dtype=np.uint8), (32, 1)).T])
    found, grey = _gradients(images[..., None].repeat(3, axis=-1), 8)
    bins = found.reshape(3, -1, ORIENTATIONS, 4).sum(axis=(1, 3))
    assert bins[0].argmax() == bins[1].argmax() == 0  # brighter to the right
    assert set(bins[2].argsort()[-2:]) == {4, 5}  # brighter downwards, shared out to two bins
    assert found[0] @ found[1] > 0.99 > found[0] @ found[2]
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-3)
    means = np.sqrt(images[1].reshape(8, 8, 4, 8) / 255).mean(axis=(1, 3))
    np.testing.assert_allclose(grey[1], means.ravel(), atol=1e-6)


def test_gradients_of_a_table_do_not_depend_on_the_batch(packed):
    table = packed.dataset.images[:5]
    for some, all_ in zip(
        gradients(packed.images, table, batch=2), gradients(packed.images, table), strict=True
    ):
        np.testing.assert_array_equal(some, all_)


def test_a_classifier_gains_by_what_it_was_fitted_on(tmp_path, config):
    """In a still world of people that stand alike, templates do well and classifiers better."""
    still = GeneratedSettings(
        train_identities=40, test_identities=12, shots=2, viewpoint=0, occlusion=0, box_error=0
    )
    generate(still, tmp_path / "still", 64, 32, workers=1, progress=False)
    packed = open_packed(tmp_path / "still")
    found = rank_by_gradients(packed, config).rows + rank_at_random(packed, config).rows
    figures = {row["variant"]: row["mean_ap"] for row in found if row["search"] == "all"}
    assert figures["HOG + LDA"] > 1.2 * figures["HOG"] > 1.2 * 1.2 * figures["chance"]


def test_the_oracle_is_the_ceiling(packed, config, monkeypatch):
    monkeypatch.setattr(oracle, "sample", partial(oracle.sample, people=1))
    rows = rank_oracle(packed, config).rows
    assert {(row["variant"], row["feature"]) for row in rows} == {("oracle", "attributes")}
    assert all(row["mean_ap"] > 0.9 for row in rows)


def test_a_real_dataset_has_no_oracle(packed, config, monkeypatch):
    monkeypatch.setattr(packed.dataset, "__class__", packed.dataset.__class__.__mro__[1])
    assert rank_oracle(packed, config).rows == []
