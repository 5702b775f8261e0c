"""Cuts of garments, in units of stature and shares of a limb."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Upper:
    """Cut of an upper garment.

    Attributes:
        sleeve: share of the arm that it covers.
        hem: how far it reaches below the hip line.
        ease: factor on the arm's thickness.
        room: added to the trunk's half-width.
        flare: added to the half-width at the hem.
        collar: thickness of what lies around the neck.
        hood: a hood hangs behind the neck.
        open: worn open over something light.
        placket: closed with a line of buttons.
        quilted: sewn into bulging rings.
    """

    sleeve: float
    hem: float
    ease: float = 1.15
    room: float = 0.006
    flare: float = 0.0
    collar: float = 0.0
    hood: bool = False
    open: bool = False
    placket: bool = False
    quilted: bool = False


@dataclass(frozen=True)
class Lower:
    """Cut of a lower garment.

    Attributes:
        length: share of the leg that it covers.
        thigh: factor on the thigh's thickness.
        hem: factor on the leg's thickness at the lower end.
        skirt: one tube around both legs, whose half-width at the hem grows by this; 0: trousers.
    """

    length: float
    thigh: float = 1.1
    hem: float = 1.2
    skirt: float = 0.0


UPPER = {
    "t-shirt": Upper(0.34, 0.015, ease=1.35),
    "shirt": Upper(0.96, 0.035, collar=0.012, placket=True),
    "hoodie": Upper(0.98, 0.010, ease=1.45, room=0.016, hood=True),
    "puffer jacket": Upper(0.98, -0.005, ease=1.95, room=0.034, collar=0.022, quilted=True),
    "long coat": Upper(0.98, 0.235, ease=1.5, room=0.018, flare=0.028, collar=0.020, placket=True),
    "tank top": Upper(0.0, 0.0),
    "blazer": Upper(0.96, 0.060, ease=1.3, room=0.012, collar=0.014, open=True),
    "tunic": Upper(0.62, 0.140, ease=1.5, room=0.006, flare=0.045),
}
LOWER = {
    "straight trousers": Lower(0.97, 1.12, 1.45),
    "slim trousers": Lower(0.95, 1.00, 1.02),
    "wide trousers": Lower(0.99, 1.25, 2.50),
    "shorts": Lower(0.44, 1.28, 1.75),
    "short skirt": Lower(0.42, skirt=0.030),
    "long skirt": Lower(0.86, skirt=0.055),
    "cropped trousers": Lower(0.74, 1.15, 1.35),
    "joggers": Lower(0.92, 1.45, 1.15),
}
