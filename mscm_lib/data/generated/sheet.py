"""Sample sheets: a grid of people and cameras."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mscm_lib.data.generated.cameras import cameras
from mscm_lib.data.generated.render import render
from mscm_lib.data.generated.settings import GeneratedSettings


def sample_sheet(
    settings: GeneratedSettings,
    identities: Sequence[int] = (1, 2, 3, 4, 5, 6),
    numbers: Sequence[int] | None = None,
    shot: int = 0,
    height: int = 192,
    width: int = 96,
    gap: int = 4,
) -> npt.NDArray[np.uint8]:
    """A picture with a row for each identity and a column for each camera.

    Args:
        settings: of the benchmark.
        identities: rows.
        numbers: columns, camera numbers; all of the layout by default.
        shot: which image of each.
        height: pixels of one image.
        width: pixels of one image.
        gap: white pixels around each image.

    Returns:
        (rows * (height + gap) + gap, columns * (width + gap) + gap, 3) RGB.
    """
    columns = list(cameras(settings)) if numbers is None else list(numbers)
    shape = (len(identities) * (height + gap) + gap, len(columns) * (width + gap) + gap, 3)
    sheet = np.full(shape, 255, dtype=np.uint8)
    for row, identity in enumerate(identities):
        for column, camera in enumerate(columns):
            y, x = gap + row * (height + gap), gap + column * (width + gap)
            sheet[y : y + height, x : x + width] = render(
                settings, identity, camera, shot, height, width
            )
    return sheet
