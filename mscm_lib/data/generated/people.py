"""Identities: the values of their attributes, and the part of them that a band shows."""

from __future__ import annotations

from functools import lru_cache

from mscm_lib.data.generated.attributes import ATTRIBUTES, Band
from mscm_lib.data.generated.randomness import stream
from mscm_lib.data.generated.settings import GeneratedSettings
from mscm_lib.errors import ConfigError


@lru_cache(maxsize=4096)
def identity_values(settings: GeneratedSettings, identity: int) -> dict[str, str]:
    """The true value of every attribute of a person, by attribute name.

    It depends on the seed and the identity only: turning a knob shows other parts of the same
    people.

    Raises:
        ConfigError: identities count from 1.
    """
    if identity < 1:
        raise ConfigError(f"identity = {identity!r}: expected 1 or more")
    draw = stream(settings.seed, "identity", identity)
    return {a.name: a.values[int(draw.integers(len(a.values)))] for a in ATTRIBUTES}


@lru_cache(maxsize=4096)
def shown_values(settings: GeneratedSettings, identity: int, infrared: bool) -> dict[str, str]:
    """What one band shows of a person: true values, and neutral ones where it shows nothing."""
    true = identity_values(settings, identity)
    band: Band = "infrared" if infrared else "visible"
    by_name = settings.bands
    return {
        a.name: true[a.name] if by_name[a.name] in ("both", band) else a.values[a.neutral]
        for a in ATTRIBUTES
    }
