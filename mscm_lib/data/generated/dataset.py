"""The generated benchmark as a dataset with SYSU-MM01's cameras, searches and rules."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mscm_lib.data.base import HELD_OUT_SHARE
from mscm_lib.data.content import Content, Subset
from mscm_lib.data.draws import Permutations
from mscm_lib.data.faults import Findings
from mscm_lib.data.generated import listing
from mscm_lib.data.generated.cameras import cameras
from mscm_lib.data.generated.randomness import stream
from mscm_lib.data.generated.settings import GeneratedSettings
from mscm_lib.data.layouts.permutations import TRIALS
from mscm_lib.data.layouts.sysu import SysuDataset
from mscm_lib.errors import ConfigError, DataError, StudyError
from mscm_lib.files import read_json


class GeneratedDataset(SysuDataset):
    """The generated benchmark read as SYSU-MM01 is: infrared images query visible ones.

    Everything about it but the pixels follows from the settings, so neither the listing nor the
    splits need a file; its images are packed from the start and have no files of their own.

    Args:
        settings: of the benchmark, in the ``sysu`` layout.
        root: folder of its packed arrays.

    Raises:
        ConfigError: settings in another layout.
    """

    name = "generated"

    def __init__(self, settings: GeneratedSettings, root: Path | str) -> None:
        if settings.layout != "sysu":
            raise ConfigError(
                f"layout = {settings.layout!r}: the generated dataset is read in the 'sysu' "
                "layout; write the others to disk with mscm_lib.data.emulated.emulate"
            )
        self.settings = settings
        super().__init__(root, _content(settings), listing.fingerprint(settings))

    @classmethod
    def read(cls, root: Path, findings: Findings) -> GeneratedDataset:
        """The benchmark that was generated into ``root``."""
        try:
            return cls.from_manifest(read_json(root / "manifest.json"), root)
        except StudyError as error:
            findings.fatal("manifest.json", str(error), "generate the benchmark again")
            return cls(GeneratedSettings(), root)

    def manifest(self) -> dict[str, Any]:
        """All that the dataset is rebuilt from: the settings and the version of the drawing."""
        return listing.manifest(self.settings)

    @classmethod
    def from_manifest(cls, manifest: Mapping[str, Any], root: Path) -> GeneratedDataset:
        """The dataset that `manifest` describes.

        Raises:
            DataError: no manifest of a generated benchmark, or of another version of the drawing.
            ConfigError: its settings are wrong.
        """
        if manifest.get("name") != cls.name or not isinstance(manifest.get("settings"), dict):
            raise DataError(f"{root}: does not hold a generated benchmark; generate it again")
        if manifest.get("drawing") != listing.DRAWING:
            raise DataError(
                f"{root}: was drawn by version {manifest.get('drawing')!r} of the generator, this "
                f"is version {listing.DRAWING}; delete the folder and generate it again"
            )
        return cls(GeneratedSettings.from_mapping(manifest["settings"]), root)


def _content(settings: GeneratedSettings) -> Content:
    images = listing.image_table(settings)
    trains = np.arange(1, settings.train_identities + 1)
    held_out = stream(settings.seed, "held out").permutation(trains)
    held_out = held_out[: max(1, round(HELD_OUT_SHARE * len(trains)))]
    tested = np.arange(len(trains) + 1, settings.identities + 1)
    subsets = {}
    for name, people in (
        ("train", np.setdiff1d(trains, held_out)),
        ("val", held_out),
        ("test", tested),
    ):
        rows = np.flatnonzero(np.isin(images.ids, people))
        subsets[name] = Subset(rows, images.ids[rows])
    return Content(images, subsets, _permutations(settings))


def _permutations(settings: GeneratedSettings) -> Permutations:
    """As SYSU-MM01's ``rand_perm_cam``: ten permutations of each test person's visible images."""
    return {
        (camera.number, identity): np.stack(
            [
                stream(settings.seed, "gallery", camera.number, identity, trial).permutation(
                    settings.shots
                )
                + 1
                for trial in range(TRIALS)
            ]
        )
        for camera in cameras(settings).values()
        if not camera.infrared
        for identity in range(settings.train_identities + 1, settings.identities + 1)
    }
