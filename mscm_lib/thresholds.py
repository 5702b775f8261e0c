"""How alike two images must be to count as one person, by the pair of cameras that took them.

NumPy alone: a search decides without what the thresholds were chosen with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mscm_lib.errors import ConfigError, DataError, ProtocolError

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

    def between(self, infrared: npt.ArrayLike, visible: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """(N, M) thresholds of N infrared and M visible images, from their cameras."""
        rows, row = np.unique(np.asarray(infrared), return_inverse=True)
        columns, column = np.unique(np.asarray(visible), return_inverse=True)
        table = np.array([[self.of(int(i), int(v)) for v in columns] for i in rows])
        return np.asarray(table[row][:, column])

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
            return cls(**{**values, "pairs": pairs})
        except (TypeError, KeyError, ValueError, AttributeError) as error:
            raise DataError(
                f"thresholds: missing or damaged ({error}); build the index again"
            ) from error


def lowest(scores: npt.ArrayLike, false_match: float) -> float:
    """The lowest threshold that no more than a share of (K,) scores of different people reach.

    Raises:
        ConfigError: the share is not from 0 to below 1.
        ProtocolError: there are no scores.
    """
    if not 0 <= false_match < 1:
        raise ConfigError(f"false_match = {false_match!r}: expected a share from 0 to below 1")
    scores = np.asarray(scores).ravel()
    if not len(scores):
        raise ProtocolError("no pair of different people: a threshold needs two people or more")
    first_out = len(scores) - 1 - int(false_match * len(scores))
    highest = np.partition(scores, first_out)[first_out]
    return float(np.nextafter(np.float32(highest), np.float32(np.inf)))
