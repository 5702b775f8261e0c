"""The knobs of the generated benchmark: sizes, information, difficulty, sensors."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mscm_lib.config import unknown_key
from mscm_lib.data.generated.attributes import Band, Information, Sensor, bands, information
from mscm_lib.errors import ConfigError

Layout = Literal["sysu", "regdb", "llcm"]


@dataclass(frozen=True)
class GeneratedSettings:
    """Everything an image of the benchmark depends on, besides identity, camera, shot and size.

    Attributes:
        seed: of every draw.
        train_identities: identities 1 to this number train.
        test_identities: as many follow and are retrieved.
        shots: images of each identity in each camera.
        shared: share of an identity's bits that both bands show, 0 to 1 (see `attributes`).
        viewpoint: 0 everybody faces the camera, 1 any direction.
        occlusion: share of the images in which something hides part of the person.
        noise: factor on sensor noise, motion blur and the spread of light.
        box_error: factor on the detector's errors: shift, scale and truncation.
        visible_sensor: of the first group of cameras (1, 2, 4, 5).
        infrared_sensor: of the second group (3, 6).
        layout: which dataset's cameras are imitated.
    """

    seed: int = 0
    train_identities: int = 64
    test_identities: int = 64
    shots: int = 6
    shared: float = 0.72
    viewpoint: float = 0.15
    occlusion: float = 0.05
    noise: float = 0.4
    box_error: float = 0.3
    visible_sensor: Sensor = "visible"
    infrared_sensor: Sensor = "near-infrared"
    layout: Layout = "sysu"

    def __post_init__(self) -> None:
        _check(self)

    @classmethod
    def preset(cls, size: str = "quick", **changes: Any) -> GeneratedSettings:
        """The settings of a size: ``quick`` for two CPU cores, ``full`` on the scale of SYSU-MM01.

        Raises:
            ConfigError: an unknown size or key, or a value out of range.
        """
        if size not in PRESETS:
            raise ConfigError(unknown_key("size", size, list(PRESETS)))
        return cls.from_mapping({**PRESETS[size], **changes})

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> GeneratedSettings:
        """Settings from plain values, as `as_dict` gives them.

        Raises:
            ConfigError: an unknown key, or a value of the wrong type or out of range.
        """
        known = [field.name for field in dataclasses.fields(cls)]
        for key in values:
            if key not in known:
                raise ConfigError(unknown_key("generator setting", key, known))
        return cls(**values)

    def replace(self, **changes: Any) -> GeneratedSettings:
        """A validated copy with ``changes``."""
        return GeneratedSettings.from_mapping({**self.as_dict(), **changes})

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as JSON keeps them."""
        return dataclasses.asdict(self)

    def digest(self) -> str:
        """SHA-256 of the settings, as 64 hex digits."""
        return hashlib.sha256(json.dumps(self.as_dict(), sort_keys=True).encode()).hexdigest()

    @property
    def sensors(self) -> tuple[Sensor, Sensor]:
        """Sensor of the visible and of the infrared cameras."""
        return self.visible_sensor, self.infrared_sensor

    @property
    def bands(self) -> dict[str, Band]:
        """The band that shows each attribute: ``both``, ``visible``, ``infrared``, ``neither``."""
        return bands(self.shared, self.sensors, self.seed)

    @property
    def information(self) -> Information:
        """How the bits of an identity are shared out between the bands."""
        return information(self.shared, self.sensors, self.seed)

    @property
    def identities(self) -> int:
        """Training and test identities together."""
        return self.train_identities + self.test_identities


PRESETS: dict[str, dict[str, Any]] = {
    "quick": {"train_identities": 400, "test_identities": 128, "shots": 4},
    "full": {"train_identities": 395, "test_identities": 96, "shots": 15},
}
SIZES: dict[str, tuple[int, int]] = {"quick": (96, 48), "full": (384, 192)}  # height, width


def check_size(height: int, width: int) -> None:
    """Raise a `ConfigError` for images too small to hold a person."""
    if height < 16 or width < 8:
        raise ConfigError(f"height = {height}, width = {width}: expected at least 16 and 8 pixels")


def _check(settings: GeneratedSettings) -> None:
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if isinstance(field.default, str):
            _check_choice(field.name, value)
        elif isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ConfigError(f"{field.name} = {value!r}: expected a number")
        elif isinstance(field.default, int) and not isinstance(value, int):
            raise ConfigError(f"{field.name} = {value!r}: expected a whole number")
        elif isinstance(field.default, float):  # 1 and 1.0 are the same settings, and one digest
            object.__setattr__(settings, field.name, float(value))
    for key in ("train_identities", "test_identities", "shots"):
        if getattr(settings, key) < 1:
            raise ConfigError(f"{key} = {getattr(settings, key)!r}: expected 1 or more")
    if settings.seed < 0:
        raise ConfigError(f"seed = {settings.seed!r}: expected 0 or more")
    for key in ("shared", "viewpoint", "occlusion"):
        if not 0 <= getattr(settings, key) <= 1:
            raise ConfigError(f"{key} = {getattr(settings, key)!r}: expected a number from 0 to 1")
    for key in ("noise", "box_error"):
        if not 0 <= getattr(settings, key) <= 4:
            raise ConfigError(f"{key} = {getattr(settings, key)!r}: expected a number from 0 to 4")
    bands(settings.shared, settings.sensors, settings.seed)


def _check_choice(key: str, value: Any) -> None:
    allowed = {
        "visible_sensor": ("visible", "near-infrared"),
        "infrared_sensor": ("near-infrared", "thermal"),
        "layout": typing.get_args(Layout),
    }[key]
    if value not in allowed:
        raise ConfigError(f"{key} = {value!r}: expected one of {', '.join(map(repr, allowed))}")
