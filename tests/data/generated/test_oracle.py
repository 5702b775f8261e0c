"""The ideal reader: sure of what is in sight, at chance elsewhere, and no better than its noise."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from mscm_lib.data.generated import GeneratedSettings, attribute_table, oracle
from mscm_lib.data.generated.listing import image_table

SETTINGS = GeneratedSettings(train_identities=2, test_identities=6, shots=2, viewpoint=0.5)


@pytest.fixture(scope="module")
def readings():
    return oracle.sample(SETTINGS, 64, 32, people=4)


def test_shared_bits_survive_in_the_images_of_both_bands(readings):
    table = oracle.surviving_bits(SETTINGS, readings).set_index("attribute")
    shared = table[table["band"] == "both"]
    for band in ("visible", "infrared"):
        assert (shared[band] <= shared["bits"]).all()
        assert (shared[band] >= 0.75 * shared["bits"]).all(), shared
        assert shared[band].sum() > 0.95 * shared["bits"].sum()
    assert table.loc["upper_colour", "visible"] > 2.9
    assert table.loc["upper_colour", "infrared"] == 0


def test_a_reading_is_a_probability_for_each_value(readings):
    for reading in (r for found in readings.values() for r in found):
        for name, rows in reading.items():
            assert SETTINGS.bands[name] in ("both", "visible", "infrared")
            np.testing.assert_allclose(rows.sum(axis=1), 1)


def test_what_is_out_of_sight_is_at_chance():
    from_front = SETTINGS.replace(viewpoint=0.0, noise=0.0)
    hair = oracle.read(from_front, 3, 1, 0, 64, 32)["hair_style"]
    order = ("short", "shaved", "bob", "long", "bun", "ponytail", "afro", "quiff")
    short, tail = order.index("short"), order.index("ponytail")
    np.testing.assert_allclose(hair[short, [short, tail]], 0.5, atol=0.1)  # a tail hangs behind


def test_more_noise_leaves_fewer_bits():
    def left(noise):
        settings = SETTINGS.replace(noise=noise)
        rows = oracle.read(settings, 3, 3, 0, 32, 16)
        return np.mean([np.diag(matrix).mean() for matrix in rows.values()])

    assert left(4.0) < left(0.5) < 1


def test_posterior_is_bayes_rule_for_a_known_gain_error():
    """Against the densities of the full covariance, on a few pixels."""
    generator = np.random.default_rng(0)
    looks, seen = generator.uniform(0, 200, (3, 5)), generator.uniform(0, 200, (3, 5))
    density = np.array(
        [
            [
                multivariate_normal.logpdf(
                    image, look, 900 * np.eye(5) + oracle.GAIN_ERROR**2 * np.outer(look, look)
                )
                for look in looks
            ]
            for image in seen
        ]
    )
    expected = np.exp(density - density.max(axis=1, keepdims=True))
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(oracle._posterior(seen, looks, 900.0), expected, rtol=1e-6)


def test_features_agree_in_as_many_bits_as_two_people_share():
    table = image_table(SETTINGS)
    sure = {a: np.eye(2 ** int(b)) for a, b in _bits().items()}
    readings = {camera: [sure] for camera in (1, 2, 3, 4, 5, 6)}
    found = oracle.embed(SETTINGS, table, readings)
    one, other = (np.flatnonzero(table.ids == person) for person in (1, 2))
    assert found[one[0]] @ found[one[-1]] == pytest.approx(SETTINGS.information.shared, rel=1e-5)
    assert found[one[0]] @ found[other[0]] < 0.5 * SETTINGS.information.shared
    assert (found == oracle.embed(SETTINGS, table, readings)).all()


def _bits():
    return attribute_table(SETTINGS).set_index("attribute")["bits"]
