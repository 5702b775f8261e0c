"""What each evaluation protocol drops from a query's ranked list, and how its CMC counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from mscm_lib.errors import ProtocolError

ProtocolName = Literal["sysu", "regdb", "llcm", "market"]
BoolArray = npt.NDArray[np.bool_]
LabelArray = npt.NDArray[np.generic]

SHARED_PLACE = (3, 2)
"""SYSU-MM01's infrared camera 3 and visible camera 2 hang in one place: query, gallery."""


@dataclass(frozen=True)
class Protocol:
    """The rules of one protocol.

    Attributes:
        name: sysu, regdb, llcm or market.
        unique_identities: whether CMC ranks identities, each by its first appearance, or images.
        drops: which gallery images are left out of a query's list: those of the camera that shares
            its place (whoever is on them), those of its own identity and camera, or none.
    """

    name: ProtocolName
    unique_identities: bool
    drops: Literal["shared place", "own camera", "nothing"]

    @property
    def needs_cameras(self) -> bool:
        """Whether the protocol cannot be followed without camera labels."""
        return self.drops != "nothing"

    def dropped(self, query_cams: LabelArray, gallery_cams: LabelArray) -> BoolArray:
        """(K,) which of K pairs of **one identity** are dropped, from the cameras of both images."""
        if self.drops == "own camera":
            return np.equal(query_cams, gallery_cams)
        if self.drops == "shared place":
            query, gallery = SHARED_PLACE
            return np.equal(query_cams, query) & np.equal(gallery_cams, gallery)
        return np.zeros(len(query_cams), dtype=np.bool_)


PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        Protocol("sysu", unique_identities=True, drops="shared place"),
        Protocol("regdb", unique_identities=False, drops="nothing"),
        Protocol("llcm", unique_identities=True, drops="own camera"),
        Protocol("market", unique_identities=False, drops="own camera"),
    )
}


def protocol_named(name: str) -> Protocol:
    """The protocol of that name.

    Raises:
        ProtocolError: there is none; the message lists those there are.
    """
    if name not in PROTOCOLS:
        raise ProtocolError(f"protocol = {name!r}: expected one of {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]
