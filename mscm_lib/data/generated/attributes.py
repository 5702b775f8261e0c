"""What tells two people apart, how many bits each part of it carries, and which band shows it.

Every attribute of an identity is drawn on its own, uniformly from 2^b values, so it carries
exactly b bits and the identity carries their sum, whatever the settings. Each band (the visible
cameras' and the infrared cameras') either shows an attribute or shows its neutral value, the same
for everybody. With V what the visible band shows and I what the infrared band shows,

    H(V, I) = I(V; I) + H(V | I) + H(I | V)
    total   = shared  + private to visible + private to infrared

and the knob ``shared`` moves attributes between the three terms without touching their sum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mscm_lib.errors import ConfigError

Band = Literal["both", "visible", "infrared"]
Sensor = Literal["visible", "near-infrared", "thermal"]


@dataclass(frozen=True)
class Attribute:
    """One independent part of an identity.

    Attributes:
        name: the ledger's column.
        values: the 2^b values, drawn uniformly.
        neutral: index of the value that a band shows when it does not show the attribute.
        nature: the band that sees it in the world: dyes are visible, retroreflective tape is
            infrared, silhouettes are both. It decides where the attribute goes when it is private.
        thermal: whether a thermal sensor can show it at all; print, dye and skin tone cannot.
    """

    name: str
    values: tuple[str, ...]
    neutral: int
    nature: Band
    thermal: bool = True

    @property
    def bits(self) -> int:
        """log2 of the number of values, a whole number."""
        return len(self.values).bit_length() - 1


_COLOURS = ("grey", "red", "orange", "yellow", "green", "teal", "blue", "purple")
_MATERIALS = ("cotton", "wool", "denim", "leather")

# In the order in which they become shared as the knob is turned up: what both kinds of camera see
# in the world first, what only one of them sees last.
ATTRIBUTES: tuple[Attribute, ...] = (
    Attribute(
        "upper_kind",
        ("t-shirt", "shirt", "hoodie", "puffer jacket", "long coat", "tank top", "blazer", "tunic"),
        1,
        "both",
    ),
    Attribute(
        "lower_kind",
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
        "both",
    ),
    Attribute(
        "hair_style",
        ("short", "shaved", "bob", "long", "bun", "ponytail", "afro", "quiff"),
        0,
        "both",
    ),
    Attribute("headwear", ("none", "headphones", "cap", "beanie"), 0, "both"),
    Attribute("back_item", ("none", "daypack", "rucksack", "messenger bag"), 0, "both"),
    Attribute("hand_item", ("none", "handbag", "tote", "briefcase"), 0, "both"),
    Attribute("upper_material", _MATERIALS, 1, "infrared"),
    Attribute("lower_material", _MATERIALS, 1, "infrared"),
    Attribute("shoulders", ("narrow", "broad"), 0, "both"),
    Attribute("hips", ("narrow", "broad"), 0, "both"),
    Attribute("stature", ("short", "tall"), 1, "both"),
    Attribute("legs", ("short", "long"), 1, "both"),
    Attribute("scarf", ("none", "scarf"), 0, "both"),
    Attribute("shoe_kind", ("trainers", "boots"), 0, "both"),
    Attribute(
        "reflective_trim", ("none", "chest band", "sleeve bands", "cuff bands"), 0, "infrared"
    ),
    Attribute(
        "upper_pattern",
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
        "visible",
        thermal=False,
    ),
    Attribute("lower_pattern", ("plain", "side stripe"), 0, "visible", thermal=False),
    Attribute("hair_tone", ("black", "brown", "blond", "grey"), 1, "visible", thermal=False),
    Attribute("upper_colour", _COLOURS, 0, "visible", thermal=False),
    Attribute("lower_colour", _COLOURS, 0, "visible", thermal=False),
    Attribute("skin_tone", ("light", "tan", "brown", "dark"), 1, "visible", thermal=False),
    Attribute("item_colour", ("grey", "red", "yellow", "blue"), 0, "visible", thermal=False),
    Attribute("shoe_colour", ("dark", "white"), 0, "visible", thermal=False),
    Attribute("item_material", ("canvas", "leather"), 0, "infrared"),
    Attribute("shoe_material", ("canvas", "leather"), 0, "infrared"),
)
TOTAL_BITS = sum(attribute.bits for attribute in ATTRIBUTES)


@dataclass(frozen=True)
class Information:
    """The bits that an identity carries, by who sees them; their sum never changes."""

    shared: int
    visible_only: int
    infrared_only: int

    @property
    def total(self) -> int:
        """Entropy of an identity in bits."""
        return self.shared + self.visible_only + self.infrared_only


def bands(shared: float, sensors: tuple[Sensor, Sensor]) -> dict[str, Band]:
    """The band that shows each attribute when a share ``shared`` of all bits is to be shared.

    Attributes become shared in the order of `ATTRIBUTES`, as many as come nearest to the share
    asked for. The others stay with the band of their nature; silhouettes, which have none of their
    own, go to whichever band has fewer private bits, so that at 0 both bands carry about the same.

    Args:
        shared: from 0 (nothing shared) to 1 (everything shared).
        sensors: of the visible and of the infrared cameras.

    Raises:
        ConfigError: a thermal sensor cannot show enough attributes for that share.
    """
    first, second = sensors
    able = [a for a in ATTRIBUTES if a.thermal or "thermal" not in sensors]
    ceiling = sum(a.bits for a in able)
    wanted = shared * TOTAL_BITS
    if wanted > ceiling + 0.5 * ATTRIBUTES[-1].bits:
        raise ConfigError(
            f"shared = {shared!r}: a {second} and a {first} sensor can share at most "
            f"{ceiling} of {TOTAL_BITS} bits; expected {ceiling / TOTAL_BITS:.3f} or less"
        )
    cut, reached = 0, 0
    while cut < len(able) and abs(reached + able[cut].bits - wanted) <= abs(reached - wanted):
        reached += able[cut].bits
        cut += 1
    chosen = {a.name for a in able[:cut]}
    result: dict[str, Band] = {a.name: "both" for a in able[:cut]}
    private = [a for a in ATTRIBUTES if a.name not in chosen]
    bits = {"visible": 0, "infrared": 0}
    for attribute in sorted(private, key=lambda a: a.nature == "both"):  # stable: own nature first
        band = attribute.nature
        if not attribute.thermal and "thermal" in sensors:
            band = "visible" if second == "thermal" else "infrared"
        elif band == "both":
            band = "visible" if bits["visible"] < bits["infrared"] else "infrared"
        bits[band] += attribute.bits
        result[attribute.name] = band
    return {a.name: result[a.name] for a in ATTRIBUTES}


def information(shared: float, sensors: tuple[Sensor, Sensor]) -> Information:
    """How an identity's bits fall under `bands`."""
    sums = dict.fromkeys(("both", "visible", "infrared"), 0)
    by_name = bands(shared, sensors)
    for attribute in ATTRIBUTES:
        sums[by_name[attribute.name]] += attribute.bits
    return Information(sums["both"], sums["visible"], sums["infrared"])
