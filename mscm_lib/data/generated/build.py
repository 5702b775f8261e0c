"""Generate a benchmark into packed arrays, in parallel."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mscm_lib.data.generated.dataset import GeneratedDataset
from mscm_lib.data.generated.ledger import attribute_table, ledger, shot_table
from mscm_lib.data.generated.listing import fingerprint, image_keys
from mscm_lib.data.generated.render import render
from mscm_lib.data.generated.settings import SIZES, GeneratedSettings, check_size
from mscm_lib.data.generated.workers import in_order
from mscm_lib.data.packed.arrays import PackedImages, is_current
from mscm_lib.data.packed.writing import PackWriter

Key = tuple[int, int, int]  # camera, identity, shot


def generate(
    settings: GeneratedSettings,
    folder: Path | str,
    height: int = SIZES["quick"][0],
    width: int = SIZES["quick"][1],
    workers: int | None = None,
    progress: bool = True,
) -> PackedImages:
    """Draw every image of the benchmark into ``folder``, in the format of packed datasets.

    The folder appears when it is complete; the same call continues after a kill. Beside the files
    that `mscm_lib.data.packed.opened` defines it holds the ledger: ``ledger.csv`` (people), ``shots.csv``
    (images, in the order of the arrays) and ``attributes.csv`` (bits and bands).

    Args:
        settings: of the benchmark.
        folder: to write; a complete one of the same settings and size is left as it is.
        height: of the images in pixels.
        width: of the images in pixels.
        workers: processes, whose number does not change a byte; None: one a core.
        progress: show a bar on stderr.

    Raises:
        ConfigError: an image size that cannot be drawn, or another layout than ``sysu``.
        DataError: ``folder`` holds something else; nothing was touched.
        StorageError: the disk is full or the folder cannot be written.
    """
    check_size(height, width)
    folder = Path(folder)
    dataset = GeneratedDataset(settings, folder)
    if is_current(folder, fingerprint(settings), height, width):
        return PackedImages.open(folder)
    draw = partial(_draw, settings, height, width)
    about = {**dataset.manifest(), "height": height, "width": width}
    with PackWriter(folder, about, dataset.images) as writer:
        keys = list(image_keys(settings))
        for pixels in in_order(
            draw,
            keys,
            title="drawing people",
            done=writer.done,
            workers=workers,
            progress=progress,
        ):
            writer.append(pixels)
        tables = {
            "ledger": ledger(settings),
            "shots": shot_table(settings),
            "attributes": attribute_table(settings),
        }
        for name, table in tables.items():
            table.to_csv(writer.part / f"{name}.csv", index=False, lineterminator="\n")
        writer.finish()
    return PackedImages.open(folder)


def _draw(
    settings: GeneratedSettings, height: int, width: int, keys: Sequence[Key]
) -> npt.NDArray[np.uint8]:
    return np.stack(
        [render(settings, identity, camera, shot, height, width) for camera, identity, shot in keys]
    )
