"""The places that cameras look at: halls and corridors inside, streets and parks outside."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from mscm_lib.data.generated import matter
from mscm_lib.data.generated.attributes import Sensor
from mscm_lib.data.generated.cameras import Camera, camera_of
from mscm_lib.data.generated.canvas import Canvas, Paint, Plane, snap
from mscm_lib.data.generated.matter import Matter, wrinkle_field
from mscm_lib.data.generated.randomness import stream
from mscm_lib.data.generated.settings import GeneratedSettings

WIDTHS = 3  # a scene is three images wide; every shot sees another part of it


@lru_cache(maxsize=64)
def scene(settings: GeneratedSettings, number: int, height: int, width: int) -> Plane:
    """What camera ``number`` sees without people: (C, height, 3 * width), values 0 to 1.

    Cameras of one place draw the same scene, each with its own sensor. Read-only: it is shared.
    """
    camera = camera_of(settings, number)
    draw = stream(settings.seed, "place", camera.place)
    channels = 3 if camera.sensor == "visible" else 1
    wide = WIDTHS * width
    planes = np.zeros((channels, height, wide), dtype=np.float32)
    grain = wrinkle_field(height, wide, height / 40, draw) * np.float32(0.6)
    grain += wrinkle_field(height, wide, height / 10, draw) * np.float32(0.4)
    canvas = Canvas(planes, (0.0, 0.0, 1.0), grain)
    u = [float(value) for value in draw.random(64)]
    edge = snap(height * (1 - camera.horizon))
    (_inside if camera.indoor else _outside)(canvas, camera, edge, u)
    planes.flags.writeable = False
    return planes


def _ground(canvas: Canvas, camera: Camera, edge: float, floor: Matter, joints: float) -> None:
    """Floor from the far edge to the bottom, darker far away, with joints that draw together."""
    height, wide = canvas.height, canvas.width
    strips = 10
    depth = height - edge
    for strip in range(strips):
        y0 = edge + depth * (strip / strips) * (strip / strips)
        y1 = edge + depth * ((strip + 1) / strips) * ((strip + 1) / strips)
        _block(
            canvas,
            0,
            y0,
            wide,
            y1 + 1,
            floor.paint(camera.sensor, 0.84 + 0.22 * strip / strips, 0.05),
        )
        if strip % 2 and joints:
            _block(
                canvas,
                0,
                y0,
                wide,
                y0 + max(0.6, 0.003 * height),
                floor.paint(camera.sensor, 0.84 - joints),
            )


def _inside(canvas: Canvas, camera: Camera, edge: float, u: list[float]) -> None:
    height, wide, sensor = canvas.height, canvas.width, camera.sensor
    wall = matter.WALLS[int(u[0] * len(matter.WALLS))]
    floor = matter.FLOORS[int(u[1] * len(matter.FLOORS))]
    _block(canvas, 0, 0, wide, edge + 1, wall.paint(sensor, 1.0, 0.04))
    if u[2] < 0.6:  # a painted dado
        dado = matter.WALLS[int(u[3] * len(matter.WALLS))]
        _block(canvas, 0, edge - 0.30 * height, wide, edge + 1, dado.paint(sensor, 0.78, 0.04))
    x = -0.2 * height * u[4]
    for item in range(9):
        pick, size = u[8 + 3 * item], u[9 + 3 * item]
        span = (0.18 + 0.16 * size) * height
        if pick < 0.40:
            _door(canvas, sensor, x, span, edge, matter.WOOD if size < 0.6 else matter.METAL)
        elif pick < 0.62:
            top = (0.10 + 0.10 * size) * height
            _block(
                canvas,
                x,
                top,
                x + 0.8 * span,
                top + 0.26 * height,
                (matter.POSTER if size < 0.5 else matter.WOOD).paint(sensor, 0.8),
            )
            _block(
                canvas,
                x + 0.02 * height,
                top + 0.02 * height,
                x + 0.8 * span - 0.02 * height,
                top + 0.24 * height,
                matter.POSTER.paint(sensor, 0.8 + 0.6 * u[10 + 3 * item], 0.2),
            )
        elif pick < 0.80:
            _block(canvas, x, 0, x + 0.35 * span, edge + 2, wall.paint(sensor, 0.80, 0.05))
            _block(canvas, x, 0, x + 0.06 * span, edge + 2, wall.paint(sensor, 0.62))
        else:
            _windows(canvas, sensor, x, span, 0.06 * height, edge - 0.32 * height, 1)
        x += span + (0.06 + 0.30 * u[10 + 3 * item]) * height
    _ground(canvas, camera, edge, floor, 0.12)
    _block(canvas, 0, edge - 0.022 * height, wide, edge + 1, wall.paint(sensor, 0.55))


def _outside(canvas: Canvas, camera: Camera, edge: float, u: list[float]) -> None:
    height, wide, sensor = canvas.height, canvas.width, camera.sensor
    facade = matter.FACADES[int(u[0] * len(matter.FACADES))]
    paving = matter.PAVINGS[int(u[1] * len(matter.PAVINGS))]
    _block(canvas, 0, 0, wide, edge + 1, matter.SKY.paint(sensor))
    x = -0.3 * height * u[2]
    for house in range(4):
        span = (0.45 + 0.5 * u[4 + house]) * height
        roof = 0.16 * height * u[8 + house] if u[12 + house] < 0.5 else -1.0
        _block(
            canvas,
            x,
            roof,
            x + span,
            edge + 1,
            facade.paint(sensor, 0.80 + 0.4 * u[16 + house], 0.08),
        )
        _windows(
            canvas,
            sensor,
            x + 0.06 * height,
            span - 0.1 * height,
            max(roof, 0) + 0.05 * height,
            edge - 0.20 * height,
            3,
        )
        x += span
    for tree in range(6):
        x = (0.02 + 0.16 * tree + 0.10 * u[24 + tree]) * wide
        if u[30 + tree] < 0.40:
            _tree(canvas, sensor, x, edge, (0.10 + 0.10 * u[36 + tree]) * height)
        elif u[30 + tree] < 0.75:
            for bush in range(3):
                canvas.ellipse(
                    (snap(x + 0.10 * height * bush), snap(edge - 0.03 * height)),
                    (snap(0.10 * height), snap((0.06 + 0.05 * u[36 + tree]) * height)),
                    matter.LEAVES.paint(sensor, 0.85 + 0.1 * bush, 0.45),
                )
        elif u[30 + tree] < 0.9:
            _car(canvas, sensor, x, edge, height, u[42 + tree])
    _ground(canvas, camera, edge, paving, 0.10)
    if u[3] < 0.6:
        _block(canvas, 0, edge, wide, edge + 0.02 * height, paving.paint(sensor, 1.25))


def _block(
    canvas: Canvas, left: float, top: float, right: float, bottom: float, paint: Paint
) -> None:
    canvas.box(
        (snap((left + right) / 2), snap((top + bottom) / 2)),
        (snap((right - left) / 2), snap((bottom - top) / 2)),
        0.0,
        paint,
    )


def _door(canvas: Canvas, sensor: Sensor, x: float, span: float, edge: float, leaf: Matter) -> None:
    height = canvas.height
    top = edge - 0.66 * height
    _block(
        canvas,
        x - 0.012 * height,
        top - 0.012 * height,
        x + span + 0.012 * height,
        edge + 1,
        leaf.paint(sensor, 0.62),
    )
    _block(canvas, x, top, x + span, edge + 1, leaf.paint(sensor, 1.0, 0.08))
    _block(
        canvas,
        x + 0.25 * span,
        top + 0.07 * height,
        x + 0.75 * span,
        top + 0.28 * height,
        matter.GLASS.paint(sensor, 1.1),
    )
    _block(
        canvas,
        x + 0.82 * span,
        edge - 0.34 * height,
        x + 0.92 * span,
        edge - 0.325 * height,
        matter.METAL.paint(sensor, 1.3),
    )


def _windows(
    canvas: Canvas, sensor: Sensor, x: float, span: float, top: float, bottom: float, rows: int
) -> None:
    height = canvas.height
    pitch = 0.15 * height
    count = max(1, int(span / pitch))
    tall = (bottom - top) / rows
    for row in range(rows):
        for column in range(count):
            left = x + column * pitch
            y = top + row * tall
            _block(
                canvas,
                left,
                y,
                left + 0.70 * pitch,
                y + 0.72 * tall,
                matter.METAL.paint(sensor, 1.35),
            )
            _block(
                canvas,
                left + 0.06 * pitch,
                y + 0.04 * tall,
                left + 0.64 * pitch,
                y + 0.67 * tall,
                matter.GLASS.paint(sensor, 0.7 + 0.25 * ((row + column) % 3), 0.15),
            )


def _tree(canvas: Canvas, sensor: Sensor, x: float, edge: float, crown: float) -> None:
    height = canvas.height
    top = edge - 0.45 * height
    canvas.limb(
        (snap(x), snap(edge)),
        (snap(x), snap(top)),
        (snap(0.022 * height), snap(0.014 * height)),
        matter.TRUNK.paint(sensor, 1.0, 0.3),
    )
    for dx, dy, size in ((-0.6, 0.1, 0.8), (0.6, 0.0, 0.8), (0.0, -0.5, 1.0)):
        canvas.ellipse(
            (snap(x + dx * crown), snap(top + dy * crown)),
            (snap(size * crown), snap(size * crown)),
            matter.LEAVES.paint(sensor, 0.95 - 0.2 * dy, 0.5),
        )


def _car(canvas: Canvas, sensor: Sensor, x: float, edge: float, height: int, shade: float) -> None:
    body = Matter((0.25 + 0.5 * shade, 0.30, 0.62 - 0.4 * shade), 0.30 + 0.4 * shade, 0.30)
    long = 0.24 * height
    canvas.ellipse(
        (snap(x), snap(edge - 0.12 * height)),
        (snap(0.6 * long), snap(0.10 * height)),
        matter.GLASS.paint(sensor),
    )
    canvas.box(
        (snap(x), snap(edge - 0.07 * height)),
        (snap(long), snap(0.055 * height)),
        snap(0.03 * height),
        body.paint(sensor),
    )
    for side in (-0.6, 0.6):
        canvas.ellipse(
            (snap(x + side * long), snap(edge - 0.015 * height)),
            (snap(0.042 * height), snap(0.042 * height)),
            Matter((0.08, 0.08, 0.08), 0.12, 0.34).paint(sensor),
        )
