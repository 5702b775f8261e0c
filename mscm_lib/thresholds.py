"""How alike two images must be to count as one person, by the pair of cameras that took them.

Nothing is imported for it: a search decides without what the thresholds were chosen with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mscm_lib.errors import DataError

FALSE_MATCH = 0.001
"""Share of pairs of different people that may count as one person, unless another is asked for."""


@dataclass(frozen=True)
class Thresholds:
    """The lowest cosine at which an infrared and a visible image count as one person.

    Attributes:
        false_match: largest share of pairs of different people that may count as one person.
        anywhere: over all pairs of cameras together; for images of cameras that are not known, and
            for pairs of cameras that the people it was chosen on do not have.
        pairs: by (infrared camera, visible camera).
        people: that it was chosen on.
        unseen: whether the network was trained without them. Those trained on are further apart
            than strangers are, so that strangers are mistaken more often than was asked for.
    """

    false_match: float
    anywhere: float
    pairs: Mapping[tuple[int, int], float]
    people: int
    unseen: bool

    def of(self, infrared: int | None, visible: int | None) -> float:
        """The threshold of a pair of cameras; None where one is not known."""
        if infrared is None or visible is None:
            return self.anywhere
        return self.pairs.get((infrared, visible), self.anywhere)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as JSON keeps them."""
        pairs = {f"{infrared}-{visible}": t for (infrared, visible), t in self.pairs.items()}
        return {**vars(self), "pairs": pairs}

    @classmethod
    def from_dict(cls, values: Any) -> Thresholds:
        """The reverse of `as_dict`.

        Raises:
            DataError: they are no thresholds.
        """
        try:
            pairs = {
                (int(cameras.partition("-")[0]), int(cameras.partition("-")[2])): float(threshold)
                for cameras, threshold in values["pairs"].items()
            }
            numbers = float(values["false_match"]), float(values["anywhere"])
            return cls(*numbers, pairs, int(values["people"]), bool(values["unseen"]))
        except (TypeError, KeyError, ValueError, AttributeError) as error:
            raise DataError(f"thresholds are missing or damaged ({error!r})") from error
