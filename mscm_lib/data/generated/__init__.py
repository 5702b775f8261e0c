"""People drawn procedurally and seen by visible and infrared cameras: the embedded benchmark."""

from mscm_lib.data.generated.attributes import ATTRIBUTES, TOTAL_BITS, Attribute, Information
from mscm_lib.data.generated.build import generate
from mscm_lib.data.generated.cameras import Camera, cameras
from mscm_lib.data.generated.ledger import attribute_table, ledger, shot_table
from mscm_lib.data.generated.people import identity_values, shown_values
from mscm_lib.data.generated.render import render
from mscm_lib.data.generated.settings import PRESETS, SIZES, GeneratedSettings
from mscm_lib.data.generated.sheet import sample_sheet
from mscm_lib.data.generated.shots import Shot, shot_of

__all__ = [
    "ATTRIBUTES",
    "PRESETS",
    "SIZES",
    "TOTAL_BITS",
    "Attribute",
    "Camera",
    "GeneratedSettings",
    "Information",
    "Shot",
    "attribute_table",
    "cameras",
    "generate",
    "identity_values",
    "ledger",
    "render",
    "sample_sheet",
    "shot_of",
    "shot_table",
    "shown_values",
]
