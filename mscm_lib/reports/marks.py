"""Marks that several figures share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes


def interval(axis: Axes, y: float, span: Sequence[Any], colour: str, face: str = "") -> None:
    """A mean and its interval, (mean, low, high), as a dot on a line at height ``y``.

    Args:
        axis: to draw on.
        y: height.
        span: three numbers.
        colour: of line and dot.
        face: of the dot; the colour by default, white for a hollow one.
    """
    mean, low, high = (float(value) for value in span)
    axis.plot([low, high], [y, y], color=colour, lw=2)
    axis.plot(mean, y, "o", color=colour, mfc=face or colour, ms=7)
