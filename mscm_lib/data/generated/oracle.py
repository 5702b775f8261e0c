"""What an ideal reader sees of a person: the ceiling of every ranking.

The reader knows the camera, the pose, what stands in the way and everything that the band shows of
the person but one attribute. It knows the sensor's noise too, and the exposure of what it looks at
but for a few per cent. For each value of the attribute it compares the image with the image that
this value would have given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import entropy

from mscm_lib.data.generated.attributes import ATTRIBUTES
from mscm_lib.data.generated.cameras import Camera, camera_of, cameras
from mscm_lib.data.generated.ledger import attribute_table
from mscm_lib.data.generated.people import identity_values, shown_values
from mscm_lib.data.generated.randomness import stream
from mscm_lib.data.generated.render import draw
from mscm_lib.data.generated.sensors import expose
from mscm_lib.data.generated.settings import GeneratedSettings
from mscm_lib.data.generated.shots import shot_of
from mscm_lib.data.tables import ImageTable

GAIN_ERROR = 0.05
"""Standard deviation of what the reader does not know of an exposure."""

Matrix = npt.NDArray[np.float64]
Reading = dict[str, Matrix]


def read(
    settings: GeneratedSettings, identity: int, camera: int, shot: int, height: int, width: int
) -> Reading:
    """How surely each attribute could be read from an image, whichever value it had.

    Args:
        settings: of the benchmark.
        identity: whose other attributes are shown, from 1.
        camera: number in the settings' layout.
        shot: from 0.
        height: pixels.
        width: pixels.

    Returns:
        By attribute that the camera's band shows, (K, K): in row v the probability that the reader
        gives to each of the K values when the true one is v.

    Raises:
        ConfigError: a camera that cannot be.
    """
    eye, moment = camera_of(settings, camera), shot_of(settings, identity, camera, shot)
    shown = shown_values(settings, identity, eye.infrared)
    chance = stream(settings.seed, "reader", identity, camera, shot)

    def image(values: Mapping[str, str], noise: np.random.Generator | None) -> Matrix:
        planes = draw(settings, values, eye, moment, height, width)
        return expose(planes, eye, moment, noise)[..., : len(planes)].astype(float).ravel()

    plain = image(shown, None)
    noise = image(shown, chance) - plain
    own = "infrared" if eye.infrared else "visible"
    reading = {}
    for attribute in ATTRIBUTES:
        if settings.bands[attribute.name] in ("both", own):
            looks = np.stack(
                [
                    plain if value == shown[attribute.name]
                    else image({**shown, attribute.name: value}, None)
                    for value in attribute.values
                ]
            )  # fmt: skip
            touched = np.ptp(looks, axis=0) > 0
            gains = 1 + GAIN_ERROR * chance.standard_normal((len(looks), 1))
            seen = gains * looks[:, touched] + noise[touched]
            reading[attribute.name] = _posterior(seen, looks[:, touched], _variance(eye))
    return reading


def _variance(eye: Camera) -> float:
    """Of a pixel: the sensor's noise, and the rounding of the image and of what it is held to."""
    return (255 * eye.noise) ** 2 + 2 / 12


def _posterior(seen: Matrix, looks: Matrix, variance: float) -> Matrix:
    """(K, P) images and (K, P) noiseless ones → (K, K) probability of each of these for each image.

    An image of value v is distributed as N(m_v, variance · 1 + GAIN_ERROR² · m_v m_vᵀ).
    """
    power = GAIN_ERROR**2 * (looks * looks).sum(axis=1) / variance  # (K,)
    rest = seen[:, None] - looks  # (K, K, P)
    along = (rest * looks).sum(axis=2) ** 2 * GAIN_ERROR**2 / (variance * (1 + power))
    likelihood = -0.5 * (((rest * rest).sum(axis=2) - along) / variance + np.log1p(power))
    likelihood -= likelihood.max(axis=1, keepdims=True)
    found = np.exp(likelihood)
    return np.asarray(found / found.sum(axis=1, keepdims=True))


def sample(
    settings: GeneratedSettings, height: int, width: int, people: int = 8
) -> dict[int, list[Reading]]:
    """By camera, what could be `read` from the first image of each of the first test people."""
    first = settings.train_identities + 1
    return {
        camera: [
            read(settings, identity, camera, 0, height, width)
            for identity in range(first, first + min(people, settings.test_identities))
        ]
        for camera in cameras(settings)
    }


def surviving_bits(
    settings: GeneratedSettings, readings: Mapping[int, Sequence[Reading]]
) -> pd.DataFrame:
    """What of each attribute's bits is left in an image of either band.

    Returns:
        Columns attribute, bits, band, visible, infrared: bits of the ledger, the band that is to
        show them, and the mean information of a reading in bits (0 in a band that does not).
    """
    eyes = cameras(settings)
    table = attribute_table(settings)[["attribute", "bits", "band"]]
    for name, infrared in (("visible", False), ("infrared", True)):
        mine = [r for camera, found in readings.items() if eyes[camera].infrared == infrared
                for r in found]  # fmt: skip
        table[name] = [
            bits - float(np.mean([entropy(r[key], base=2, axis=1) for r in mine]))
            if key in mine[0]
            else 0.0
            for key, bits in zip(table["attribute"], table["bits"], strict=True)
        ]
    return table


def embed(
    settings: GeneratedSettings, table: ImageTable, readings: Mapping[int, Sequence[Reading]]
) -> npt.NDArray[np.float32]:
    """What the reader makes of each image of ``table``: a feature for cross-modality search.

    Each image is read as well as one drawn from its camera's ``readings``. An attribute that both
    bands show is given by the probabilities of its values less chance, weighted so that the inner
    product of two images is about the number of bits in which they agree.

    Returns:
        (N, values of all shared attributes) float32.
    """
    shared = [a for a in ATTRIBUTES if settings.bands[a.name] == "both"]
    rows = []
    for path, identity, camera in zip(table.paths, table.ids, table.cams, strict=True):
        known = readings[int(camera)]
        reading = known[int(stream(settings.seed, "read", path).integers(len(known)))]
        true = identity_values(settings, int(identity))
        rows.append(
            np.concatenate(
                [
                    (reading[a.name][a.values.index(true[a.name])] - 1 / len(a.values))
                    * (a.bits / (1 - 1 / len(a.values))) ** 0.5
                    for a in shared
                ]
            )
        )
    return np.array(rows, dtype=np.float32)
