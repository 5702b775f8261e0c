"""The ledger's arithmetic, and that images keep to it pixel by pixel."""

import itertools

import numpy as np
import pytest

from mscm_lib.data.generated import (
    ATTRIBUTES,
    TOTAL_BITS,
    GeneratedSettings,
    attribute_table,
    identity_values,
    ledger,
    people,
    render,
    shown_values,
)
from mscm_lib.errors import ConfigError

# Somebody who carries and wears everything, so that no attribute hides for want of its object.
LADEN = {a.name: a.values[-1] for a in ATTRIBUTES} | {
    "upper_kind": "t-shirt",
    "lower_kind": "shorts",
    "back_item": "daypack",
    "hair_style": "short",
    "upper_material": "cotton",
    "lower_material": "cotton",
    "headwear": "none",
}
MOST = 33 / 46  # of all bits that a visible and a near-infrared camera can share
SENSORS = {
    "near-infrared": {"shared": MOST},
    "thermal": {"shared": 0.63, "infrared_sensor": "thermal"},
    "near-infrared to thermal": {
        "shared": 0.63,
        "visible_sensor": "near-infrared",
        "infrared_sensor": "thermal",
    },
}


@pytest.fixture
def dress(monkeypatch):
    """Render person 1 as if the ledger said ``values``."""

    def draw(settings, values, camera, shot=0):
        with monkeypatch.context() as patch:
            patch.setattr(people, "identity_values", lambda *_: values)
            shown_values.cache_clear()
            image = render(settings, 1, camera, shot, 96, 48)
        shown_values.cache_clear()
        return image

    return draw


def test_every_attribute_has_a_whole_number_of_bits():
    for attribute in ATTRIBUTES:
        assert len(attribute.values) == len(set(attribute.values)) == 2**attribute.bits
        assert 0 <= attribute.neutral < len(attribute.values)


@pytest.mark.parametrize("shared", np.linspace(0, MOST, 21).round(3))
def test_knob_moves_information_but_never_makes_any(shared):
    info = GeneratedSettings(shared=float(shared)).information
    assert info.total == TOTAL_BITS
    assert abs(info.shared - shared * TOTAL_BITS) <= 1.5  # the coarsest attribute has three bits


def test_knob_ends():
    nothing, everything = (GeneratedSettings(shared=s).information for s in (0.0, MOST))
    assert nothing.shared == 0
    assert abs(nothing.visible_only - nothing.infrared_only) <= 3
    assert (everything.shared, everything.visible_only, everything.infrared_only) == (33, 13, 0)


def test_two_infrared_sensors_see_no_dye_and_their_bits_do_not_count_it():
    pair = {"visible_sensor": "near-infrared", "infrared_sensor": "thermal"}
    for shared in (0.0, 0.3, 0.63):
        settings = GeneratedSettings(shared=shared, **pair)
        assert settings.bands["upper_colour"] == "neither"
        assert settings.bands["upper_pattern"] == "visible"
        assert settings.information.total == TOTAL_BITS - 13


@pytest.mark.parametrize("seed", range(3))
def test_more_sharing_never_takes_an_attribute_back(seed):
    steps = [GeneratedSettings(seed=seed, shared=MOST * s / 20).bands for s in range(21)]
    for low, high in itertools.pairwise(steps):
        assert all(high[name] == "both" for name, band in low.items() if band == "both")


def test_the_seed_draws_what_is_shared_and_the_knob_only_how_much():
    worlds = [GeneratedSettings(seed=seed, shared=MOST / 2).bands for seed in range(40)]
    for attribute in ATTRIBUTES:
        often = np.mean([world[attribute.name] == "both" for world in worlds])
        assert 0.1 < often < 0.9 if attribute.kind != "tone" else often == 0, attribute.name
    for kind in ("shape", "garment", "material", "thing"):
        mine = [a for a in ATTRIBUTES if a.kind == kind]
        for world in worlds:
            share = sum(a.bits for a in mine if world[a.name] == "both")
            half = sum(a.bits for a in mine) / 2
            assert abs(share - half) <= 3, (kind, share)


def test_knob_keeps_the_people():
    low, high = GeneratedSettings(shared=0.0), GeneratedSettings(shared=MOST)
    assert identity_values(low, 7) == identity_values(high, 7)


def test_entropy_as_counted_over_many_people():
    settings = GeneratedSettings(train_identities=4000, test_identities=1)
    table = ledger(settings)
    for attribute in ATTRIBUTES:
        share = table[attribute.name].value_counts(normalize=True)
        entropy = -(share * np.log2(share)).sum()
        # Miller and Madow: a sample's entropy falls short by (values - 1) / (2 n ln 2).
        assert entropy == pytest.approx(attribute.bits, abs=0.005), attribute.name
    pair = table.groupby(["upper_kind", "upper_colour"]).size() / len(table)
    assert -(pair * np.log2(pair)).sum() == pytest.approx(6, abs=0.03)  # drawn independently


def test_a_sensor_cannot_share_what_it_cannot_see():
    with pytest.raises(ConfigError, match=r"shared = 0.9.*at most 29 of 46 bits"):
        GeneratedSettings(shared=0.9, infrared_sensor="thermal")
    with pytest.raises(ConfigError, match=r"at most 33 of 46 bits; expected 0.717 or less"):
        GeneratedSettings(shared=1.0)


def test_two_dyes_of_one_material_are_one_in_the_near_infrared(dress):
    settings = GeneratedSettings(noise=0.0)
    tones = [a for a in ATTRIBUTES if a.kind == "tone"]
    for tone in tones:
        images = [dress(settings, LADEN | {tone.name: value}, 6) for value in tone.values]
        assert all(np.array_equal(images[0], image) for image in images), tone.name


@pytest.mark.parametrize("shared", [0.0, 0.3, 0.6])
def test_a_hidden_attribute_does_not_change_one_pixel(dress, shared):
    settings = GeneratedSettings(shared=shared, noise=0.0, viewpoint=0.5)
    for attribute in ATTRIBUTES:
        band = settings.bands[attribute.name]
        for camera, mine in ((1, "visible"), (6, "infrared")):
            if band in ("both", mine):
                continue
            images = [
                dress(settings, LADEN | {attribute.name: v}, camera, shot=2)
                for v in attribute.values
            ]
            assert all(np.array_equal(images[0], image) for image in images), attribute.name


@pytest.mark.parametrize("sensors", SENSORS.values(), ids=SENSORS.keys())
def test_every_value_of_a_shown_attribute_looks_different(dress, sensors):
    settings = GeneratedSettings(noise=0.0, box_error=0.0, occlusion=0.0, viewpoint=1.0, **sensors)
    # A ponytail is not seen from the front, a chest band not from behind: several shots, any view.
    for attribute in ATTRIBUTES:
        for camera, mine in ((4, "visible"), (6, "infrared")):
            if settings.bands[attribute.name] not in ("both", mine):
                continue
            images = [
                dress(settings, LADEN | {attribute.name: v}, camera) for v in attribute.values
            ]
            for (i, a), (j, b) in itertools.combinations(enumerate(images), 2):
                difference = np.abs(a.astype(int) - b.astype(int))
                assert difference.max() >= 6, (
                    attribute.name,
                    attribute.values[i],
                    attribute.values[j],
                    camera,
                )


def test_table_says_what_the_bands_say():
    settings = GeneratedSettings()
    table = attribute_table(settings).set_index("attribute")
    assert table["bits"].sum() == TOTAL_BITS
    assert table["band"].to_dict() == settings.bands
    assert table.loc["upper_colour", "band"] == "visible"
