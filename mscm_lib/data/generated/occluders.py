"""What gets between the camera and the person."""

from __future__ import annotations

from mscm_lib.data.generated.attributes import Sensor
from mscm_lib.data.generated.cameras import Camera
from mscm_lib.data.generated.canvas import Canvas, snap
from mscm_lib.data.generated.matter import Matter
from mscm_lib.data.generated.shots import Shot

_PILLAR = Matter((0.58, 0.56, 0.53), 0.62, 0.22)
_BENCH = Matter((0.36, 0.25, 0.16), 0.60, 0.24)
_LEAVES = Matter((0.18, 0.32, 0.12), 0.88, 0.17)
_COAT = Matter((0.30, 0.31, 0.34), 0.45, 0.46)
_SKIN = Matter((0.70, 0.52, 0.42), 0.70, 0.90)


def draw_occluder(canvas: Canvas, camera: Camera, shot: Shot) -> None:
    """Paint the shot's occluder over the person."""
    sensor, height, width = camera.sensor, canvas.height, canvas.width
    x = shot.occluder_place * width
    amount = shot.occluded
    if shot.occluder == "pillar":
        side = -0.02 * width if x < width / 2 else 1.02 * width
        half = (0.12 + 0.26 * amount) * width
        canvas.box(
            (snap(side), 0.5 * height), (snap(half), height), 0.0, _PILLAR.paint(sensor, 0.9, 0.06)
        )
        edge = side + half if x < width / 2 else side - half
        canvas.box(
            (snap(edge), 0.5 * height),
            (max(0.5, snap(0.02 * width)), height),
            0.0,
            _PILLAR.paint(sensor, 0.66),
        )
    elif shot.occluder == "bench":
        top = height * (1 - 0.16 - 0.24 * amount)
        for slat in range(6):
            y = top + slat * 0.075 * height
            canvas.box(
                (0.5 * width, snap(y)),
                (width, snap(0.028 * height)),
                0.0,
                _BENCH.paint(sensor, 1.0 - 0.04 * slat, 0.15),
            )
    elif shot.occluder == "foliage":
        for leaf in range(7):
            lift = (0.04 + 0.05 * ((leaf * 5) % 7)) * amount
            canvas.ellipse(
                (snap((leaf / 6) * width), snap(height * (1 - lift))),
                (snap(0.17 * width), snap((0.05 + 0.09 * amount) * height)),
                _LEAVES.paint(sensor, 0.75 + 0.07 * leaf, 0.5),
            )
    else:
        _passer_by(canvas, sensor, x, amount)


def _passer_by(canvas: Canvas, sensor: Sensor, x: float, amount: float) -> None:
    """Another person at the image's edge, out of the box for the most part."""
    height, width = canvas.height, canvas.width
    reach = (0.04 + 0.10 * amount) * width
    middle = snap(reach if x < width / 2 else width - reach)
    coat = _COAT.paint(sensor, 1.0, 0.12)
    canvas.sweep(
        [
            (0.20 * height, middle, snap(0.05 * height)),
            (0.25 * height, middle, snap(0.11 * height)),
            (0.62 * height, middle, snap(0.12 * height)),
        ],
        coat,
    )
    for side in (-0.05, 0.05):
        canvas.limb(
            (snap(middle + side * height), 0.58 * height),
            (snap(middle + 1.4 * side * height), 1.02 * height),
            (snap(0.058 * height), snap(0.035 * height)),
            _COAT.paint(sensor, 0.7, 0.1),
        )
    canvas.ellipse(
        (middle, snap(0.125 * height)),
        (snap(0.052 * height), snap(0.070 * height)),
        _SKIN.paint(sensor),
    )
    canvas.ellipse(
        (middle, snap(0.105 * height)),
        (snap(0.056 * height), snap(0.066 * height)),
        Matter((0.14, 0.11, 0.10), 0.35, 0.60).paint(sensor),
        above=snap(0.12 * height),
    )
