"""Legs with trousers and shoes, arms with sleeves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mscm_lib.data.generated.canvas import Paint
from mscm_lib.data.generated.skeleton import THIGH_RADIUS, Joint

if TYPE_CHECKING:
    from mscm_lib.data.generated.figure import Figure

_KNEE, _ANKLE = 0.036, 0.023  # radii of a bare leg, in units of stature
_SHOULDER, _ELBOW, _WRIST = 0.032, 0.026, 0.018  # radii of a bare arm
_PALM, _FINGERS = 0.018, 0.014


def draw_leg(figure: Figure, side: int, shade: float) -> None:
    """One leg: skin where it is bare, trousers, shoe; ``shade`` darkens the far one."""
    body, cut, paints = figure.body, figure.lower, figure.paints
    hip, knee, ankle = body.hips[side], body.knees[side], body.ankles[side]
    girth = body.build.girth
    if cut.skirt or cut.length < 0.93:
        skin = paints.limb.scaled(shade)
        figure.segment(hip, knee, (THIGH_RADIUS * girth, _KNEE), skin)
        figure.segment(knee, ankle, (_KNEE * 1.05, _ANKLE), skin)
    _draw_shoe(figure, side, shade)
    if cut.skirt:
        return
    paint = paints.lower.scaled(shade)
    thigh, knee_radius = THIGH_RADIUS * girth * cut.thigh, _KNEE * 0.5 * (cut.thigh + cut.hem)
    if cut.length <= 0.5:
        hem = _between(hip, knee, cut.length / 0.5)
        width = _KNEE * cut.hem
        figure.segment(hip, hem, (thigh, width), paint)
    else:
        hem = _between(knee, ankle, (cut.length - 0.5) / 0.5)
        width = _ANKLE * cut.hem
        figure.segment(hip, knee, (thigh, knee_radius), paint)
        figure.segment(knee, hem, (knee_radius, width), paint, 0.22)
    if figure.values["reflective_trim"] == "cuff bands":
        above = _between(hem, hip if cut.length <= 0.5 else knee, 0.22)
        wider = 0.78 * width + 0.22 * (thigh if cut.length <= 0.5 else knee_radius)
        figure.band(above, (above[0], above[1] + 0.017, above[2]), wider, paints.trim)


def _draw_shoe(figure: Figure, side: int, shade: float) -> None:
    body, paint = figure.body, figure.paints.shoe.scaled(shade)
    ankle, toe = body.ankles[side], body.toes[side]
    heel = (ankle[0], ankle[1] - 0.018, ankle[2] - 0.016)
    figure.segment(heel, toe, (0.023, 0.017), paint)
    if figure.values["shoe_kind"] == "boots":
        figure.segment(ankle, _between(ankle, body.knees[side], 0.42), (0.029, 0.035), paint)
    else:
        sole = figure.paints.accent.scaled(0.9 * shade)
        figure.segment(
            (heel[0], heel[1] - 0.013, heel[2]),
            (toe[0], toe[1] - 0.010, toe[2]),
            (0.008, 0.007),
            sole,
        )


def draw_arm(figure: Figure, side: int) -> None:
    """One arm with its hand and sleeve, darker on the side turned away."""
    body, cut, paints = figure.body, figure.upper, figure.paints
    shoulder, elbow, wrist = body.shoulders[side], body.elbows[side], body.wrists[side]
    girth = 0.4 + 0.6 * body.build.girth
    shade = 1.0 if figure.view.turned(shoulder[0], shoulder[2])[1] > -0.03 else 0.84
    skin = paints.limb.scaled(shade)
    if cut.sleeve < 0.9:
        figure.segment(shoulder, elbow, (_SHOULDER * girth, _ELBOW), skin)
        figure.segment(elbow, wrist, (_ELBOW, _WRIST), skin)
    hand = _between(elbow, wrist, 1.24)
    figure.segment(wrist, hand, (_PALM, _FINGERS), skin)
    if cut.sleeve > 0:
        _draw_sleeve(figure, (shoulder, elbow, wrist), girth, paints.upper.scaled(shade * 0.96))
    if figure.values["reflective_trim"] == "sleeve bands":
        reach = 0.62 * min(1.0, cut.sleeve / 0.5) if cut.sleeve else 0.6
        figure.band(
            _between(shoulder, elbow, reach),
            _between(shoulder, elbow, reach - 0.11),
            _ELBOW * max(1.0, cut.ease) * 1.06,
            paints.trim,
        )


def _draw_sleeve(
    figure: Figure, joints: tuple[Joint, Joint, Joint], girth: float, paint: Paint
) -> None:
    shoulder, elbow, wrist = joints
    cut = figure.upper
    top = _SHOULDER * girth * (0.6 + 0.4 * cut.ease)
    end = _between(shoulder, elbow, min(1.0, cut.sleeve / 0.5))
    figure.segment(shoulder, end, (top, _ELBOW * cut.ease), paint)
    if cut.sleeve > 0.5:
        cuff = _between(elbow, wrist, (cut.sleeve - 0.5) / 0.5)
        width = _WRIST * (0.35 + 0.75 * cut.ease)
        figure.segment(elbow, cuff, (_ELBOW * cut.ease, width), paint, 0.16)


def _between(a: Joint, b: Joint, share: float) -> Joint:
    return (
        a[0] + (b[0] - a[0]) * share,
        a[1] + (b[1] - a[1]) * share,
        a[2] + (b[2] - a[2]) * share,
    )
