"""What differs between two images of one person in one camera."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mscm_lib.data.generated.randomness import stream
from mscm_lib.data.generated.settings import GeneratedSettings

OCCLUDERS = ("pillar", "bench", "passer-by", "foliage")
VIEWPOINTS = ("front", "left", "back", "right")  # quarter turns, by the side that is seen


@dataclass(frozen=True)
class Shot:
    """One image's circumstances; lengths are fractions of the image height.

    Attributes:
        yaw: direction that the person faces, radians; 0 the camera, pi/2 the image's right side.
        phase: of the walk, 0 to 1.
        stride: amplitude of the walk, 0 (standing) to 1.
        shift: of the box, right and down.
        scale: of the person in the box.
        truncated: what the box cuts off: "", "feet" or "head".
        occluder: what stands before the person, or "".
        occluder_place: where, 0 to 1 across the image.
        occluded: how much of it shows, 0 to 1.
        blur: length of the motion blur.
        light: factor on the exposure.
        sidelight: how much more light comes from the right than the camera's own.
        backdrop: which part of the camera's scene is behind, 0 to 1.
        grain: key of the noise and of the folds.
    """

    yaw: float
    phase: float
    stride: float
    shift: tuple[float, float]
    scale: float
    truncated: str
    occluder: str
    occluder_place: float
    occluded: float
    blur: float
    light: float
    sidelight: float
    backdrop: float
    grain: int

    @property
    def viewpoint(self) -> str:
        """The side of the person that is seen: front, left, back or right."""
        return VIEWPOINTS[math.floor(self.yaw / (math.pi / 2) + 0.5) % 4]


def shot_of(settings: GeneratedSettings, identity: int, camera: int, shot: int) -> Shot:
    """The circumstances of image ``shot`` of a person in a camera.

    Every draw is made whatever the knobs say, so that turning one changes what it stands for only.
    A person crosses a camera's view in one direction and turns a little on the way: the yaw is
    drawn for the camera first and for the image second.
    """
    course = float(stream(settings.seed, "course", identity, camera).random())
    draw = stream(settings.seed, "shot", identity, camera, shot)
    u = [float(value) for value in draw.random(17)]
    turned = (course + 0.5 * (u[0] - 0.5)) % 1.0
    yaw = settings.viewpoint * math.pi * (2 * turned - 1) + 0.25 * (u[1] - 0.5)
    truncation = ""
    if u[6] < 0.10 * settings.box_error:
        truncation = "feet" if u[7] < 0.65 else "head"
    return Shot(
        yaw=yaw,
        phase=u[2],
        stride=0.25 + 0.75 * u[3],
        shift=(0.09 * (u[4] - 0.5) * settings.box_error, 0.06 * (u[5] - 0.5) * settings.box_error),
        scale=1 + 0.18 * (u[8] - 0.5) * settings.box_error,
        truncated=truncation,
        occluder=OCCLUDERS[int(u[9] * len(OCCLUDERS))] if u[10] < settings.occlusion else "",
        occluder_place=u[11],
        occluded=0.35 + 0.65 * u[12],
        blur=0.02 * max(0.0, u[13] - 0.6) / 0.4 * settings.noise,
        light=1 + 0.30 * (u[14] - 0.5) * settings.noise,
        sidelight=1.6 * (u[16] - 0.5) * settings.noise,
        backdrop=u[15],
        grain=int(draw.integers(1 << 30)),
    )
