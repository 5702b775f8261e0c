"""One image: a person, seen by a camera, in an instant."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from mscm_lib.data.generated.cameras import Camera, camera_of
from mscm_lib.data.generated.canvas import Canvas, Plane, snap
from mscm_lib.data.generated.figure import Figure
from mscm_lib.data.generated.matter import wrinkle_field
from mscm_lib.data.generated.occluders import draw_occluder
from mscm_lib.data.generated.people import shown_values
from mscm_lib.data.generated.randomness import stream
from mscm_lib.data.generated.scene import WIDTHS, scene
from mscm_lib.data.generated.sensors import expose
from mscm_lib.data.generated.settings import GeneratedSettings, check_size
from mscm_lib.data.generated.shots import Shot, shot_of
from mscm_lib.data.generated.skeleton import Build, Projection, pose
from mscm_lib.data.generated.surfaces import surfaces

_PERSON = 0.90  # share of the box's height that a person fills before the detector errs


def render(
    settings: GeneratedSettings, identity: int, camera: int, shot: int, height: int, width: int
) -> npt.NDArray[np.uint8]:
    """The image of a person: the same arguments, the same bytes, on any machine.

    Args:
        settings: of the benchmark.
        identity: from 1.
        camera: number in the settings' layout.
        shot: from 0; any number gives an image.
        height: pixels, 16 or more.
        width: pixels, 8 or more; half the height is the dataset's shape.

    Returns:
        (height, width, 3) RGB; infrared images have three equal channels.

    Raises:
        ConfigError: an identity, camera or size that cannot be.
    """
    check_size(height, width)
    eye = camera_of(settings, camera)
    moment = shot_of(settings, identity, camera, shot)
    values = shown_values(settings, identity, eye.infrared)
    grain = stream(settings.seed, "grain", identity, camera, shot)
    return expose(draw(settings, values, eye, moment, height, width), eye, moment, grain)


def draw(
    settings: GeneratedSettings,
    values: Mapping[str, str],
    eye: Camera,
    moment: Shot,
    height: int,
    width: int,
) -> Plane:
    """What is before a camera in an instant when its band shows ``values`` of a person.

    Returns:
        (C, height, width) reflectance or temperature, 0 to 1, before the sensor.
    """
    planes = _backdrop(settings, eye, moment, height, width)
    canvas = Canvas(planes, _light(eye, moment), _wrinkles(height, width, moment.grain % 16))
    build = Build.of(values)
    body = pose(build, moment.phase, moment.stride, values["hand_item"] != "none")
    view = _view(eye, moment, height, width)
    foot = view.point(0.0, 0.0, 0.0)
    shadow = 0.42 if eye.sensor == "visible" else 0.25
    if eye.sensor != "thermal":
        canvas.darken(
            (foot[0], snap(foot[1] - 0.004 * height)),
            (view.length(0.17), view.length(0.035)),
            shadow,
        )
    Figure(canvas, view, body, values, surfaces(values, eye.sensor, view.unit)).draw()
    if moment.occluder:
        draw_occluder(canvas, eye, moment)
    return planes


def _view(camera: Camera, shot: Shot, height: int, width: int) -> Projection:
    unit = _PERSON * height * shot.scale
    ground = height * (0.955 + shot.shift[1])
    if shot.truncated == "feet":
        unit, ground = unit * 1.14, height * 1.09
    elif shot.truncated == "head":
        unit = unit * 1.10
    return Projection(
        yaw=shot.yaw,
        pitch=camera.pitch,
        unit=snap(unit),
        x=snap(0.5 * width + shot.shift[0] * height),
        ground=snap(ground),
    )


def _light(camera: Camera, shot: Shot) -> tuple[float, float, float]:
    # An infrared camera brings its own light; a warm body shines by itself, evenly.
    right, up, near = camera.light
    return (right + shot.sidelight, up, near) if camera.sensor == "visible" else (0.0, 0.0, 1.0)


def _backdrop(
    settings: GeneratedSettings, camera: Camera, shot: Shot, height: int, width: int
) -> Plane:
    whole = scene(settings, camera.number, height, width)
    left = int(shot.backdrop * (WIDTHS - 1) * width)
    planes = whole[:, :, left : left + width].copy()
    if camera.sensor == "near-infrared":
        planes *= np.float32(0.55)  # farther from the illuminator than the person
    return planes


@lru_cache(maxsize=64)
def _wrinkles(height: int, width: int, which: int) -> Plane:
    """Folds of cloth: one of 16 fields, chosen by the shot, the same for everybody."""
    draw = stream(0, "wrinkles", which)
    coarse = wrinkle_field(height, width, height / 22, draw)
    fine = wrinkle_field(height, width, height / 70, draw)
    return coarse * np.float32(0.7) + fine * np.float32(0.3)
