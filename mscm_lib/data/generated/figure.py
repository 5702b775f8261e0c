"""Draws a dressed person: limbs, trunk and clothes, far parts before near ones."""

from __future__ import annotations

from collections.abc import Mapping

from mscm_lib.data.generated.canvas import Canvas, Paint, snap
from mscm_lib.data.generated.garments import LOWER, UPPER, Lower, Upper
from mscm_lib.data.generated.head import draw_head, draw_long_hair
from mscm_lib.data.generated.skeleton import Joint, Projection, Skeleton
from mscm_lib.data.generated.surfaces import Surfaces
from mscm_lib.data.generated.things import draw_back_item, draw_hand_item, draw_scarf, draw_strap

_THIGH, _KNEE, _ANKLE = 0.052, 0.036, 0.023  # radii of a bare leg
_SHOULDER, _ELBOW, _WRIST = 0.031, 0.026, 0.018  # radii of a bare arm


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
        view, away = self.view, self.view.frontal < 0
        # The side whose arm is nearer to the camera: the left one when its x-axis points at it.
        near = 1 if view.turned(1.0, 0.0)[1] > 0 else -1
        if not away:
            draw_back_item(self)
            draw_long_hair(self, behind=True)
        self._arm(-near)
        if near == -1:
            draw_hand_item(self)
        for side in self._legs_by_depth():
            self._leg(side)
        if self.lower.skirt:
            self._skirt()
        self._trunk()
        if not away:
            draw_strap(self)
        draw_head(self)
        draw_scarf(self)
        if away:
            draw_long_hair(self, behind=False)
            draw_back_item(self)
        if near == 1:
            draw_hand_item(self)
        self._arm(near)

    def trunk_knots(
        self, room: float, top: float, bottom: float
    ) -> list[tuple[float, float, float]]:
        """Outline of the trunk with ``room`` to spare from height ``top`` down to ``bottom``."""
        build, view = self.body.build, self.view
        hip, shoulder = self.body.hip_height, self.body.shoulder_height
        rise = shoulder - hip
        levels = (
            (shoulder + 0.030, 0.042, 0.045),
            (shoulder + 0.004, build.shoulder * 0.86, 0.058),
            (shoulder - 0.045, build.shoulder * 1.0, 0.070 * build.girth),
            (hip + 0.42 * rise, 0.5 * (build.shoulder + build.hip) * 0.86, 0.062 * build.girth),
            (hip + 0.05, build.hip * 1.02, 0.066 * build.girth),
            (hip - 0.06, build.hip * 1.06, 0.068 * build.girth),
        )
        knots = []
        for level, lateral, depth in levels:
            if bottom < level <= top:
                x, y = view.point(0.0, level, 0.0)
                knots.append((y, x, view.breadth(lateral + room, depth + room)))
        return knots

    def _legs_by_depth(self) -> list[int]:
        return sorted(
            (1, -1), key=lambda s: self.view.turned(self.body.knees[s][0], self.body.knees[s][2])[1]
        )

    def _segment(
        self,
        start: Joint,
        end: Joint,
        radii: tuple[float, float],
        paint: Paint,
        along: float = 0.0,
    ) -> None:
        self.canvas.limb(
            self.view.point(*start),
            self.view.point(*end),
            (self.view.length(radii[0]), self.view.length(radii[1])),
            paint,
            along=self.view.length(along),
        )

    def _leg(self, side: int) -> None:
        body, cut, paints = self.body, self.lower, self.paints
        hip, knee, ankle = body.hips[side], body.knees[side], body.ankles[side]
        # The far leg lies in the near one's shade.
        shade = 0.90 if self._legs_by_depth()[0] == side else 1.0
        girth = body.build.girth
        skin = paints.hand.scaled(shade)
        if cut.length < 0.93:
            self._segment(hip, knee, (_THIGH * girth, _KNEE), skin)
            self._segment(knee, ankle, (_KNEE, _ANKLE), skin)
        self._shoe(side, paints.shoe.scaled(shade))
        if cut.skirt:
            return
        paint = paints.lower.scaled(shade)
        thigh = _THIGH * girth * cut.thigh
        knee_radius = _KNEE * 0.5 * (cut.thigh + cut.hem)
        half = min(1.0, cut.length / 0.5)
        middle = _between(hip, knee, half)
        end_radius = thigh + (knee_radius - thigh) * half
        if cut.length <= 0.5:
            end_radius = _KNEE * cut.hem
        self._segment(hip, middle, (thigh, end_radius), paint)
        if cut.length > 0.5:
            share = (cut.length - 0.5) / 0.5
            hem = _ANKLE * cut.hem
            self._segment(knee, _between(knee, ankle, share), (knee_radius, hem), paint, 0.22)
        if self.values["reflective_trim"] == "cuff bands":
            low = (
                _between(hip, knee, 0.80)
                if cut.length <= 0.5
                else _between(knee, ankle, 0.75 * (cut.length - 0.5) / 0.5)
            )
            high = (low[0], low[1] + 0.016, low[2])
            width = end_radius if cut.length <= 0.5 else 0.5 * (knee_radius + _ANKLE * cut.hem)
            self.band(low, high, width, paints.trim)

    def _shoe(self, side: int, paint: Paint) -> None:
        body = self.body
        ankle, toe = body.ankles[side], body.toes[side]
        heel = (ankle[0], ankle[1] - 0.018, ankle[2] - 0.018)
        self._segment(heel, toe, (0.025, 0.019), paint)
        if self.values["shoe_kind"] == "boots":
            shaft = _between(ankle, body.knees[side], 0.42)
            self._segment(ankle, shaft, (0.031, 0.037), paint)
        else:
            low_heel = (heel[0], heel[1] - 0.013, heel[2])
            low_toe = (toe[0], toe[1] - 0.010, toe[2])
            self._segment(low_heel, low_toe, (0.009, 0.008), self.paints.accent.scaled(0.9))

    def _skirt(self) -> None:
        body, view, cut = self.body, self.view, self.lower
        hem_height = body.hip_height - cut.length * body.build.leg + 0.03
        waist, hem = body.hip_height + 0.06, hem_height
        knees = [body.knees[s] for s in (1, -1)]
        reach = max(abs(view.turned(k[0], k[2])[0]) for k in knees) + 0.035
        lean = 0.5 * sum(view.turned(k[0], k[2])[0] for k in knees)
        knots = []
        for height, extra, share in (
            (waist, 0.0, 0.0),
            (body.hip_height - 0.03, 0.016, 0.3),
            (hem, cut.skirt, 1.0),
        ):
            x, y = view.point(0.0, height, 0.0)
            half = view.breadth(body.build.hip + 0.008 + extra, 0.068 + extra)
            half = max(half, view.length(share * reach * min(1.0, cut.length / 0.6)))
            knots.append((y, snap(x + 0.6 * share * view.length(lean)), half))
        self.canvas.sweep(knots, self.paints.lower)

    def _trunk(self) -> None:
        body, view, cut, canvas = self.body, self.view, self.upper, self.canvas
        if not self.lower.skirt:  # the seat of the trousers
            seat = self.trunk_knots(0.004, body.hip_height + 0.1, body.hip_height - 0.1)
            x, y = view.point(0.0, body.hip_height - 0.075, 0.0)
            canvas.sweep([*seat, (y, x, seat[-1][2] * 0.75)], self.paints.lower)
        knots = self.trunk_knots(cut.room, 2.0, body.hip_height - min(cut.hem, 0.05))
        x, y = view.point(0.0, body.hip_height - cut.hem, 0.0)
        swing = max(abs(view.turned(k[0], k[2])[0]) for k in body.knees.values())
        half = view.breadth(body.build.hip + cut.room + cut.flare, 0.068 + cut.room + cut.flare)
        if cut.hem > 0.1:
            half = max(half, view.length(0.03 + swing * cut.hem / 0.25))
        if cut.sleeve == 0.0:  # straps leave the shoulders bare
            canvas.sweep(self.trunk_knots(0.0, 2.0, 0.0), self.paints.skin)
            knots[0] = (knots[0][0], knots[0][1], knots[0][2] * 1.15)
            knots[1] = (knots[1][0], knots[1][1], knots[1][2] * 0.62)
            knots[2] = (knots[2][0], knots[2][1], knots[2][2] * 0.90)
        knots = [k for k in knots if k[0] < y - 0.5] + [(y, x, half)]
        canvas.sweep(knots, self.paints.upper, rounded=view.length(0.012))
        if cut.quilted:
            self._quilt(knots)
        if cut.open and view.frontal > 0.2:
            self._open_front(knots)
        if self.values["reflective_trim"] == "chest band":
            level = body.hip_height + 0.60 * (body.shoulder_height - body.hip_height)
            edges = []
            for height in (level + 0.011, level - 0.011):
                x, y = view.point(0.0, height, 0.0)
                edges.append(
                    (
                        y,
                        x,
                        view.breadth(
                            body.build.shoulder * 0.96 + cut.room,
                            0.070 * body.build.girth + cut.room,
                        ),
                    )
                )
            canvas.sweep(edges, self.paints.trim)

    def _quilt(self, knots: list[tuple[float, float, float]]) -> None:
        top, bottom = knots[1][0], knots[-1][0]
        seam = self.paints.upper.scaled(0.72)
        thickness = max(0.6, self.view.length(0.003))
        for ring in range(1, 6):
            y = snap(top + (bottom - top) * ring / 6)
            near = min(knots, key=lambda k: abs(k[0] - y))
            self.canvas.sweep(
                [
                    (y - thickness, near[1], near[2] * 0.93),
                    (y + thickness, near[1], near[2] * 0.93),
                ],
                seam,
            )

    def _open_front(self, knots: list[tuple[float, float, float]]) -> None:
        view = self.view
        top, bottom = knots[0][0], knots[-1][0]
        shift = view.turned(0.0, 0.05)[0]
        wedge = [
            (top, knots[0][1], view.length(0.030 * view.frontal)),
            (
                snap(0.55 * top + 0.45 * bottom),
                snap(knots[0][1] + view.length(shift)),
                view.length(0.024 * view.frontal),
            ),
            (bottom, snap(knots[-1][1] + view.length(shift)), view.length(0.012 * view.frontal)),
        ]
        self.canvas.sweep(wedge, self.paints.accent)

    def _arm(self, side: int) -> None:
        body, cut, paints = self.body, self.upper, self.paints
        shoulder, elbow, wrist = body.shoulders[side], body.elbows[side], body.wrists[side]
        girth = 0.5 + 0.5 * body.build.girth
        near = self.view.turned(*shoulder[::2])[1] > -0.02
        shade = 1.0 if near else 0.86
        hand = _between(elbow, wrist, 1.22)
        skin = paints.hand.scaled(shade)
        if cut.sleeve < 0.9:
            self._segment(shoulder, elbow, (_SHOULDER * girth, _ELBOW), skin)
            self._segment(elbow, wrist, (_ELBOW, _WRIST), skin)
        self._segment(wrist, hand, (0.018, 0.016), skin)
        if cut.sleeve == 0.0:
            return
        paint = paints.upper.scaled(shade * 0.97)
        upper_share = min(1.0, cut.sleeve / 0.5)
        end = _between(shoulder, elbow, upper_share)
        self._segment(
            shoulder, end, (_SHOULDER * girth * (0.6 + 0.4 * cut.ease), _ELBOW * cut.ease), paint
        )
        if cut.sleeve > 0.5:
            cuff = _between(elbow, wrist, (cut.sleeve - 0.5) / 0.5)
            self._segment(
                elbow,
                cuff,
                (_ELBOW * cut.ease, _WRIST * (0.35 + 0.75 * cut.ease)),
                paint,
                _UPPER_LENGTH,
            )
        if self.values["reflective_trim"] == "sleeve bands":
            low = _between(shoulder, elbow, 0.62 * upper_share)
            self.band(
                low,
                _between(shoulder, elbow, 0.62 * upper_share - 0.11),
                _ELBOW * cut.ease * 1.06,
                paints.trim,
            )

    def band(self, low: Joint, high: Joint, radius: float, paint: Paint) -> None:
        """A ring of tape around a limb."""
        (ax, ay), (bx, by) = self.view.point(*low), self.view.point(*high)
        half = self.view.length(radius)
        self.canvas.sweep([(min(ay, by) - 0.3, bx, half), (max(ay, by) + 0.3, ax, half)], paint)


_UPPER_LENGTH = 0.16


def _between(a: Joint, b: Joint, share: float) -> Joint:
    return (
        a[0] + (b[0] - a[0]) * share,
        a[1] + (b[1] - a[1]) * share,
        a[2] + (b[2] - a[2]) * share,
    )
