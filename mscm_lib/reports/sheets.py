"""Sheets of images with names along the rows and the columns."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from mscm_lib.errors import ProtocolError

Image = npt.NDArray[np.uint8]  # (H, W, 3)


def image_sheet(
    images: Sequence[Sequence[Image]],
    rows: Sequence[str],
    columns: Sequence[str],
    title: str,
    inches: float = 1.0,
) -> Figure:
    """Draw (H, W, 3) ``images[row][column]``, each ``inches`` wide, as one picture with their names.

    Raises:
        ProtocolError: the rows are not equally long, or names and images differ in number.
    """
    if any(len(row) != len(columns) for row in images) or len(images) != len(rows):
        raise ProtocolError(
            f"rows of {[len(row) for row in images]} images for {len(rows)} row names and "
            f"{len(columns)} column names: expected an image for each"
        )
    height, width = images[0][0].shape[:2]
    gap = max(1, width // 16)
    edge = ((0, gap), (0, gap), (0, 0))
    tiles = [[np.pad(image, edge, constant_values=255) for image in row] for row in images]
    sheet = np.vstack([np.hstack(row) for row in tiles])[:-gap, :-gap]
    shape = sheet.shape
    across = inches * shape[1] / width
    size = across + 0.9, across * shape[0] / shape[1] + 0.6
    figure, axis = plt.subplots(figsize=size, layout="constrained")
    axis.imshow(sheet)
    axis.set_xticks(np.arange(len(columns)) * (width + gap) + width / 2, columns)
    axis.set_yticks(np.arange(len(rows)) * (height + gap) + height / 2, rows)
    axis.xaxis.tick_top()
    axis.tick_params(length=0)
    axis.grid(visible=False)
    axis.spines[:].set_visible(False)
    figure.suptitle(title)
    return figure
