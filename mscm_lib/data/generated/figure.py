"""Draws a dressed person, far parts before near ones."""

from __future__ import annotations

from collections.abc import Mapping

from mscm_lib.data.generated.canvas import Canvas, Paint
from mscm_lib.data.generated.garments import LOWER, UPPER, Lower, Upper
from mscm_lib.data.generated.head import draw_head, draw_long_hair
from mscm_lib.data.generated.limbs import draw_arm, draw_leg
from mscm_lib.data.generated.skeleton import Joint, Projection, Skeleton
from mscm_lib.data.generated.surfaces import Surfaces
from mscm_lib.data.generated.things import draw_back_item, draw_hand_item, draw_scarf, draw_straps
from mscm_lib.data.generated.trunk import draw_skirt, draw_trunk


class Figure:
    """One person before one camera, ready to be drawn.

    Args:
        canvas: to draw on.
        view: from the person's frame to pixels.
        body: the posed skeleton.
        values: what the band shows of every attribute.
        paints: of every surface for the sensor.
    """

    def __init__(
        self,
        canvas: Canvas,
        view: Projection,
        body: Skeleton,
        values: Mapping[str, str],
        paints: Surfaces,
    ) -> None:
        self.canvas, self.view, self.body = canvas, view, body
        self.values, self.paints = values, paints
        self.upper: Upper = UPPER[values["upper_kind"]]
        self.lower: Lower = LOWER[values["lower_kind"]]

    def draw(self) -> None:
        """Paint the whole person."""
        away = self.view.frontal < 0
        # The side whose arm is nearer to the camera, +1 for the person's left.
        near = 1 if self.view.turned(1.0, 0.0)[1] > 0 else -1
        if not away:
            draw_back_item(self)
            draw_long_hair(self, behind=True)
        draw_arm(self, -near)
        if near == -1:
            draw_hand_item(self)
        far_leg, near_leg = sorted((1, -1), key=lambda side: self._nearness(side))
        draw_leg(self, far_leg, shade=0.84)
        draw_leg(self, near_leg, shade=1.0)
        if self.lower.skirt:
            draw_skirt(self)
        draw_trunk(self)
        if not away:
            draw_straps(self)
        draw_head(self)
        draw_scarf(self)
        if away:
            draw_long_hair(self, behind=False)
            draw_back_item(self)
        if near == 1:
            draw_hand_item(self)
        draw_arm(self, near)

    def segment(
        self,
        start: Joint,
        end: Joint,
        radii: tuple[float, float],
        paint: Paint,
        along: float = 0.0,
    ) -> None:
        """A limb between two joints; lengths in units of stature."""
        view = self.view
        self.canvas.limb(
            view.point(*start),
            view.point(*end),
            (view.length(radii[0]), view.length(radii[1])),
            paint,
            along=view.length(along),
        )

    def band(self, low: Joint, high: Joint, radius: float, paint: Paint) -> None:
        """A ring of tape around a limb, from ``low`` up to ``high``."""
        (ax, ay), (bx, by) = self.view.point(*low), self.view.point(*high)
        half = self.view.length(radius)
        self.canvas.sweep([(min(ay, by) - 0.3, bx, half), (max(ay, by) + 0.3, ax, half)], paint)

    def _nearness(self, side: int) -> float:
        knee = self.body.knees[side]
        return self.view.turned(knee[0], knee[2])[1]
