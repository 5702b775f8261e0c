"""The trunk and what covers it: shirts, jackets and coats, the seat of trousers, skirts."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

from mscm_lib.data.generated.canvas import snap

if TYPE_CHECKING:
    from mscm_lib.data.generated.figure import Figure

Knot = tuple[float, float, float]  # y, centre x, half-width in pixels


def draw_trunk(figure: Figure) -> None:
    """The upper garment over the seat of the trousers, with what is sewn on it."""
    body, view, cut, canvas = figure.body, figure.view, figure.upper, figure.canvas
    if not figure.lower.skirt:
        seat = replace(figure.paints.lower, other=())  # a side stripe starts below the pocket
        canvas.sweep(_outline(figure, 0.003, body.hip_height + 0.052, body.hip_height - 0.07), seat)
    if cut.sleeve == 0.0:  # straps leave the shoulders bare
        canvas.sweep(
            _outline(figure, 0.0, 2.0, body.hip_height),
            figure.paints.limb,
            rounded=view.length(0.012),
        )
    knots = _garment(figure)
    canvas.sweep(knots, figure.paints.upper, rounded=view.length(0.014))
    if cut.quilted:
        _quilt(figure, knots)
    if cut.open:
        _open_front(figure, knots)
    elif cut.placket:
        _placket(figure, knots)
    if cut.hood and view.frontal > 0.2:  # the pocket on the belly
        x, y = view.point(0.0, body.hip_height + 0.075, view.frontal * 0.05)
        canvas.box(
            (x, y),
            (view.length(0.062 * view.frontal), view.length(0.030)),
            view.length(0.014),
            figure.paints.upper.scaled(0.86),
        )
    if figure.values["reflective_trim"] == "chest band":
        level = body.hip_height + 0.58 * (body.shoulder_height - body.hip_height)
        band = _outline(figure, cut.room + 0.001, level + 0.012, level - 0.012)
        canvas.sweep(band, figure.paints.trim)


def draw_skirt(figure: Figure) -> None:
    """A tube around both legs that widens to its hem and follows the stride."""
    body, view, cut = figure.body, figure.view, figure.lower
    swings = [view.turned(*knee[::2])[0] for knee in body.knees.values()]
    reach = max(abs(swing) for swing in swings) + 0.035
    lean = 0.3 * sum(swings)
    width = body.build.hip_width
    hem = body.hip_height - cut.length * body.build.leg + 0.03
    knots = []
    for height, extra, share in (
        (body.hip_height + 0.06, -0.006, 0.0),
        (body.hip_height - 0.03, 0.010, 0.3),
        (hem, cut.skirt, 1.0),
    ):
        x, y = view.point(0.0, height, 0.0)
        half = max(
            view.breadth(width + extra, 0.068 + extra),
            view.length(share * reach * min(1.0, cut.length / 0.6)),
        )
        knots.append((y, snap(x + share * view.length(lean)), half))
    figure.canvas.sweep(knots, figure.paints.lower)


def _outline(figure: Figure, room: float, top: float, bottom: float) -> list[Knot]:
    """The trunk's outline with ``room`` to spare, between two heights."""
    build, view = figure.body.build, figure.view
    hip, shoulder = figure.body.hip_height, figure.body.shoulder_height
    waist = hip + 0.42 * (shoulder - hip)
    levels = (
        (shoulder + 0.030, 0.040, 0.044),
        (shoulder + 0.004, build.shoulder * 0.88, 0.058),
        (shoulder - 0.045, build.shoulder, 0.070 * build.girth),
        (waist, 0.43 * (build.shoulder + build.hip_width), 0.062 * build.girth),
        (hip + 0.02, build.hip_width, 0.067 * build.girth),
        (hip - 0.09, build.hip_width * 0.98, 0.068 * build.girth),
    )
    inside = [level for level in levels if bottom < level[0] < top]
    ends = [_at(levels, height) for height in (top, bottom)]
    chosen = [*(ends[:1] if top < levels[0][0] else []), *inside, ends[1]]
    knots = []
    for height, lateral, depth in chosen:
        x, y = view.point(0.0, height, 0.0)
        knots.append((y, x, view.breadth(lateral + room, depth + room)))
    return knots


def _at(levels: tuple[Knot, ...], height: float) -> Knot:
    """The trunk's half-axes at a height, between the levels that they are given at."""
    for upper, lower in pairwise(levels):
        if lower[0] <= height <= upper[0]:
            share = (upper[0] - height) / (upper[0] - lower[0])
            return (
                height,
                upper[1] + (lower[1] - upper[1]) * share,
                upper[2] + (lower[2] - upper[2]) * share,
            )
    return (height, *levels[-1][1:])


def _garment(figure: Figure) -> list[Knot]:
    """Outline of the upper garment down to its hem."""
    body, view, cut = figure.body, figure.view, figure.upper
    hem = body.hip_height - cut.hem
    knots = _outline(figure, cut.room, 2.0, hem)
    if cut.sleeve == 0.0:
        narrower = (1.15, 0.60, 0.90)
        knots = [
            (y, x, snap(half * (narrower[i] if i < 3 else 1.0)))
            for i, (y, x, half) in enumerate(knots)
        ]
    y, x, half = knots[-1]
    flare = 0.068 + cut.room + cut.flare
    half = max(half, view.breadth(body.build.hip_width + cut.room + cut.flare, flare))
    if cut.hem > 0.1:  # a coat gives way to the stride
        swing = max(abs(view.turned(*knee[::2])[0]) for knee in body.knees.values())
        half = max(half, view.length(0.03 + swing * cut.hem / 0.25))
    return [*knots[:-1], (y, x, half)]


def _quilt(figure: Figure, knots: list[Knot]) -> None:
    top, bottom = knots[1][0], knots[-1][0]
    seam = figure.paints.upper.scaled(0.70)
    thickness = max(0.5, figure.view.length(0.0028))
    for ring in range(1, 6):
        y = snap(top + (bottom - top) * ring / 6)
        _, x, half = min(knots, key=lambda knot: abs(knot[0] - y))
        figure.canvas.sweep(
            [(y - thickness, x, snap(0.93 * half)), (y + thickness, x, snap(0.93 * half))], seam
        )


def _open_front(figure: Figure, knots: list[Knot]) -> None:
    """The light shirt between the lapels of an open jacket."""
    view = figure.view
    if view.frontal < 0.2:
        return
    top, bottom = knots[0], knots[-1]
    shift = view.length(view.turned(0.0, 0.05)[0])
    figure.canvas.sweep(
        [
            (top[0], top[1], view.length(0.032 * view.frontal)),
            (
                snap(0.55 * top[0] + 0.45 * bottom[0]),
                snap(top[1] + shift),
                view.length(0.026 * view.frontal),
            ),
            (bottom[0], snap(bottom[1] + shift), view.length(0.012 * view.frontal)),
        ],
        figure.paints.accent,
    )


def _placket(figure: Figure, knots: list[Knot]) -> None:
    """The line of buttons down the front."""
    view = figure.view
    if view.frontal < 0.25:
        return
    shift = view.length(view.turned(0.0, 0.055)[0])
    thin = max(0.4, view.length(0.0022))
    figure.canvas.limb(
        (snap(knots[0][1] + 0.6 * shift), knots[1][0]),
        (snap(knots[-1][1] + shift), knots[-1][0] - 1),
        (thin, thin),
        figure.paints.upper.scaled(0.72),
    )
