"""A figure that somebody claims, read from the command line before anything heavy is imported."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from mscm_lib.config import check_known
from mscm_lib.errors import ConfigError

FIGURES = {"rank1": "rank1", "rank5": "rank5", "rank10": "rank10", "rank20": "rank20",
           "map": "mean_ap", "minp": "mean_inp"}  # fmt: skip
"""What can be claimed, and the column of it in an evaluation's tables."""
_RANK = re.compile(r"^(?:r|rank)[-@_]?(\d+)$")  # as papers head their columns


class Claimed(NamedTuple):
    """A figure in percent, as printed: half a unit of its last digit is what rounding hides.

    ``signed`` where a percent sign stands behind it.
    """

    name: str
    percent: float
    rounding: float
    signed: bool = False

    @classmethod
    def read(cls, text: str) -> Claimed:
        """The claim in a text such as ``rank1=61.5``; ``R1`` and ``Rank-1`` are rank1 as well.

        Raises:
            ConfigError: no such figure, or no number from 0 to 100.
        """
        given, _, number = text.partition("=")
        name = _RANK.sub(r"rank\1", given.strip().lower())
        check_known("claim", name, FIGURES)
        digits = number.strip().removesuffix("%")
        if not digits.replace(".", "", 1).isdecimal() or not float(digits) <= 100:
            raise ConfigError(f"claim {text!r}: expected percent as printed, such as {given}=61.5")
        decimals = len(digits.partition(".")[2])
        signed = number.strip().endswith("%")
        return cls(name, float(digits), 0.5 * 10**-decimals, signed)


def refuse_fractions(claims: Sequence[Claimed]) -> None:
    """Refuse claims that are all 1 or less, and not all 0: fractions, where percent are looked for.

    Raises:
        ConfigError: they are so, and no percent sign says otherwise.
    """
    largest = max(claims, key=lambda claim: claim.percent, default=None)
    if largest and 0 < largest.percent <= 1 and not any(claim.signed for claim in claims):
        raise ConfigError(
            f"claim {largest.name}={largest.percent:g}: expected percent, such as "
            f"{largest.name}={100 * largest.percent:g}; write {largest.percent:g}% where that is meant"
        )
