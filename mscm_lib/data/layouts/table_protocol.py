"""The protocol of one's own dataset, as the data section of a study file spells it out.

```yaml
settings:
  table: table.csv                 # below the dataset's folder
  columns: {identity: pid}         # names of the CSV's columns, where they are others
  modalities:                      # what the column "modality" says
    visible: [RGB]
    infrared: [IR]
  searches:                        # which modality queries which
    infrared-to-visible: {query: infrared, gallery: visible}
    indoor: {query: infrared, gallery: visible, gallery_cameras: [1, 2]}
  gallery: drawn                   # some images of each identity and camera; or "whole"
  shots: [1, 10]                   # single-shot, multi-shot
  trials: 10                       # galleries drawn; or a list of splits of the column "trial"
  queries: images                  # or "sequences": the middle image of each sequence
  cmc: images                      # or "identities", each by its first appearance
  own_camera: true                 # drop images of the query's identity and camera
  places: [[3, 2]]                 # for a query of camera 3, drop all of camera 2
  test_share: 0.5                  # of the identities, where the CSV has no column "split"
```

Every key may be left out; what then holds is the default of `TableProtocol`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from mscm_lib.config import unknown_key
from mscm_lib.errors import ConfigError

REQUIRED = ("path", "identity", "camera", "modality")
OPTIONAL = ("split", "trial", "sequence")
SPLITS = ("train", "val", "test", "query", "gallery")
MODALITIES = ("visible", "infrared")
WHERE = "settings"


@dataclass(frozen=True)
class TableSearch:
    """Who is searched where; without cameras, in all of them."""

    query: Literal["visible", "infrared"]
    gallery: Literal["visible", "infrared"]
    query_cameras: tuple[int, ...] = ()
    gallery_cameras: tuple[int, ...] = ()


_SEARCHES = {
    "infrared-to-visible": TableSearch("infrared", "visible"),
    "visible-to-infrared": TableSearch("visible", "infrared"),
}


@dataclass(frozen=True)
class TableProtocol:
    """How a CSV of images is read and evaluated; see this module's example.

    Attributes:
        table: the CSV, relative to the dataset's folder.
        columns: by meaning, the names of the CSV's columns.
        modalities: by ``visible`` and ``infrared``, what the modality's column says.
        searches: by name; the first is the default.
        gallery: ``drawn`` from each identity and camera (and sequence, where there are some), or
            ``whole``.
        shots: images of each that a gallery may draw, 1 or 10; of fewer than ten all are drawn.
        trials: how many galleries are drawn; or the splits of the column ``trial``, each with
            training images of its own.
        queries: ``images``, all of them; or ``sequences``, the middle image of each.
        cmc: what CMC counts, ``identities`` or ``images``.
        own_camera: whether images of the query's identity and camera are dropped.
        places: pairs of cameras; a query of the first loses every image of the second.
        test_share: of the identities that are tested, where no column says.
    """

    table: str = "table.csv"
    columns: Mapping[str, str] = field(default_factory=dict)
    modalities: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: {name: (name,) for name in MODALITIES}
    )
    searches: Mapping[str, TableSearch] = field(default_factory=lambda: dict(_SEARCHES))
    gallery: Literal["drawn", "whole"] = "drawn"
    shots: tuple[int, ...] = (1,)
    trials: int | tuple[int, ...] = 10
    queries: Literal["images", "sequences"] = "images"
    cmc: Literal["identities", "images"] = "images"
    own_camera: bool = False
    places: tuple[tuple[int, int], ...] = ()
    test_share: float = 0.5

    @classmethod
    def from_mapping(cls, settings: Mapping[str, Any]) -> TableProtocol:
        """The protocol that a study's ``settings`` spell out.

        Raises:
            ConfigError: a key is unknown (the nearest one is named), a value is of the wrong type
                or not allowed, or two values cannot be combined.
        """
        _check_keys(WHERE, settings, [f.name for f in dataclasses.fields(cls)])
        read = {
            "table": _table,
            "columns": _columns,
            "modalities": _modalities,
            "searches": _searches,
            "gallery": lambda where, value: _one_of(where, value, ("drawn", "whole")),
            "shots": _shots,
            "trials": _trials,
            "queries": lambda where, value: _one_of(where, value, ("images", "sequences")),
            "cmc": lambda where, value: _one_of(where, value, ("identities", "images")),
            "own_camera": lambda where, value: _one_of(where, value, (True, False)),
            "places": _places,
            "test_share": _share,
        }
        found = {key: read[key](f"{WHERE}.{key}", value) for key, value in settings.items()}
        protocol = cls(**found)
        if protocol.gallery == "whole" and "shots" in settings:
            raise ConfigError(f"{WHERE}.shots: a whole gallery is not drawn; leave the key out")
        return protocol

    def column(self, meaning: str) -> str:
        """The name of the CSV's column for a meaning."""
        return self.columns.get(meaning, meaning)

    @property
    def rules(self) -> str:
        """What is counted and dropped, as a protocol's name that the metrics read."""
        drops = ["own camera"] * self.own_camera + [f"{q}>{g}" for q, g in self.places]
        return " - ".join([self.cmc, *drops])

    def as_dict(self) -> dict[str, Any]:
        """Plain values, which `from_mapping` takes."""
        values = json.loads(json.dumps(dataclasses.asdict(self)))
        if self.gallery == "whole":
            del values["shots"]
        plain: dict[str, Any] = values
        return plain

    def digest(self) -> str:
        """SHA-256 of the values, as 64 hex digits."""
        return hashlib.sha256(json.dumps(self.as_dict(), sort_keys=True).encode()).hexdigest()


def _check_keys(where: str, values: Any, known: Sequence[str]) -> Mapping[str, Any]:
    if not isinstance(values, Mapping):
        raise ConfigError(f"{where} = {values!r}: expected a mapping with {', '.join(known)}")
    for key in values:
        if key not in known:
            raise ConfigError(unknown_key(f"key in {where}", str(key), list(known)))
    return values


def _one_of(where: str, value: Any, allowed: tuple[Any, ...]) -> Any:
    for option in allowed:
        if value == option and type(value) is type(option):
            return option
    names = ", ".join(str(o).lower() if isinstance(o, bool) else repr(o) for o in allowed)
    raise ConfigError(f"{where} = {value!r}: expected one of {names}")


def _text(where: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ConfigError(f"{where} = {value!r}: expected text; put quotes around a number")
    return value.strip()


def _list(where: str, value: Any, what: str) -> list[Any]:
    if not isinstance(value, (list, tuple)) or not value:
        raise ConfigError(f"{where} = {value!r}: expected a list of {what}")
    return list(value)


def _numbers(where: str, value: Any, least: int) -> tuple[int, ...]:
    what = f"different whole numbers from {least}"
    numbers = _list(where, value, what)
    wrong = [n for n in numbers if type(n) is not int or n < least]
    if wrong or len(set(numbers)) != len(numbers):
        raise ConfigError(f"{where} = {value!r}: expected a list of {what}")
    return tuple(numbers)


def _table(where: str, value: Any) -> str:
    path = _text(where, value).replace("\\", "/")
    if path.startswith("/") or ".." in path.split("/") or ":" in path:
        raise ConfigError(f"{where} = {value!r}: expected a path below the dataset's folder")
    return path


def _columns(where: str, value: Any) -> dict[str, str]:
    known = (*REQUIRED, *OPTIONAL)
    found = {
        key: _text(f"{where}.{key}", name) for key, name in _check_keys(where, value, known).items()
    }
    names = [found.get(key, key) for key in known]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"{where}: two meanings take the column {name!r}")
    return found


def _modalities(where: str, value: Any) -> dict[str, tuple[str, ...]]:
    given = _check_keys(where, value, MODALITIES)
    if missing := [name for name in MODALITIES if name not in given]:
        raise ConfigError(f"{where}: lacks {', '.join(missing)}")
    found = {}
    for name in MODALITIES:
        tokens = given[name] if isinstance(given[name], (list, tuple)) else [given[name]]
        tokens = _list(f"{where}.{name}", tokens, "what the column says")
        found[name] = tuple(_text(f"{where}.{name}", token) for token in tokens)
    visible, infrared = ({token.casefold() for token in found[name]} for name in MODALITIES)
    if both := sorted(visible & infrared):
        raise ConfigError(f"{where}: {both[0]!r} stands for both modalities")
    return found


def _searches(where: str, value: Any) -> dict[str, TableSearch]:
    if not isinstance(value, Mapping) or not value:
        raise ConfigError(f"{where} = {value!r}: expected searches by name")
    return {
        _text(f"{where}: a name", name): _search(f"{where}.{name}", each)
        for name, each in value.items()
    }


def _search(where: str, value: Any) -> TableSearch:
    given = _check_keys(where, value, [f.name for f in dataclasses.fields(TableSearch)])
    for key in ("query", "gallery"):
        if key not in given:
            raise ConfigError(f"{where}: lacks {key}, one of {', '.join(MODALITIES)}")
        _one_of(f"{where}.{key}", given[key], MODALITIES)
    if given["query"] == given["gallery"]:
        raise ConfigError(
            f"{where}: query and gallery are both {given['query']}; a search goes from one "
            "modality to the other"
        )
    cameras = {
        key: _numbers(f"{where}.{key}", given[key], 0)
        for key in ("query_cameras", "gallery_cameras")
        if given.get(key, ()) not in ((), [])
    }
    return TableSearch(given["query"], given["gallery"], **cameras)


def _shots(where: str, value: Any) -> tuple[int, ...]:
    shots = _numbers(where, [value] if type(value) is int else value, 1)
    if not set(shots) <= {1, 10}:
        raise ConfigError(f"{where} = {value!r}: expected 1 (single-shot), 10 (multi-shot) or both")
    return shots


def _trials(where: str, value: Any) -> int | tuple[int, ...]:
    if type(value) is int and value >= 1:
        return value
    if isinstance(value, (list, tuple)):
        return _numbers(where, value, 0)
    raise ConfigError(
        f"{where} = {value!r}: expected how many galleries are drawn, or a list of splits"
    )


def _places(where: str, value: Any) -> tuple[tuple[int, int], ...]:
    pairs = []
    for pair in value if isinstance(value, (list, tuple)) else [value]:
        if not isinstance(pair, (list, tuple)) or len(pair) != 2:
            raise ConfigError(
                f"{where} = {value!r}: expected pairs of cameras [query, gallery], such as [[3, 2]]"
            )
        if any(type(camera) is not int or camera < 0 for camera in pair):
            raise ConfigError(f"{where}: {list(pair)!r}: cameras are whole numbers from 0")
        pairs.append((pair[0], pair[1]))
    return tuple(dict.fromkeys(pairs))


def _share(where: str, value: Any) -> float:
    if type(value) not in (int, float) or not 0 < value < 1:
        raise ConfigError(f"{where} = {value!r}: expected a number between 0 and 1")
    return float(value)
