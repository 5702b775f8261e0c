"""What tells two people apart, how many bits each part of it carries, and which band shows it.

Every attribute of an identity is drawn on its own, uniformly from 2^b values, so it carries
exactly b bits and the identity carries their sum, whatever the settings. Each band (the visible
cameras' and the infrared cameras') either shows an attribute or shows its neutral value, the same
for everybody. With V what the visible band shows and I what the infrared band shows,

    H(V, I) = I(V; I) + H(V | I) + H(I | V)
    total   = shared  + private to visible + private to infrared

and the knob ``shared`` moves attributes between the three terms without touching their sum. What a
sensor cannot show (hue in the near infrared, print on a thermal image) is never shared with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from mscm_lib.data.generated.randomness import stream
from mscm_lib.errors import ConfigError

Band = Literal["both", "visible", "infrared", "neither"]
Sensor = Literal["visible", "near-infrared", "thermal"]
Kind = Literal["shape", "garment", "material", "thing", "tone"]

_EVERY: tuple[Sensor, ...] = ("visible", "near-infrared", "thermal")
_PRINT: tuple[Sensor, ...] = ("visible", "near-infrared")  # at a body's temperature all of one
_DYE: tuple[Sensor, ...] = ("visible",)  # dyes and melanin are transparent from 800 nm on


@dataclass(frozen=True)
class Attribute:
    """One independent part of an identity.

    Attributes:
        name: the ledger's column.
        kind: of information; the knob shares out each kind in the same proportion.
        values: the 2^b values, drawn uniformly.
        neutral: index of the value that a band shows when it does not show the attribute.
        sensors: that can show it at all.
    """

    name: str
    kind: Kind
    values: tuple[str, ...]
    neutral: int
    sensors: tuple[Sensor, ...] = _EVERY

    @property
    def bits(self) -> int:
        """log2 of the number of values, a whole number."""
        return len(self.values).bit_length() - 1


_COLOURS = ("grey", "red", "orange", "yellow", "green", "teal", "blue", "purple")
_MATERIALS = ("cotton", "wool", "denim", "leather")

ATTRIBUTES: tuple[Attribute, ...] = (
    Attribute(
        "upper_kind",
        "garment",
        ("t-shirt", "shirt", "hoodie", "puffer jacket", "long coat", "tank top", "blazer", "tunic"),
        1,
    ),
    Attribute(
        "lower_kind",
        "garment",
        (
            "straight trousers",
            "slim trousers",
            "wide trousers",
            "shorts",
            "short skirt",
            "long skirt",
            "cropped trousers",
            "joggers",
        ),
        0,
    ),
    Attribute(
        "hair_style",
        "shape",
        ("short", "shaved", "bob", "long", "bun", "ponytail", "afro", "quiff"),
        0,
    ),
    Attribute("headwear", "thing", ("none", "headphones", "cap", "beanie"), 0),
    # A band that does not show these shows one that all have, so that it can show the material.
    Attribute("back_item", "thing", ("none", "daypack", "rucksack", "messenger bag"), 3),
    Attribute("hand_item", "thing", ("none", "handbag", "tote", "briefcase"), 1),
    Attribute("upper_material", "material", _MATERIALS, 1),
    Attribute("lower_material", "material", _MATERIALS, 1),
    Attribute("shoulders", "shape", ("narrow", "broad"), 0),
    Attribute("hips", "shape", ("narrow", "broad"), 0),
    Attribute("stature", "shape", ("short", "tall"), 1),
    Attribute("legs", "shape", ("short", "long"), 1),
    Attribute("scarf", "thing", ("none", "scarf"), 0),
    Attribute("shoe_kind", "garment", ("trainers", "boots"), 0),
    Attribute("reflective_trim", "thing", ("none", "chest band", "sleeve bands", "cuff bands"), 0),
    Attribute(
        "upper_pattern",
        "garment",
        (
            "plain",
            "stripes",
            "narrow stripes",
            "pinstripes",
            "check",
            "diagonal",
            "dots",
            "colour block",
        ),
        0,
        _PRINT,
    ),
    Attribute("lower_pattern", "garment", ("plain", "side stripe"), 0, _PRINT),
    Attribute("hair_tone", "tone", ("black", "brown", "blond", "grey"), 1, _DYE),
    Attribute("upper_colour", "tone", _COLOURS, 0, _DYE),
    Attribute("lower_colour", "tone", _COLOURS, 0, _DYE),
    Attribute("skin_tone", "tone", ("light", "tan", "brown", "dark"), 1, _DYE),
    Attribute("item_colour", "tone", ("grey", "red", "yellow", "blue"), 0, _DYE),
    Attribute("shoe_colour", "tone", ("dark", "white"), 0, _DYE),
    Attribute("item_material", "material", ("canvas", "leather"), 0),
    Attribute("shoe_material", "material", ("canvas", "leather"), 0),
)
TOTAL_BITS = sum(attribute.bits for attribute in ATTRIBUTES)


@dataclass(frozen=True)
class Information:
    """The bits of an identity that a camera sees, by which; the knob never changes their sum."""

    shared: int
    visible_only: int
    infrared_only: int

    @property
    def total(self) -> int:
        """Entropy of an identity in bits."""
        return self.shared + self.visible_only + self.infrared_only


def bands(shared: float, sensors: tuple[Sensor, Sensor], seed: int) -> dict[str, Band]:
    """The band that shows each attribute when a share ``shared`` of all bits is to be shared.

    Attributes become shared in an order drawn from the seed in which every kind is shared out
    evenly, as many as come nearest to the share asked for: the knob changes how much is shared and
    not what. Each of the others goes to the band whose sensor alone can show it, or, where both
    can, to whichever band has fewer private bits.

    Args:
        shared: from 0 (nothing shared) to 1 (everything shared) of `TOTAL_BITS`.
        sensors: of the visible and of the infrared cameras.
        seed: of the world.

    Raises:
        ConfigError: the sensors cannot both show enough attributes for that share.
    """
    first, second = sensors
    able = [a for a in ATTRIBUTES if {*sensors} <= {*a.sensors}]
    ceiling = sum(a.bits for a in able)
    wanted = shared * TOTAL_BITS
    if wanted > ceiling + 0.5:
        raise ConfigError(
            f"shared = {shared!r}: a {second} and a {first} sensor can share at most "
            f"{ceiling} of {TOTAL_BITS} bits; expected {ceiling / TOTAL_BITS:.3f} or less"
        )
    result: dict[str, Band] = {}
    reached = 0
    order = _evenly(able, seed)
    while order and abs(reached + order[0].bits - wanted) <= abs(reached - wanted):
        reached += order[0].bits
        result[order.pop(0).name] = "both"
    bits: dict[Band, int] = {"visible": 0, "infrared": 0, "neither": 0}
    pair: tuple[tuple[Band, Sensor], ...] = (("visible", first), ("infrared", second))
    for attribute in (*(a for a in ATTRIBUTES if a not in able), *order):
        seen = [band for band, sensor in pair if sensor in attribute.sensors]
        band: Band = min(seen, key=lambda each: bits[each], default="neither")
        bits[band] += attribute.bits
        result[attribute.name] = band
    return {a.name: result[a.name] for a in ATTRIBUTES}


def _evenly(attributes: Iterable[Attribute], seed: int) -> list[Attribute]:
    """Attributes in random order within each kind, with every kind used up at the same rate."""
    groups: dict[str, list[Attribute]] = {}
    for attribute in attributes:
        groups.setdefault(attribute.kind, []).append(attribute)
    placed = []
    for kind, group in groups.items():
        total, before = sum(a.bits for a in group), 0
        for index in stream(seed, "shared", kind).permutation(len(group)):
            attribute = group[index]
            placed.append(((before + 0.5 * attribute.bits) / total, attribute))
            before += attribute.bits
    return [attribute for _, attribute in sorted(placed, key=lambda each: each[0])]


def information(shared: float, sensors: tuple[Sensor, Sensor], seed: int) -> Information:
    """How an identity's bits fall under `bands`."""
    by_name = bands(shared, sensors, seed)
    sums = dict.fromkeys(("both", "visible", "infrared", "neither"), 0)
    for attribute in ATTRIBUTES:
        sums[by_name[attribute.name]] += attribute.bits
    return Information(sums["both"], sums["visible"], sums["infrared"])
