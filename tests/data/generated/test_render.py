"""Images as pure functions, and the physics of the three sensors."""

import hashlib
import subprocess
import sys

import numpy as np
import pytest

from mscm_lib.data.generated import GeneratedSettings, render, sample_sheet, shot_of, shot_table
from mscm_lib.data.generated.attributes import ATTRIBUTES
from mscm_lib.data.generated.cameras import camera_of
from mscm_lib.data.generated.surfaces import surfaces
from mscm_lib.errors import ConfigError

QUICK = GeneratedSettings()
THERMAL = GeneratedSettings(infrared_sensor="thermal", shared=0.55)
PROBE = (
    "import hashlib\n"
    "from mscm_lib.data.generated import GeneratedSettings, render\n"
    "knobs = dict(viewpoint=0.5, occlusion=0.3, noise=1.0, box_error=1.0)\n"
    "settings = GeneratedSettings(seed=3, shared=0.6, **knobs)\n"
    "thermal = settings.replace(infrared_sensor='thermal', shared=0.55)\n"
    "digest = hashlib.sha256()\n"
    "for person, camera, shot in ((1, 1, 0), (2, 5, 3), (9, 3, 1), (70, 6, 7)):\n"
    "    for each in (settings, thermal):\n"
    "        digest.update(render(each, person, camera, shot, 96, 48).tobytes())\n"
    "        digest.update(render(each, person, camera, shot, 384, 192).tobytes())\n"
    "print(digest.hexdigest())\n"
)


def test_bytes_of_this_drawing():
    """The same bytes on any machine: when the drawing changes, so must `listing.DRAWING`."""
    out = subprocess.run(
        [sys.executable, "-c", PROBE], capture_output=True, text=True, check=True
    ).stdout
    assert out.strip() == "98232bb63d99c1096cf27fd77a80ae3005541eb633b2ee8b1747792270f9c50d"


def test_bytes_without_vector_units():
    """NumPy's plain loops give what its vector units give."""
    import os

    environment = os.environ | {"NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3 AVX512F AVX512_SKX X86_V3"}
    plain, usual = (
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", PROBE],
            capture_output=True,
            text=True,
            check=True,
            env=env,
        ).stdout
        for env in (environment, dict(os.environ))
    )
    assert plain == usual


def test_image_depends_on_nothing_drawn_before():
    first = render(QUICK, 4, 2, 1, 96, 48)
    render(QUICK, 5, 2, 0, 96, 48)
    render(QUICK.replace(seed=1), 4, 2, 1, 96, 48)
    assert np.array_equal(first, render(QUICK, 4, 2, 1, 96, 48))


def test_global_random_state_is_left_alone():
    state = np.random.get_state()[1].copy()  # noqa: NPY002 - the global state is what is tested
    render(QUICK, 1, 1, 0, 96, 48)
    assert np.array_equal(state, np.random.get_state()[1])  # noqa: NPY002


@pytest.mark.parametrize(
    "other",
    [(QUICK.replace(seed=1), 4, 2, 1), (QUICK, 5, 2, 1), (QUICK, 4, 1, 1), (QUICK, 4, 2, 2)],
)
def test_every_argument_matters(other):
    assert not np.array_equal(render(QUICK, 4, 2, 1, 96, 48), render(*other, 96, 48))


@pytest.mark.parametrize(
    ("height", "width"), [(32, 16), (96, 48), (128, 64), (100, 37), (384, 192)]
)
def test_any_size(height, width):
    for camera in (1, 6):
        image = render(QUICK, 1, camera, 0, height, width)
        assert image.shape == (height, width, 3)
        assert image.dtype == np.uint8
        assert image.std() > 10


def test_sizes_show_the_same_scene():
    large = render(QUICK, 3, 4, 0, 384, 192).astype(float)
    small = render(QUICK, 3, 4, 0, 96, 48).astype(float)
    shrunk = large.reshape(96, 4, 48, 4, 3).mean((1, 3))
    assert np.abs(shrunk - small).mean() < 12


@pytest.mark.parametrize("settings", [QUICK, THERMAL])
def test_infrared_has_three_equal_channels_and_visible_has_not(settings):
    dark, light = (render(settings, 1, camera, 0, 96, 48) for camera in (3, 1))
    assert (dark == dark[..., :1]).all()
    assert not (light == light[..., :1]).all()


def test_thermal_knows_no_print_and_no_dye():
    values = {a.name: a.values[-1] for a in ATTRIBUTES}
    for change in ("upper_pattern", "lower_pattern", "upper_colour", "skin_tone", "hair_tone"):
        paints = {
            str(surfaces(values | {change: value}, "thermal", 90.0))
            for value in next(a.values for a in ATTRIBUTES if a.name == change)
        }
        assert len(paints) == 1, change


def test_near_infrared_loses_hue_and_most_of_a_print():
    values = {a.name: a.values[a.neutral] for a in ATTRIBUTES} | {"upper_pattern": "stripes"}
    seen = {s: surfaces(values, s, 90.0).upper for s in ("visible", "near-infrared")}
    assert len(seen["visible"].base) == 3
    assert len(seen["near-infrared"].base) == 1

    def contrast(paint):
        low, high = sorted((paint.base[0], paint.other[0]))
        return (high - low) / (high + low)

    assert contrast(seen["near-infrared"]) < 0.5 * contrast(seen["visible"])


def test_illuminator_falls_off():
    still = GeneratedSettings(noise=0.0, occlusion=0.0)
    images = np.stack([render(still, i, 3, 0, 96, 48)[..., 0] for i in range(1, 25)]).astype(float)
    mean = images.mean(0)
    assert mean[30:60, 16:32].mean() > 1.5 * mean[:12, :8].mean()


def test_faces_are_the_warmest():
    values = {a.name: a.values[a.neutral] for a in ATTRIBUTES}
    paints = surfaces(values, "thermal", 90.0)
    assert paints.skin.base[0] > paints.limb.base[0] > paints.upper.base[0] > paints.item.base[0]


def test_back_is_seen_from_the_back():
    table = shot_table(GeneratedSettings(viewpoint=1.0, train_identities=30, test_identities=1))
    share = table["viewpoint"].value_counts(normalize=True)
    assert set(share.index) == {"front", "left", "back", "right"}
    assert share.min() > 0.15
    frontal = shot_table(GeneratedSettings(viewpoint=0.0, train_identities=5, test_identities=1))
    assert set(frontal["viewpoint"]) == {"front"}


def test_difficulty_knobs_do_what_they_say():
    def table(**knobs):
        return shot_table(GeneratedSettings(train_identities=30, test_identities=1, **knobs))

    assert (table(occlusion=0.0)["occluder"] == "none").all()
    assert (table(occlusion=1.0)["occluder"] != "none").all()
    assert (table(occlusion=0.4)["occluder"] != "none").mean() == pytest.approx(0.4, abs=0.05)
    assert (table(box_error=0.0)["truncated"] == "none").all()
    assert (table(box_error=4.0)["truncated"] != "none").mean() == pytest.approx(0.4, abs=0.05)
    assert (table(noise=0.0)["blur"] == 0).all()
    quiet, loud = (camera_of(GeneratedSettings(noise=n), 3).noise for n in (0.0, 1.0))
    assert quiet == 0 < loud


def test_shot_does_not_depend_on_who_is_asked_first():
    assert shot_of(QUICK, 3, 2, 5) == shot_of(GeneratedSettings(), 3, 2, 5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: render(QUICK, 1, 9, 0, 96, 48), r"camera = 9: the sysu layout has 1, 2, 3"),
        (lambda: render(QUICK, 0, 1, 0, 96, 48), r"identity = 0: expected 1 or more"),
        (lambda: render(QUICK, 1, 1, 0, 8, 4), r"height = 8, width = 4"),
        (lambda: GeneratedSettings.preset("huge"), r"unknown size 'huge'"),
        (lambda: GeneratedSettings.preset("quick", sharde=1), r"did you mean 'shared'"),
        (lambda: GeneratedSettings(shared=1.2), r"shared = 1.2"),
        (lambda: GeneratedSettings(shots=0), r"shots = 0"),
        (lambda: GeneratedSettings(shots=2.5), r"shots = 2.5: expected a whole number"),
        (lambda: GeneratedSettings(seed=-1), r"seed = -1"),
        (lambda: GeneratedSettings(noise="much"), r"noise = 'much': expected a number"),
        (lambda: GeneratedSettings(visible_sensor="thermal"), r"visible_sensor = 'thermal'"),
    ],
)
def test_mistakes_are_named(call, message):
    with pytest.raises(ConfigError, match=message):
        call()


def test_sample_sheet():
    sheet = sample_sheet(QUICK, identities=(1, 2), height=32, width=16, gap=2)
    assert (sheet.width, sheet.height) == (2 * 18 + 2, 6 * 34 + 2)
    pixels = np.asarray(sheet)
    # Visible rows come first, and the person of column 2 is in the second column.
    assert np.array_equal(pixels[2:34, 20:36], render(QUICK, 2, 1, 0, 32, 16))
    assert np.array_equal(pixels[-34:-2, 2:18], render(QUICK, 1, 6, 0, 32, 16))


def test_digest_names_the_settings():
    assert QUICK.digest() == GeneratedSettings().digest()
    assert GeneratedSettings(noise=1).digest() == GeneratedSettings(noise=1.0).digest()
    assert len({QUICK.digest(), QUICK.replace(seed=1).digest(), THERMAL.digest()}) == 3
    assert hashlib.sha256().digest_size * 2 == len(QUICK.digest())
