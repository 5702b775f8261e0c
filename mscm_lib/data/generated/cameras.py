"""The cameras of the benchmark: where they hang, what they see, and how well."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from mscm_lib.data.generated.attributes import Sensor
from mscm_lib.data.generated.randomness import stream
from mscm_lib.data.generated.settings import GeneratedSettings
from mscm_lib.errors import ConfigError

INFRARED_OFFSET = 10  # LLCM names a place's infrared camera like its visible one; here it is +10

# (number, infrared, indoor, place): SYSU-MM01's cameras 2 and 3 look at the same place.
_SYSU = (
    (1, False, True, 1),
    (2, False, True, 2),
    (3, True, True, 2),
    (4, False, False, 4),
    (5, False, False, 5),
    (6, True, False, 6),
)
_REGDB = ((1, False, False, 1), (2, True, False, 1))
_LLCM = tuple(
    (camera + INFRARED_OFFSET * infrared, bool(infrared), camera % 2 == 1, camera)
    for infrared in (0, 1)
    for camera in range(1, 10)
    if not (infrared and camera == 3)
)
_LAYOUTS = {"sysu": _SYSU, "regdb": _REGDB, "llcm": _LLCM}


@dataclass(frozen=True)
class Camera:
    """One camera; fractions are of full scale, lengths of the image height.

    Attributes:
        number: as the dataset counts cameras.
        infrared: belongs to the second group of cameras.
        sensor: what it measures.
        indoor: hangs inside a building.
        place: the scene it looks at; cameras of one place share it.
        gain: exposure.
        balance: gain of the red and of the blue channel: the light's colour temperature.
        noise: standard deviation of the sensor noise.
        softness: standard deviation of the optical blur: its resolution.
        pitch: radians that it looks down by: its mounting height.
        light: direction towards the light: right, up, to the camera; not of unit length.
        horizon: height of the floor's far edge, from the bottom.
    """

    number: int
    infrared: bool
    sensor: Sensor
    indoor: bool
    place: int
    gain: float
    balance: tuple[float, float]
    noise: float
    softness: float
    pitch: float
    light: tuple[float, float, float]
    horizon: float


@lru_cache(maxsize=256)
def cameras(settings: GeneratedSettings) -> dict[int, Camera]:
    """Every camera of the settings' layout, by number."""
    return {plan[0]: _camera(settings, *plan) for plan in _LAYOUTS[settings.layout]}


def camera_of(settings: GeneratedSettings, number: int) -> Camera:
    """Camera ``number``.

    Raises:
        ConfigError: the layout has no such camera.
    """
    table = cameras(settings)
    if number not in table:
        raise ConfigError(
            f"camera = {number!r}: the {settings.layout} layout has {', '.join(map(str, table))}"
        )
    return table[number]


def _camera(
    settings: GeneratedSettings, number: int, infrared: bool, indoor: bool, place: int
) -> Camera:
    draw = stream(settings.seed, "camera", number)
    sensor = settings.sensors[infrared]
    u = [float(value) for value in draw.random(12)]
    warmth = (0.07 if indoor else -0.02) + 0.10 * (u[0] - 0.5)  # tungsten inside, sky outside
    spread = 0.24
    return Camera(
        number=number,
        infrared=infrared,
        sensor=sensor,
        indoor=indoor,
        place=place,
        gain=(0.96 if indoor else 1.02) + spread * (u[1] - 0.5),
        balance=(1 + warmth, 1 - 1.2 * warmth),
        noise={"visible": 0.012, "near-infrared": 0.028, "thermal": 0.018}[sensor]
        * (0.7 + 0.6 * u[2])
        * settings.noise,
        softness={"visible": 0.0008, "near-infrared": 0.0022, "thermal": 0.0075}[sensor]
        * (0.6 + 1.2 * u[3]),
        pitch=0.05 + 0.20 * u[4],
        light=((0.8 if indoor else 1.3) * (u[5] - 0.5), 0.75, 0.7),
        horizon=0.17 + 0.16 * u[6],
    )
