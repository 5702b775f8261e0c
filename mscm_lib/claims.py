"""A figure that somebody claims, read from the command line before anything heavy is imported."""

from __future__ import annotations

from typing import NamedTuple

from mscm_lib.config import check_known
from mscm_lib.errors import ConfigError

FIGURES = {"rank1": "rank1", "rank5": "rank5", "rank10": "rank10", "rank20": "rank20",
           "map": "mean_ap", "minp": "mean_inp"}  # fmt: skip
"""What can be claimed, and the column of it in an evaluation's tables."""


class Claimed(NamedTuple):
    """A figure in percent, as printed: half a unit of its last digit is what rounding hides."""

    name: str
    percent: float
    rounding: float

    @classmethod
    def read(cls, text: str) -> Claimed:
        """The claim in a text such as ``rank1=61.5``.

        Raises:
            ConfigError: no such figure, or no number from 0 to 100.
        """
        name, _, number = text.partition("=")
        check_known("claim", name.lower(), FIGURES)
        digits = number.strip().removesuffix("%")
        if not digits.replace(".", "", 1).isdecimal() or not float(digits) <= 100:
            raise ConfigError(f"claim {text!r}: expected percent as printed, such as {name}=61.5")
        decimals = len(digits.partition(".")[2])
        return cls(name.lower(), float(digits), 0.5 * 10**-decimals)
