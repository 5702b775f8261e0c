"""What people carry and wear over their clothes: bags, straps and scarves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mscm_lib.data.generated.canvas import snap

if TYPE_CHECKING:
    from mscm_lib.data.generated.figure import Figure

_PACKS = {"daypack": (0.082, 0.105, 0.050, -0.115), "rucksack": (0.100, 0.175, 0.075, -0.085)}


def draw_back_item(figure: Figure) -> None:
    """The bag on the back, or the messenger bag at the right hip."""
    kind = figure.values["back_item"]
    view, canvas, paint = figure.view, figure.canvas, figure.paints.item
    if kind == "messenger bag":
        x, y = view.point(-figure.body.build.hip - 0.012, figure.body.hip_height - 0.005, -0.03)
        canvas.box(
            (x, y), (view.breadth(0.036, 0.080), view.length(0.058)), view.length(0.012), paint
        )
        canvas.box(
            (x, snap(y - view.length(0.026))),
            (view.breadth(0.036, 0.080), view.length(0.030)),
            view.length(0.008),
            paint.scaled(0.84),
        )
        return
    if kind not in _PACKS:
        return
    half_width, half_height, half_depth, below = _PACKS[kind]
    x, y = view.point(0.0, figure.body.shoulder_height + below, -0.062 - half_depth)
    wide = view.breadth(half_width, half_depth)
    tall = view.length(half_height)
    canvas.box((x, y), (wide, tall), view.length(0.030), paint)
    if view.frontal < 0.3:  # the pocket and the flap are on the outside
        canvas.box(
            (x, snap(y + 0.42 * tall)),
            (snap(0.74 * wide), snap(0.40 * tall)),
            view.length(0.018),
            paint.scaled(0.80),
        )
        canvas.box(
            (x, snap(y - 0.62 * tall)),
            (snap(0.92 * wide), snap(0.05 * tall)),
            1.0,
            paint.scaled(0.62),
        )


def draw_straps(figure: Figure) -> None:
    """What is seen of a bag's straps from the front."""
    kind = figure.values["back_item"]
    if kind == "none" or figure.view.frontal < 0.15:
        return
    view, canvas = figure.view, figure.canvas
    paint = figure.paints.item.scaled(0.62)
    body = figure.body
    thin = view.length(0.0105)
    front = 0.072 + figure.upper.room
    if kind == "messenger bag":
        canvas.limb(
            view.point(0.055, body.shoulder_height + 0.012, 0.02),
            view.point(-body.build.hip, body.hip_height + 0.03, 0.03),
            (thin, thin),
            paint,
        )
        return
    for side in (1, -1):
        across = side * body.build.shoulder * 0.56
        canvas.limb(
            view.point(across, body.shoulder_height + 0.008, 0.02),
            view.point(across * 1.12, body.shoulder_height - 0.15, front),
            (thin, thin),
            paint,
        )


def draw_hand_item(figure: Figure) -> None:
    """What hangs from the left hand."""
    kind = figure.values["hand_item"]
    if kind == "none":
        return
    view, canvas, paint = figure.view, figure.canvas, figure.paints.item
    wrist = figure.body.wrists[1]
    drop = {"handbag": 0.085, "tote": 0.150, "briefcase": 0.080}[kind]
    half_height = {"handbag": 0.042, "tote": 0.082, "briefcase": 0.050}[kind]
    half_length = {"handbag": 0.055, "tote": 0.062, "briefcase": 0.100}[kind]
    hand = view.point(wrist[0], wrist[1] - 0.03, wrist[2])
    x, y = view.point(wrist[0] + 0.012, wrist[1] - drop, wrist[2])
    wide = view.breadth(0.024, half_length)
    tall = view.length(half_height)
    for side in (-1, 1):
        canvas.limb(
            hand,
            (snap(x + side * 0.6 * wide), snap(y - tall)),
            (view.length(0.006), view.length(0.006)),
            paint.scaled(0.8),
        )
    corner = view.length({"handbag": 0.026, "tote": 0.004, "briefcase": 0.008}[kind])
    canvas.box((x, y), (wide, tall), corner, paint)
    if kind == "briefcase":
        canvas.box((x, snap(y - 0.1 * tall)), (wide, view.length(0.004)), 0.5, paint.scaled(0.6))


def draw_scarf(figure: Figure) -> None:
    """A scarf around the neck, its end on the chest."""
    if figure.values["scarf"] == "none":
        return
    view, canvas, paint = figure.view, figure.canvas, figure.paints.item
    shoulder = figure.body.shoulder_height
    x, y = view.point(0, shoulder + 0.036, 0.012)
    canvas.ellipse((x, y), (view.length(0.062), view.length(0.028)), paint.scaled(1.05))
    if view.frontal > -0.25:
        end = 0.030
        canvas.limb(
            view.point(end, shoulder + 0.02, 0.06),
            view.point(end, shoulder - 0.14, 0.085),
            (view.length(0.021), view.length(0.024)),
            paint,
        )
