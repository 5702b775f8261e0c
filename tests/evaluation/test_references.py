"""Rankings that learned nothing, under the run's own protocol."""

import numpy as np
import torch

from mscm_lib.evaluation import rank_by_histogram, rank_untrained
from mscm_lib.evaluation.references import BINS, STRIPES, colour_histograms


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
