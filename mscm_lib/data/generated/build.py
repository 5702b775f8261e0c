"""Generate a benchmark into packed arrays, in parallel."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from mscm_lib.data.generated.ledger import attribute_table, ledger, shot_table
from mscm_lib.data.generated.listing import image_keys, image_table, manifest
from mscm_lib.data.generated.render import render
from mscm_lib.data.generated.settings import SIZES, GeneratedSettings
from mscm_lib.data.generated.workers import share_out
from mscm_lib.files import atomic_path, write_json

Key = tuple[int, tuple[int, int, int]]  # row, (camera, identity, shot)


def generate(
    settings: GeneratedSettings,
    folder: Path | str,
    height: int = SIZES["quick"][0],
    width: int = SIZES["quick"][1],
    workers: int | None = None,
    progress: bool = True,
) -> Path:
    """Draw every image of the benchmark into ``folder``, in the format of packed datasets.

    The folder appears whole or not at all: ``images.npy``, ``index.csv`` and ``manifest.json`` as
    `mscm_lib.data.packed` defines them, and the ledger: ``ledger.csv`` (people), ``shots.csv``
    (images, in the order of the arrays) and ``attributes.csv`` (bits and bands).

    Args:
        settings: of the benchmark.
        folder: to write; a complete one of the same settings and size is left as it is.
        height: of the images in pixels.
        width: of the images in pixels.
        workers: processes, whose number does not change a byte; None: one a core.
        progress: show a bar.

    Raises:
        ConfigError: an image size that cannot be drawn.
        StorageError: the disk is full or the folder cannot be written.
    """
    folder = Path(folder)
    keys = list(image_keys(settings))
    with atomic_path(folder) as part:
        part.mkdir()
        np.lib.format.open_memmap(
            part / "images.npy", mode="w+", dtype=np.uint8, shape=(len(keys), height, width, 3)
        ).flush()
        share_out(
            partial(_draw, settings, part / "images.npy"),
            list(enumerate(keys)),
            workers=workers,
            progress=progress,
            description="drawing people",
        )
        table = image_table(settings)
        pd.DataFrame(
            {
                "path": table.paths,
                "id": table.ids,
                "cam": table.cams,
                "infrared": table.infrared.astype(int),
            }
        ).to_csv(part / "index.csv", index=False, lineterminator="\n")
        for name, frame in (
            ("ledger", ledger(settings)),
            ("shots", shot_table(settings)),
            ("attributes", attribute_table(settings)),
        ):
            frame.to_csv(part / f"{name}.csv", index=False, lineterminator="\n")
        write_json(
            part / "manifest.json",
            {**manifest(settings), "height": height, "width": width},
        )
    return folder


def _draw(settings: GeneratedSettings, file: Path, keys: Sequence[Key]) -> None:
    images = np.lib.format.open_memmap(file, mode="r+")
    for row, (camera, identity, shot) in keys:
        images[row] = render(settings, identity, camera, shot, *images.shape[1:3])
    images.flush()
