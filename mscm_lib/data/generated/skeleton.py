"""A walking skeleton in three dimensions and its projection into the image.

The person's frame is (left, up, forward) in units of stature; yaw turns it about the vertical,
the camera's pitch tilts it, and the projection is parallel.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from mscm_lib.data.generated.canvas import snap

Joint = tuple[float, float, float]  # left, up, forward
THIGH_RADIUS = 0.052  # of a bare leg, in units of stature
_THIGH, _UPPER_ARM, _FOREARM = 0.49, 0.160, 0.140  # the thigh as a share of the leg


@dataclass(frozen=True)
class Build:
    """Body measures in units of stature, from the attributes that a band shows."""

    head: float
    shoulder: float
    hip: float
    leg: float
    girth: float

    @property
    def hip_width(self) -> float:
        """Half-width of the pelvis with the thighs at its sides."""
        return 0.52 * self.hip + THIGH_RADIUS * self.girth

    @classmethod
    def of(cls, values: Mapping[str, str]) -> Build:
        """Measures for attribute ``values``."""
        broad, wide = values["shoulders"] == "broad", values["hips"] == "broad"
        return cls(
            head=0.150 if values["stature"] == "short" else 0.126,
            shoulder=0.126 if broad else 0.096,
            hip=0.094 if wide else 0.068,
            leg=0.445 if values["legs"] == "short" else 0.515,
            girth=1.0 + 0.06 * broad + 0.12 * wide,
        )


@dataclass(frozen=True)
class Skeleton:
    """Joints of one person in one instant; ``side`` runs over +1 (left) and -1 (right)."""

    build: Build
    hips: dict[int, Joint]
    knees: dict[int, Joint]
    ankles: dict[int, Joint]
    toes: dict[int, Joint]
    shoulders: dict[int, Joint]
    elbows: dict[int, Joint]
    wrists: dict[int, Joint]
    hip_height: float
    shoulder_height: float


def pose(build: Build, phase: float, stride: float, carrying: bool) -> Skeleton:
    """The skeleton at ``phase`` of a walk; the arm that carries something (the left) hangs down.

    Thighs swing as a sine, knees bend while their leg swings forward, arms swing against their
    leg, and the lower foot stands on the ground.
    """
    ankle_height = 0.035
    thigh = _THIGH * (build.leg - ankle_height)
    shin = build.leg - ankle_height - thigh
    flexed = {}
    for side in (1, -1):
        turn = 2 * math.pi * (phase + (0.0 if side == 1 else 0.5))
        hip_angle = stride * (0.46 * math.sin(turn) + 0.05)
        swing = max(0.0, math.cos(turn))
        knee_angle = hip_angle - stride * (0.10 + 0.95 * swing * swing)
        flexed[side] = (hip_angle, knee_angle, stride * 0.45 * math.sin(turn + math.pi))
    drop = max(thigh * math.cos(hip) + shin * math.cos(knee) for hip, knee, _ in flexed.values())
    hip_height = ankle_height + drop
    shoulder_height = hip_height + (1 - build.head - 0.052 - build.leg)
    hips, knees, ankles, toes = {}, {}, {}, {}
    shoulders, elbows, wrists = {}, {}, {}
    for side, (hip_angle, knee_angle, arm_angle) in flexed.items():
        across = side * build.hip * 0.52
        hips[side] = (across, hip_height, 0.0)
        knees[side] = (
            across * 0.95,
            hip_height - thigh * math.cos(hip_angle),
            thigh * math.sin(hip_angle),
        )
        ankles[side] = (
            across * 0.88,
            knees[side][1] - shin * math.cos(knee_angle),
            knees[side][2] + shin * math.sin(knee_angle),
        )
        foot = 0.55 * min(0.0, knee_angle)  # a trailing foot points down
        toes[side] = (
            across * 1.05,
            ankles[side][1] - 0.022 + 0.09 * math.sin(foot),
            ankles[side][2] + 0.090 * math.cos(foot),
        )
        if carrying and side == 1:
            arm_angle *= 0.25
        outward = side * 0.16
        shoulders[side] = (side * build.shoulder * 0.90, shoulder_height - 0.022, 0.0)
        elbows[side] = (
            shoulders[side][0] + outward * _UPPER_ARM,
            shoulders[side][1] - _UPPER_ARM * math.cos(arm_angle),
            _UPPER_ARM * math.sin(arm_angle),
        )
        bend = arm_angle + (0.10 if carrying and side == 1 else 0.22 + 0.35 * max(0.0, arm_angle))
        wrists[side] = (
            elbows[side][0] + 0.3 * outward * _FOREARM,
            elbows[side][1] - _FOREARM * math.cos(bend),
            elbows[side][2] + _FOREARM * math.sin(bend),
        )
    return Skeleton(
        build, hips, knees, ankles, toes, shoulders, elbows, wrists, hip_height, shoulder_height
    )


@dataclass(frozen=True)
class Projection:
    """From the person's frame to pixels.

    Attributes:
        yaw: 0 when the person faces the camera.
        pitch: how far the camera looks down.
        unit: pixels of a person's height.
        x: of the person's axis in the image.
        ground: y of the ground under it.
    """

    yaw: float
    pitch: float
    unit: float
    x: float
    ground: float

    def point(self, left: float, up: float, forward: float) -> tuple[float, float]:
        """(x, y) in pixels of a point in the person's frame."""
        right, near = self.turned(left, forward)
        height = up * math.cos(self.pitch) - near * math.sin(self.pitch)
        return snap(self.x + right * self.unit), snap(self.ground - height * self.unit)

    def turned(self, left: float, forward: float) -> tuple[float, float]:
        """(to the image's right, towards the camera) of a horizontal offset."""
        c, s = math.cos(self.yaw), math.sin(self.yaw)
        return left * c + forward * s, forward * c - left * s

    def length(self, value: float) -> float:
        """Pixels of a length in units of stature."""
        return snap(value * self.unit)

    def breadth(self, lateral: float, depth: float) -> float:
        """Pixels of the half-width of an elliptic cylinder with these half-axes."""
        c, s = math.cos(self.yaw), math.sin(self.yaw)
        return snap(math.sqrt((lateral * c) ** 2 + (depth * s) ** 2) * self.unit)

    @property
    def frontal(self) -> float:
        """1 facing the camera, -1 facing away, 0 seen from the side."""
        return math.cos(self.yaw)
