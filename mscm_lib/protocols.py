"""What each evaluation protocol drops from a query's ranked list, and how its CMC counts."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mscm_lib.errors import ProtocolError

ProtocolName = str
"""A key of `PROTOCOLS`, or rules spelt out: what CMC counts, then what is dropped.

"images - own camera - 3>2" counts images and drops those of the query's identity and camera, and
for a query of camera 3 everybody's of camera 2. `mscm_lib.data.layouts.table_protocol` writes such names.
"""

BoolArray = npt.NDArray[np.bool_]
LabelArray = npt.NDArray[np.generic]

SHARED_PLACE = (3, 2)
"""SYSU-MM01's infrared camera 3 and visible camera 2 hang in one place: query, gallery."""

_SPELT = re.compile(r"(identities|images)( - own camera)?((?: - \d+>\d+)*)")


@dataclass(frozen=True)
class Protocol:
    """The rules of one protocol.

    Attributes:
        name: sysu, regdb, llcm, market, or the rules spelt out.
        unique_identities: whether CMC ranks identities, each by its first appearance, or images.
        own_camera: whether a query's list leaves out images of its own identity and camera.
        places: pairs of cameras (query, gallery) that share a place: a query of the first loses
            every image of the second, whoever is on it.
    """

    name: ProtocolName
    unique_identities: bool
    own_camera: bool = False
    places: tuple[tuple[int, int], ...] = ()

    @property
    def drops(self) -> str:
        """What is left out of a query's list, in words."""
        both = [("shared place", bool(self.places)), ("own camera", self.own_camera)]
        return " and ".join(what for what, so in both if so) or "nothing"

    @property
    def needs_cameras(self) -> bool:
        """Whether the protocol cannot be followed without camera labels."""
        return self.own_camera or bool(self.places)

    def dropped(self, query_cams: LabelArray, gallery_cams: LabelArray) -> BoolArray:
        """(K,) which of K pairs of **one identity** are dropped, from the cameras of both images."""
        out = np.zeros(len(query_cams), dtype=np.bool_)
        if self.own_camera:
            out |= np.equal(query_cams, gallery_cams)
        for query, gallery in self.places:
            out |= np.equal(query_cams, query) & np.equal(gallery_cams, gallery)
        return out


PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        Protocol("sysu", unique_identities=True, places=(SHARED_PLACE,)),
        Protocol("regdb", unique_identities=False),
        Protocol("llcm", unique_identities=True, own_camera=True),
        Protocol("market", unique_identities=False, own_camera=True),
    )
}


def protocol_named(name: ProtocolName) -> Protocol:
    """The protocol of that name, one of `PROTOCOLS` or spelt out.

    Raises:
        ProtocolError: there is none; the message lists those there are.
    """
    if name in PROTOCOLS:
        return PROTOCOLS[name]
    if found := _SPELT.fullmatch(name):
        places = re.findall(r"(\d+)>(\d+)", found[3])
        pairs = tuple((int(query), int(gallery)) for query, gallery in places)
        return Protocol(name, found[1] == "identities", bool(found[2]), pairs)
    raise ProtocolError(
        f"protocol = {name!r}: expected one of {', '.join(PROTOCOLS)}, or rules spelt out such as "
        "'images - own camera - 3>2'"
    )
