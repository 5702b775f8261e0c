"""Head, face, hair and hats."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mscm_lib.data.generated.canvas import snap

if TYPE_CHECKING:
    from mscm_lib.data.generated.figure import Figure


def _centre(figure: Figure) -> tuple[float, float, float]:
    """Height of the head's middle, its half-height and its half-width, in stature."""
    head = figure.body.build.head
    return figure.body.shoulder_height + 0.052 + 0.5 * head, 0.5 * head, 0.37 * head


def draw_head(figure: Figure) -> None:
    """Neck, hood and collar, skull, face, hair and hat."""
    view, canvas, paints = figure.view, figure.canvas, figure.paints
    middle, half, wide = _centre(figure)
    shoulder = figure.body.shoulder_height
    neck = view.length(0.030)
    canvas.limb(
        view.point(0, shoulder + 0.01, 0.0),
        view.point(0, middle - 0.3 * half, 0.012),
        (neck, neck),
        paints.skin.scaled(0.88),
    )
    cut = figure.upper
    if cut.collar:
        x, y = view.point(0, shoulder + 0.022, 0)
        canvas.ellipse(
            (x, y),
            (view.length(0.045 + cut.collar), view.length(0.016 + cut.collar)),
            paints.upper.scaled(0.92),
        )
    if cut.hood:
        x, y = view.point(0, shoulder + 0.018, -0.045)
        canvas.ellipse(
            (x, y), (view.breadth(0.066, 0.05), view.length(0.034)), paints.upper.scaled(0.9)
        )
        if view.frontal > 0:
            canvas.limb(
                view.point(0, shoulder + 0.02, 0.01),
                view.point(0, middle - 0.4 * half, 0.012),
                (neck, neck),
                paints.skin.scaled(0.88),
            )
    x, y = view.point(0, middle, 0.012)
    breadth = view.breadth(wide, wide * 1.22)
    height = view.length(half)
    if figure.values["headwear"] == "headphones":  # the bow, all but its rim under skull and hair
        canvas.ellipse(
            (x, y), (snap(1.24 * breadth), snap(1.20 * height)), paints.item, above=snap(y)
        )
    canvas.ellipse((x, y), (breadth, height), paints.skin)
    _face(figure, x, y, breadth, height)
    _hair(figure, x, y, breadth, height)
    _hat(figure, x, y, breadth, height)


def _face(figure: Figure, x: float, y: float, breadth: float, height: float) -> None:
    frontal, right = figure.view.frontal, math.sin(figure.view.yaw)
    if frontal < -0.3:
        return
    canvas, feature = figure.canvas, figure.paints.feature
    middle = x + snap(0.75 * right) * breadth
    for side in (-1, 1):
        depth = math.cos(figure.view.yaw - side * 0.42)
        if depth > 0.05:
            eye = x + snap(0.86 * math.sin(figure.view.yaw - side * 0.42)) * breadth
            canvas.ellipse(
                (snap(eye), snap(y - 0.02 * height)),
                (snap(0.14 * breadth * depth), snap(0.055 * height)),
                feature,
            )
    if frontal > -0.1:
        nose = figure.paints.skin.scaled(0.82)
        canvas.ellipse(
            (snap(middle + 0.12 * breadth * snap(right)), snap(y + 0.26 * height)),
            (snap(0.13 * breadth), snap(0.15 * height)),
            nose,
        )
        mouth = figure.paints.feature.scaled(1.7)
        canvas.ellipse(
            (snap(middle * 0.92 + x * 0.08), snap(y + 0.56 * height)),
            (snap(0.30 * breadth * max(0.25, frontal)), snap(0.055 * height)),
            mouth,
        )


def _hair(figure: Figure, x: float, y: float, breadth: float, height: float) -> None:
    style = figure.values["hair_style"]
    canvas, paint, view = figure.canvas, figure.paints.hair, figure.view
    frontal, right = view.frontal, math.sin(view.yaw)
    if style == "shaved":
        return
    bulk = {"afro": 1.62, "bob": 1.20, "long": 1.16}.get(style, 1.10)
    rise = {"afro": 0.34, "quiff": 0.12}.get(style, 0.05)
    # The cap of hair sits up and back, and its lower edge drops from the brow to the nape.
    back = snap(-0.22 * right)
    edge = y - snap(0.34 + 0.06 * min(0.0, frontal)) * height
    if frontal < 0:
        edge = y + snap(0.62 * min(1.0, -1.6 * frontal)) * height
    canvas.ellipse(
        (x + back * breadth, snap(y - rise * height)),
        (snap(bulk * breadth), snap(height * (1.04 + 0.5 * (bulk - 1)))),
        paint,
        above=snap(edge),
    )
    sides = {"bob": 0.72, "long": 0.72, "afro": 0.30}.get(style, 0.05)
    if frontal >= 0:
        for side in (-1, 1):  # hair before the ears, more of it on the side turned away
            lean = side * 0.98 - snap(0.30 * right)
            if abs(lean) <= 1.35:
                canvas.limb(
                    (snap(x + lean * breadth), snap(y - 0.45 * height)),
                    (snap(x + lean * breadth), snap(y + sides * height)),
                    (snap(0.20 * bulk * breadth), snap(0.24 * bulk * breadth)),
                    paint,
                )
    if abs(right) > 0.3:  # the back of the head, in profile
        canvas.ellipse(
            (snap(x - 0.55 * math.copysign(breadth, right)), snap(y - 0.05 * height)),
            (snap(0.62 * bulk * breadth), snap(0.80 * height)),
            paint,
        )
    if style == "quiff":
        canvas.ellipse(
            (snap(x + snap(0.45 * right) * breadth), snap(y - 1.02 * height)),
            (snap(0.72 * breadth), snap(0.30 * height)),
            paint,
        )
    if style == "bun":
        canvas.ellipse(
            (snap(x - snap(0.75 * right) * breadth), snap(y - 1.12 * height)),
            (snap(0.50 * breadth), snap(0.36 * height)),
            paint,
        )


def draw_long_hair(figure: Figure, *, behind: bool) -> None:
    """The part of the hair that hangs below the head, before or behind the trunk."""
    style = figure.values["hair_style"]
    if style not in ("long", "ponytail", "bob"):
        return
    view, paint = figure.view, figure.paints.hair
    middle, half, wide = _centre(figure)
    reach = {"long": 0.17, "ponytail": 0.15, "bob": 0.025}[style]
    top = view.point(0, middle, -0.030)
    end = view.point(0, figure.body.shoulder_height + 0.03 - reach, -0.075)
    if style == "ponytail":
        tie = view.point(0, middle + 0.35 * half, -0.085)
        figure.canvas.limb(tie, end, (view.length(0.018), view.length(0.026)), paint)
        return
    half_width = view.breadth(wide * 1.18, wide * 0.85)
    if behind and style == "long":
        half_width = snap(half_width * 1.15)
    lower = 0.95 if style == "long" else 1.02
    figure.canvas.sweep(
        [
            (top[1], top[0], half_width),
            (snap(0.5 * (top[1] + end[1])), top[0], half_width),
            (end[1], end[0], snap(half_width * lower)),
        ],
        paint,
    )


def _hat(figure: Figure, x: float, y: float, breadth: float, height: float) -> None:
    kind = figure.values["headwear"]
    canvas, paint, view = figure.canvas, figure.paints.item, figure.view
    right = snap(math.sin(view.yaw))
    brow = snap(y - 0.40 * height)
    if kind == "headphones":
        for side in (-1, 1):
            if side * right < 0.35:  # the other ear is behind the head
                canvas.ellipse(
                    (snap(x + snap(1.04 * side * view.frontal) * breadth), snap(y - 0.02 * height)),
                    (snap(0.26 * breadth), snap(0.30 * height)),
                    paint.scaled(0.85),
                )
    elif kind in ("cap", "beanie"):
        crown = 1.02 if kind == "cap" else 1.20
        canvas.ellipse(
            (x, snap(y - 0.28 * height)),
            (snap(1.14 * breadth), snap(crown * height)),
            paint,
            above=brow,
        )
    if kind == "cap" and view.frontal > -0.5:
        visor = snap(x + 0.85 * right * breadth)
        canvas.ellipse(
            (visor, brow), (snap(0.92 * breadth), snap(0.13 * height)), paint.scaled(0.75)
        )
    elif kind == "beanie":
        canvas.box(
            (x, brow),
            (snap(1.16 * breadth), snap(0.15 * height)),
            snap(0.1 * height),
            paint.scaled(0.82),
        )
