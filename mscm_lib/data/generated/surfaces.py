"""What skin, hair, cloth and leather look like to each sensor.

Visible values are display RGB. Near-infrared values are albedos near 850 nm: dyes and melanin do
not absorb there, so hue is gone and the material decides; pigment prints keep some contrast.
Thermal values are surface temperatures, 0 at 14 °C and 1 at 36 °C: the better it insulates, the
colder it looks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mscm_lib.data.generated.attributes import Sensor
from mscm_lib.data.generated.canvas import Paint, snap

_HUES = {  # of about the same lightness, which is the material's business
    "grey": (0.50, 0.50, 0.51),
    "red": (0.86, 0.32, 0.30),
    "orange": (0.84, 0.46, 0.16),
    "yellow": (0.66, 0.56, 0.12),
    "green": (0.28, 0.60, 0.30),
    "teal": (0.14, 0.60, 0.62),
    "blue": (0.34, 0.48, 0.88),
    "purple": (0.66, 0.38, 0.76),
    "dark": (0.16, 0.15, 0.16),
    "white": (0.88, 0.88, 0.86),
}
# A material scales and lifts a hue: (scale, lift), then what it is worth to the other sensors.
_CLOTH = {
    "cotton": (0.72, 0.26),
    "wool": (0.80, 0.02),
    "denim": (0.50, 0.03),
    "leather": (0.20, 0.02),
    "canvas": (0.85, 0.08),
}
_CLOTH_NIR = {"cotton": 0.86, "wool": 0.58, "denim": 0.36, "leather": 0.17, "canvas": 0.74}
_CLOTH_THERMAL = {"cotton": 0.66, "wool": 0.40, "denim": 0.54, "leather": 0.26, "canvas": 0.36}
_GLOSS = {"leather": 0.30, "cotton": 0.0, "wool": 0.0, "denim": 0.0, "canvas": 0.0}
_FOLDS = {"leather": 0.14, "cotton": 0.12, "wool": 0.08, "denim": 0.10, "canvas": 0.06}
_SKIN = {
    "light": (0.88, 0.70, 0.60),
    "tan": (0.78, 0.57, 0.44),
    "brown": (0.57, 0.39, 0.28),
    "dark": (0.35, 0.24, 0.18),
}
_HAIR = {
    "black": (0.09, 0.08, 0.08),
    "brown": (0.29, 0.19, 0.12),
    "blond": (0.74, 0.58, 0.33),
    "grey": (0.62, 0.61, 0.60),
}
_SKIN_NIR, _HAIR_NIR = 0.70, 0.44
_MATTE = {"visible": 0.55, "near-infrared": 0.30, "thermal": 0.93}


@dataclass(frozen=True)
class Surfaces:
    """The paints of one person for one sensor.

    Attributes:
        skin: face and neck.
        limb: hands, bare arms and legs, which a thermal camera sees a little colder.
        hair: of the head.
        upper: upper garment.
        lower: lower garment.
        shoe: shoes.
        item: bags, hats and scarves.
        accent: what is worn under an open jacket, and soles.
        trim: reflective tape.
        feature: eyes and mouth.
    """

    skin: Paint
    limb: Paint
    hair: Paint
    upper: Paint
    lower: Paint
    shoe: Paint
    item: Paint
    accent: Paint
    trim: Paint
    feature: Paint


def surfaces(values: Mapping[str, str], sensor: Sensor, unit: float) -> Surfaces:
    """Paints for what a band shows of a person.

    Args:
        values: of every attribute, as `people.shown_values` gives them.
        sensor: that looks.
        unit: pixels of a person's height, the scale of patterns.
    """
    dress = _Dresser(sensor, unit)
    return Surfaces(
        skin=dress.plain(_SKIN[values["skin_tone"]], _SKIN_NIR, 0.97),
        limb=dress.plain(_SKIN[values["skin_tone"]], _SKIN_NIR, 0.86),
        hair=dress.plain(_HAIR[values["hair_tone"]], _HAIR_NIR, 0.60, 0.25),
        upper=dress.cloth(
            values["upper_colour"], values["upper_material"], values["upper_pattern"], 0.055
        ),
        lower=dress.cloth(
            values["lower_colour"], values["lower_material"], values["lower_pattern"], 0.060
        ),
        shoe=dress.cloth(values["shoe_colour"], values["shoe_material"]),
        item=dress.cloth(values["item_colour"], values["item_material"]),
        accent=dress.plain((0.86, 0.86, 0.84), 0.85, 0.74),
        trim=dress.plain((0.80, 0.82, 0.74), 1.25, 0.08),
        feature=dress.plain((0.16, 0.10, 0.09), 0.30, 0.90),
    )


class _Dresser:
    """Turns physical values into the paint of one sensor."""

    def __init__(self, sensor: Sensor, unit: float) -> None:
        self.sensor = sensor
        self.unit = unit
        self.matte = _MATTE[sensor]

    def plain(
        self,
        rgb: tuple[float, float, float],
        near_infrared: float,
        thermal: float,
        folds: float = 0.03,
    ) -> Paint:
        if self.sensor == "visible":
            return Paint(rgb, matte=self.matte, folds=folds)
        if self.sensor == "near-infrared":
            return Paint((near_infrared,), matte=self.matte, folds=folds)
        return Paint((thermal,), matte=self.matte, folds=0.02)

    def cloth(self, hue: str, material: str, pattern: str = "plain", period: float = 0.04) -> Paint:
        if self.sensor == "thermal":
            return Paint((_CLOTH_THERMAL[material],), matte=self.matte, folds=0.10)
        if self.sensor == "near-infrared":
            albedo = _CLOTH_NIR[material]
            base: tuple[float, ...] = (albedo,)
            other: tuple[float, ...] = (snap(albedo * 0.56),)
        else:
            scale, lift = _CLOTH[material]
            base = tuple(snap(scale * v + lift) for v in _HUES[hue])
            bright = 0.3 * base[0] + 0.6 * base[1] + 0.1 * base[2] > 0.42
            other = tuple(snap(0.26 * v if bright else 0.42 * v + 0.52) for v in base)
        return Paint(
            base,
            other if pattern != "plain" else (),
            pattern,
            snap(period * self.unit),
            self.matte,
            _GLOSS[material],
            _FOLDS[material],
        )
