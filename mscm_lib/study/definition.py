"""Where a study's images come from: the entries of its ``data``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mscm_lib.config import LARGEST_SIZE, LICENSED, check_known
from mscm_lib.errors import ConfigError
from mscm_lib.paths import resolve
from mscm_lib.study.reading import check_keys, mapping, plain_text, safe_name, texts

READERS = ("generated", *LICENSED, "table")


@dataclass(frozen=True)
class DataDefinition:
    """One entry of a study's ``data``: where images come from and the size they are packed at.

    Attributes:
        key: the entry's name, and the folder's below ``data/packed``.
        reader: generated, sysu, regdb, llcm, or table for a dataset of one's own.
        source: the folder of images, or the table; "" for the generated benchmark.
        height, width: pixels.
        settings: the generator's knobs, or a table's protocol; empty for the official datasets.
    """

    key: str
    reader: str
    height: int
    width: int
    source: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """The folder of packed arrays, absolute."""
        return resolve(f"data/packed/{self.key}")

    @property
    def splits(self) -> Sequence[int]:
        """What there is to train on: RegDB's splits, a table's own, or (0,), the one that all others have."""
        told = self.settings.get("trials")  # of a table; a number counts galleries instead
        if isinstance(told, list):
            return told
        return range(1, 11) if self.reader == "regdb" else (0,)

    @classmethod
    def from_mapping(cls, key: str, values: Any, where: str = "data") -> DataDefinition:
        """Checked definition; raises `ConfigError` naming the key that is wrong."""
        where = f"{where}.{safe_name(where, key)}"
        known = ("reader", "source", "height", "width", "settings")
        check_keys(where, mapping(where, values), known)
        reader = values.get("reader")
        check_known(f"reader in {where}", reader, READERS)
        drawn = reader == "generated"
        lacking = [k for k in known[:4] if k not in values and not (drawn and k == "source")]
        if lacking:
            raise ConfigError(f"{where}: lacks {', '.join(lacking)}")
        for side in ("height", "width"):
            size = values[side]
            if not isinstance(size, int) or isinstance(size, bool) or size < 16 or size % 16:
                raise ConfigError(f"{where}.{side} = {size!r}: expected a multiple of 16 pixels")
            if size > LARGEST_SIZE:
                raise ConfigError(f"{where}.{side} = {size!r}: expected {LARGEST_SIZE} at most")
        if drawn == ("source" in values):
            raise ConfigError(f"{where}.source: expected for real datasets, and only for these")
        source = "" if drawn else plain_text(f"{where}.source", values["source"])
        if source.startswith("~"):
            raise ConfigError(
                f"{where}.source = {source!r}: write the whole path; DVC, which reads it too, knows no ~"
            )
        settings = mapping(f"{where}.settings", values.get("settings", {}))
        try:
            if drawn:
                from mscm_lib.data.generated import GeneratedSettings

                GeneratedSettings.preset(**settings)
            elif reader == "table":
                from mscm_lib.data.layouts.table_protocol import TableProtocol

                TableProtocol.from_mapping(settings)
            elif settings:
                raise ConfigError("only the generator and tables have settings")
        except (ConfigError, TypeError, OverflowError) as error:
            raise ConfigError(f"{where}.settings: {error}") from error
        return cls(key, reader, values["height"], values["width"], source, settings)


def read_definitions(where: str, values: Any, chosen: Any) -> dict[str, DataDefinition]:
    """A study's ``data``, of which it may choose some: its ``datasets``.

    Raises:
        ConfigError: an entry is wrong, or one is chosen that is not there.
    """
    found = {
        key: DataDefinition.from_mapping(key, value, f"{where}: data")
        for key, value in mapping(f"{where}: data", values, empty=False).items()
    }
    if chosen is None:
        return found
    for key in texts(f"{where}: datasets", chosen):
        check_known(f"dataset in {where}", key, found)
    return {key: found[key] for key in chosen}
