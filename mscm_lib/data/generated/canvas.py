"""Anti-aliased painting from distance fields, with the same bytes on every machine.

A shape is a field of signed distances to its edge; coverage is that distance in pixels, clipped.
Pixels see only additions, multiplications, divisions and square roots of single floats, which
IEEE 754 rounds in one way, so no vector unit and no library version can change a result; lengths
that come out of sines and cosines are snapped to a grid before they get here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[np.floating[Any]]  # float32 throughout
_GRID = 256.0


def snap(value: float) -> float:
    """``value`` on a grid of 1/256, coarser than any library's last bit."""
    return round(value * _GRID) / _GRID


@dataclass(frozen=True)
class Paint:
    """How a surface looks to one sensor.

    Attributes:
        base: value per channel, 0 to 1.
        other: value of the pattern's second colour.
        pattern: name of the pattern, "plain" for none.
        period: of the pattern in pixels.
        matte: share of the light that falls on the surface wherever it faces.
        gloss: strength of the highlight.
        folds: strength of wrinkles and weave.
    """

    base: tuple[float, ...]
    other: tuple[float, ...] = ()
    pattern: str = "plain"
    period: float = 8.0
    matte: float = 0.6
    gloss: float = 0.0
    folds: float = 0.0

    def scaled(self, factor: float) -> Paint:
        """The same paint, lighter or darker."""
        return replace(
            self,
            base=tuple(snap(factor * v) for v in self.base),
            other=tuple(snap(factor * v) for v in self.other),
        )


class Canvas:
    """An image under construction: (C, H, W) float32, later shapes over earlier ones.

    Coordinates are pixels, x to the right and y down; a pixel's centre is at +0.5.

    Args:
        planes: (C, H, W) background, painted over in place.
        light: direction towards the light: right, up, to the camera.
        wrinkles: (H, W) field around 0 that folds follow.
    """

    def __init__(self, planes: Plane, light: tuple[float, float, float], wrinkles: Plane) -> None:
        self.planes = planes
        self.height, self.width = planes.shape[1:]
        self._light = light
        self._wrinkles = wrinkles
        self._x = np.arange(self.width, dtype=np.float32) + np.float32(0.5)
        self._y = np.arange(self.height, dtype=np.float32) + np.float32(0.5)

    def limb(
        self,
        start: tuple[float, float],
        end: tuple[float, float],
        radii: tuple[float, float],
        paint: Paint,
        *,
        along: float = 0.0,
    ) -> None:
        """A round-ended limb from ``start`` to ``end`` whose radius goes from one to the other.

        Args:
            start: (x, y) of the first joint.
            end: (x, y) of the second joint.
            radii: at the two joints.
            paint: of its surface.
            along: length of the garment above ``start``, so that a pattern runs on over a joint.
        """
        (ax, ay), (bx, by) = start, end
        reach = max(radii) + 1
        window = self._window(
            min(ax, bx) - reach, min(ay, by) - reach, max(ax, bx) + reach, max(ay, by) + reach
        )
        if window is None:
            return
        rows, columns = window
        dx, dy = bx - ax, by - ay
        length = max(float(np.sqrt(dx * dx + dy * dy)), 1e-3)
        dx, dy = dx / length, dy / length
        px = self._x[columns] - ax  # (w,)
        py = (self._y[rows] - ay)[:, None]  # (h, 1)
        v = px * dx + py * dy  # (h, w): along the limb
        across = py * dx - px * dy
        nearest = np.clip(v, 0, length)
        beyond = v - nearest
        distance = np.sqrt(across * across + beyond * beyond)
        radius = nearest * ((radii[1] - radii[0]) / length) + radii[0]
        alpha = np.clip(radius - distance + 0.5, 0, 1)
        u = np.clip(across / np.maximum(radius, 0.25), -1, 1)
        self._paint(rows, columns, alpha, u, (-dy, dx), across, v + along, paint)

    def sweep(
        self, knots: Sequence[tuple[float, float, float]], paint: Paint, *, rounded: float = 0.0
    ) -> None:
        """A upright body whose half-width follows ``knots``: (y, centre x, half-width), y rising.

        Args:
            knots: at least two; between them the outline is eased.
            paint: of its surface.
            rounded: pixels over which the top edge is rounded off.
        """
        ys = [k[0] for k in knots]
        most = max(k[2] for k in knots) + 2
        window = self._window(
            min(k[1] for k in knots) - most, ys[0] - 1, max(k[1] for k in knots) + most, ys[-1] + 1
        )
        if window is None:
            return
        rows, columns = window
        y = self._y[rows]
        centre, half = _eased(y, knots)  # (h,), (h,)
        across = self._x[columns] - centre[:, None]  # (h, w)
        edge = half[:, None] - np.abs(across) + 0.5
        top = (y - ys[0] + 0.5)[:, None]
        if rounded > 0:
            inward = np.clip(1 + (np.abs(across) - half[:, None]) / rounded, 0, 1)
            top = top - inward * inward * rounded
        bottom = (ys[-1] - y + 0.5)[:, None]
        alpha = np.clip(np.minimum(np.minimum(edge, top), bottom), 0, 1)
        u = np.clip(across / np.maximum(half, 0.25)[:, None], -1, 1)
        v = np.broadcast_to((y - ys[0])[:, None], across.shape)
        self._paint(rows, columns, alpha, u, (1.0, 0.0), across, v, paint)

    def ellipse(
        self,
        centre: tuple[float, float],
        radii: tuple[float, float],
        paint: Paint,
        *,
        above: float | None = None,
        below: float | None = None,
    ) -> None:
        """An upright ellipse, kept to the part over the line ``above`` or under ``below``."""
        (cx, cy), (rx, ry) = centre, (max(radii[0], 0.3), max(radii[1], 0.3))
        window = self._window(cx - rx - 1, cy - ry - 1, cx + rx + 1, cy + ry + 1)
        if window is None:
            return
        rows, columns = window
        across = self._x[columns] - cx + np.zeros((rows.stop - rows.start, 1), np.float32)
        down = (self._y[rows] - cy)[:, None]
        u, w = across / rx, down / ry
        distance = np.sqrt(u * u + w * w)
        alpha = np.clip((1 - distance) * min(rx, ry) + 0.5, 0, 1)
        if above is not None:
            alpha = np.minimum(alpha, np.clip(above - self._y[rows] + 0.5, 0, 1)[:, None])
        if below is not None:
            alpha = np.minimum(alpha, np.clip(self._y[rows] - below + 0.5, 0, 1)[:, None])
        v = np.broadcast_to(down, across.shape)
        self._paint(rows, columns, alpha, np.clip(u, -1, 1), (1.0, 0.0), across, v, paint)

    def box(
        self, centre: tuple[float, float], half: tuple[float, float], corner: float, paint: Paint
    ) -> None:
        """An upright rectangle with rounded corners."""
        (cx, cy), (hx, hy) = centre, (max(half[0], 0.3), max(half[1], 0.3))
        corner = min(corner, hx, hy)
        window = self._window(cx - hx - 1, cy - hy - 1, cx + hx + 1, cy + hy + 1)
        if window is None:
            return
        rows, columns = window
        across = self._x[columns] - cx + np.zeros((rows.stop - rows.start, 1), np.float32)
        down = (self._y[rows] - cy)[:, None]
        qx = np.abs(across) - (hx - corner)
        qy = np.abs(down) - (hy - corner)
        outside_x, outside_y = np.maximum(qx, 0), np.maximum(qy, 0)
        distance = np.sqrt(outside_x * outside_x + outside_y * outside_y)
        distance = distance + np.minimum(np.maximum(qx, qy), 0) - corner
        alpha = np.clip(0.5 - distance, 0, 1)
        u = np.clip(across * (0.6 / hx), -1, 1)
        v = np.broadcast_to(down, across.shape)
        self._paint(rows, columns, alpha, u, (1.0, 0.0), across, v, paint)

    def darken(
        self, centre: tuple[float, float], radii: tuple[float, float], strength: float
    ) -> None:
        """A soft elliptic shadow."""
        (cx, cy), (rx, ry) = centre, radii
        window = self._window(cx - rx, cy - ry, cx + rx, cy + ry)
        if window is None:
            return
        rows, columns = window
        u = (self._x[columns] - cx) / rx
        w = ((self._y[rows] - cy) / ry)[:, None]
        fade = np.clip(1 - u * u - w * w, 0, 1) * strength
        self.planes[:, rows, columns] *= 1 - fade

    def _window(
        self, left: float, top: float, right: float, bottom: float
    ) -> tuple[slice, slice] | None:
        x0, x1 = max(0, int(left)), min(self.width, int(right) + 1)
        y0, y1 = max(0, int(top)), min(self.height, int(bottom) + 1)
        return (slice(y0, y1), slice(x0, x1)) if x0 < x1 and y0 < y1 else None

    def _paint(
        self,
        rows: slice,
        columns: slice,
        alpha: Plane,
        u: Plane,
        axis: tuple[float, float],
        across: Plane,
        along: Plane,
        paint: Paint,
    ) -> None:
        """Lay ``paint`` over the window, lit as a cylinder whose surface turns away with ``u``."""
        lx, ly, lz = self._light
        facing = np.sqrt(1 - u * u)
        side = axis[0] * lx - axis[1] * ly  # the image's y points down, the light's up
        lit = np.maximum(u * side + facing * lz, 0)
        shade = lit * (1 - paint.matte) + paint.matte
        if paint.folds:
            shade = shade + self._wrinkles[rows, columns] * paint.folds
        if paint.gloss:
            peak = np.maximum(1 - np.abs(u - 0.35 * np.sign(side)) * 3, 0)
            shade = shade + peak * peak * paint.gloss
        mix = None
        if paint.other and paint.pattern != "plain":
            mix = _pattern(paint.pattern, across, along, paint.period, u)
        for channel, value in enumerate(paint.base):
            plane = self.planes[channel, rows, columns]
            colour = shade * value
            if mix is not None:
                colour = shade * (mix * (paint.other[channel] - value) + value)
            plane += (colour - plane) * alpha


def _eased(y: Plane, knots: Sequence[tuple[float, float, float]]) -> tuple[Plane, Plane]:
    """Centre and half-width at each row, eased between the knots."""
    at = np.array([k[0] for k in knots], dtype=np.float32)
    centres = np.array([k[1] for k in knots], dtype=np.float32)
    halves = np.array([k[2] for k in knots], dtype=np.float32)
    left = np.clip(np.searchsorted(at, y, side="right") - 1, 0, len(knots) - 2)
    t = np.clip((y - at[left]) / np.maximum(at[left + 1] - at[left], np.float32(1e-3)), 0, 1)
    t = t * t * (3 - 2 * t)
    centre = centres[left] + (centres[left + 1] - centres[left]) * t
    return centre, halves[left] + (halves[left + 1] - halves[left]) * t


def _wave(position: Plane, period: float) -> Plane:
    """A square wave from 0 to 1 whose edges are a pixel wide, so that fine ones turn grey."""
    t = position / period
    triangle = np.abs(t - np.floor(t) - 0.5) * 4 - 1  # -1 to 1
    return np.clip(triangle * (0.25 * period) * 0.5 + 0.5, 0, 1)


def _pattern(name: str, across: Plane, along: Plane, period: float, u: Plane) -> Plane:
    """Share of the second colour at each point of a garment; ``u`` is -1 and 1 at its edges."""
    if name == "stripes":
        return _wave(along, 1.7 * period)
    if name == "narrow stripes":
        return _wave(along, 0.8 * period)
    if name == "pinstripes":
        return _wave(across, 0.8 * period)
    if name == "check":
        return (_wave(along, 1.5 * period) + _wave(across, 1.5 * period)) * 0.5
    if name == "diagonal":
        return _wave(along + across, 1.7 * period)
    if name == "dots":
        return np.maximum(_wave(along, period) + _wave(across, period) - 1, 0)
    if name == "colour block":
        return np.clip(along - 2.2 * period + 0.5, 0, 1)
    return np.clip((np.abs(u) - 0.55) * 8, 0, 1)  # a stripe down both sides
