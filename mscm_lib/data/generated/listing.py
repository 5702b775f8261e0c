"""What images there are, by name, and what identifies a benchmark."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from mscm_lib.data.generated.cameras import cameras
from mscm_lib.data.generated.settings import GeneratedSettings
from mscm_lib.data.tables import ImageTable

NAME = "generated"
# Raised whenever the same settings give other images than before: packed arrays and weights of an
# older drawing are then refused instead of being mixed with new ones.
DRAWING = 2


def image_path(camera: int, identity: int, shot: int) -> str:
    """The name of an image, laid out as SYSU-MM01 lays out its files; shots count from 0."""
    return f"cam{camera}/{identity:04d}/{shot + 1:04d}.png"


def image_keys(settings: GeneratedSettings) -> Iterator[tuple[int, int, int]]:
    """(camera, identity, shot) of every image, in the order of the packed arrays."""
    for camera in cameras(settings):
        for identity in range(1, settings.identities + 1):
            for shot in range(settings.shots):
                yield camera, identity, shot


def image_table(settings: GeneratedSettings) -> ImageTable:
    """Every image, in the order of the packed arrays."""
    eyes = cameras(settings)
    return ImageTable.from_rows(
        [
            (image_path(camera, identity, shot), identity, camera, eyes[camera].infrared)
            for camera, identity, shot in image_keys(settings)
        ]
    )


def fingerprint(settings: GeneratedSettings) -> str:
    """SHA-256 of settings and drawing, as 64 hex digits."""
    return hashlib.sha256(f"{DRAWING}/{settings.digest()}".encode()).hexdigest()


def manifest(settings: GeneratedSettings) -> dict[str, Any]:
    """All that the dataset is rebuilt from: the settings and the version of the drawing."""
    return {
        "name": NAME,
        "protocol": "sysu",
        "fingerprint": fingerprint(settings),
        "drawing": DRAWING,
        "settings": settings.as_dict(),
    }
