"""Sample sheets: a grid of people and cameras."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from mscm_lib.data.generated.cameras import cameras
from mscm_lib.data.generated.render import render
from mscm_lib.data.generated.settings import GeneratedSettings


def sample_sheet(
    settings: GeneratedSettings,
    identities: Sequence[int] = (1, 2, 3, 4, 5, 6, 7, 8),
    numbers: Sequence[int] | None = None,
    shot: int = 0,
    height: int = 192,
    width: int = 96,
    gap: int = 4,
) -> Image.Image:
    """A picture with a column for each person and a row for each camera.

    Args:
        settings: of the benchmark.
        identities: columns.
        numbers: rows, camera numbers; by default all of the layout, visible ones above.
        shot: which image of each.
        height: pixels of one image.
        width: pixels of one image.
        gap: white pixels around each image.

    Raises:
        ConfigError: an identity, camera or size that cannot be.
    """
    eyes = cameras(settings)
    if numbers is None:
        numbers = sorted(eyes, key=lambda number: (eyes[number].infrared, number))
    shape = (len(numbers) * (height + gap) + gap, len(identities) * (width + gap) + gap, 3)
    sheet = np.full(shape, 255, dtype=np.uint8)
    for row, camera in enumerate(numbers):
        for column, identity in enumerate(identities):
            y, x = gap + row * (height + gap), gap + column * (width + gap)
            sheet[y : y + height, x : x + width] = render(
                settings, identity, camera, shot, height, width
            )
    return Image.fromarray(sheet)
