"""The ledger: what is true of every person and of every image, as tables.

On real data nobody knows which information two kinds of camera share. Here it is written down, so
that a probe can ask what a network keeps of it and a failure can be laid to a cause.
"""

from __future__ import annotations

import math

import pandas as pd

from mscm_lib.data.generated.attributes import ATTRIBUTES
from mscm_lib.data.generated.cameras import cameras
from mscm_lib.data.generated.listing import image_keys, image_path
from mscm_lib.data.generated.people import identity_values
from mscm_lib.data.generated.settings import GeneratedSettings
from mscm_lib.data.generated.shots import shot_of


def attribute_table(settings: GeneratedSettings) -> pd.DataFrame:
    """Every attribute: its values, its bits, and the band that shows it.

    Columns: attribute, bits, band (``both``, ``visible``, ``infrared``), values, neutral (what a
    band shows that does not show the attribute).
    """
    by_name = settings.bands
    return pd.DataFrame(
        {
            "attribute": [a.name for a in ATTRIBUTES],
            "bits": [a.bits for a in ATTRIBUTES],
            "band": [by_name[a.name] for a in ATTRIBUTES],
            "values": [", ".join(a.values) for a in ATTRIBUTES],
            "neutral": [a.values[a.neutral] for a in ATTRIBUTES],
        }
    )


def ledger(settings: GeneratedSettings) -> pd.DataFrame:
    """Every person: columns identity, split (``train`` or ``test``), and each attribute's value."""
    rows = []
    for identity in range(1, settings.identities + 1):
        split = "train" if identity <= settings.train_identities else "test"
        rows.append({"identity": identity, "split": split, **identity_values(settings, identity)})
    return pd.DataFrame(rows)


def shot_table(settings: GeneratedSettings) -> pd.DataFrame:
    """Every image, in the order of the packed arrays, with its circumstances.

    Columns: path, identity, camera, shot, infrared, indoor, viewpoint (``front``, ``left``,
    ``back``, ``right``), yaw (degrees, 0 facing the camera), phase and stride of the walk,
    truncated, occluder, occluded (0 to 1), blur (share of the image's height) and light (factor).
    """
    eyes = cameras(settings)
    rows = []
    for camera, identity, number in image_keys(settings):
        shot = shot_of(settings, identity, camera, number)
        rows.append(
            {
                "path": image_path(camera, identity, number),
                "identity": identity,
                "camera": camera,
                "shot": number,
                "infrared": eyes[camera].infrared,
                "indoor": eyes[camera].indoor,
                "viewpoint": shot.viewpoint,
                "yaw": round(math.degrees(shot.yaw), 1),
                "phase": round(shot.phase, 3),
                "stride": round(shot.stride, 3),
                "truncated": shot.truncated or "none",
                "occluder": shot.occluder or "none",
                "occluded": round(shot.occluded, 3) if shot.occluder else 0.0,
                "blur": round(shot.blur, 4),
                "light": round(shot.light, 3),
            }
        )
    return pd.DataFrame(rows)
