"""Write the generated benchmark to disk as SYSU-MM01, RegDB, LLCM or a CSV of one's own lay it out.

The trees hold everything that the official releases hold (split files, permutations, label lists),
so the real readers, the doctor and the packer can be exercised to the last file. At scale ``full``
every published count is met, with small images; at scale ``miniature`` a few identities show the
same structure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from PIL import Image

from mscm_lib.config import check_known
from mscm_lib.data.emulated.counts import Plan, PlannedImage, llcm_plan, regdb_plan, sysu_plan
from mscm_lib.data.emulated.own_table import table_plan
from mscm_lib.data.generated.render import render
from mscm_lib.data.generated.settings import GeneratedSettings
from mscm_lib.data.generated.workers import in_order
from mscm_lib.data.layouts.recognise import MARKER, OWN, TITLES
from mscm_lib.data.layouts.table_protocol import TableProtocol
from mscm_lib.errors import ConfigError, DataError
from mscm_lib.files import atomic_path, read_json, write_json

Scale = Literal["full", "miniature"]
MAT_HEADER = b"MATLAB 5.0 MAT-file, written by mscm_lib.data.emulated.emulate"
_NOTE = "drawn by mscm_lib.data.emulated.emulate; no image of the real dataset is in here"
MAT_HEADER_BYTES = 116  # of descriptive text at the start of a version 5 file
_PLANS = {"sysu": sysu_plan, "regdb": regdb_plan, "llcm": llcm_plan}
_HEIGHTS = {"full": 32, "miniature": 96}


@dataclass(frozen=True)
class EmulatedTree:
    """What was written: the folder, and how many images of how many identities."""

    root: Path
    images: int
    identities: int
    layout: str
    scale: str

    def __str__(self) -> str:
        return (
            f"{self.root}: {self.images:,} drawn images of {self.identities:,} people, laid out as "
            f"{TITLES.get(self.layout, OWN)} ({self.scale}). Look it over: mscm doctor {self.layout} "
            f'"{self.root}"'
        )


def emulate(
    name: str,
    root: Path | str,
    scale: Scale = "miniature",
    *,
    height: int = 0,
    seed: int = 0,
    workers: int | None = None,
    progress: bool = True,
    settings: Mapping[str, Any] | None = None,
) -> EmulatedTree:
    """Write the generated benchmark under ``root`` in an official layout.

    Args:
        name: the dataset whose layout is written: sysu, regdb, llcm or table.
        root: folder to make; it appears whole or not at all. An emulated tree is replaced.
        scale: ``full`` meets every published count; ``miniature`` has a few identities.
        height: of the images in pixels, half as wide; 0: 32 at full scale, 96 in miniature.
        seed: of the people and of the splits.
        workers: processes; None: one a core.
        progress: show a bar.
        settings: the protocol of a ``table``, which is written in miniature alone.

    Raises:
        ConfigError: an unknown dataset or scale, or wrong settings.
        DataError: ``root`` holds something else than an emulated tree; nothing was touched.
        StorageError: the disk is full or the folder cannot be written.
    """
    check_known("dataset", name, [*_PLANS, "table"])
    check_known("scale", scale, _HEIGHTS)
    root = Path(root)
    _refuse_foreign(root)
    height = height or _HEIGHTS[scale]
    width = height // 2
    world = GeneratedSettings(seed=seed)
    if name == "table":
        if scale == "full":
            raise ConfigError("scale = 'full': a table of one's own has no published counts")
        plan = table_plan(TableProtocol.from_mapping(settings or {}), seed)
    else:
        plan = _PLANS[name](scale == "full", seed)
        world = world.replace(layout=name)
    if name == "regdb":  # no dye and no print reaches a thermal camera, so it can share less
        world = world.replace(infrared_sensor="thermal", shared=0.55)
    with atomic_path(root) as part:
        for folder in sorted({Path(image.path).parent for image in plan.images}):
            (part / folder).mkdir(parents=True, exist_ok=True)
        write = partial(_write_images, part, world, (height, width))
        told = f"{name} ({scale})"
        for _ in in_order(
            write, plan.images, title=told, workers=workers, progress=progress, chunk=128
        ):
            pass
        for file, content in plan.texts.items():
            (part / file).parent.mkdir(parents=True, exist_ok=True)
            (part / file).write_text(content, encoding="utf-8", newline="\n")
        _write_permutations(part, plan)
        said = {"layout": name, "scale": scale, "height": height, "width": width, "seed": seed}
        write_json(part / MARKER, {**said, "note": _NOTE})
    identities = len({image.identity for image in plan.images})
    return EmulatedTree(root, len(plan.images), identities, name, scale)


def _refuse_foreign(root: Path) -> None:
    if (root / MARKER).is_file():
        read_json(root / MARKER)
    elif root.is_dir() and any(root.iterdir()):
        raise DataError(
            f"{root}: holds files that are no emulated tree (no {MARKER}); "
            "choose an empty or a new folder"
        )
    elif root.exists() and not root.is_dir():
        raise DataError(f"{root}: is a file; choose a folder")


def _write_images(
    root: Path, settings: GeneratedSettings, size: tuple[int, int], images: Sequence[PlannedImage]
) -> None:
    for image in images:
        pixels = render(settings, image.identity, image.camera, image.shot, *size)
        Image.fromarray(pixels).save(root / image.path, quality=92)  # BMP ignores the quality


def _write_permutations(root: Path, plan: Plan) -> None:
    if plan.permutations is None:
        return
    from scipy.io import savemat

    path = root / "exp" / "rand_perm_cam.mat"
    savemat(path, {"rand_perm_cam": plan.permutations})
    with path.open("r+b") as file:  # the same seed gives the same bytes: no date in the header
        file.write(MAT_HEADER.ljust(MAT_HEADER_BYTES))
