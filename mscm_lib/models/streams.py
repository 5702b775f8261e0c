"""QFE, the quadruple-stream feature extractor, and the stream layouts compared with it."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from mscm_lib.config import FEWER_VIEWS
from mscm_lib.errors import ConfigError

Modality = Literal["visible", "infrared"]
STREAMS = ("v_g", "v_c", "i_g", "i_c")
"""The four views in stacking order: visible global and channel, infrared global and channel."""

VIEWS = {2: ("v_g", "i_g"), 3: ("v_g", "v_c", "i_g"), 4: STREAMS}
"""The views of a step, by how many there are."""

_STEM_OF = {
    "quadruple-unshared": {view: view for view in STREAMS},
    "quadruple-shared": dict.fromkeys(STREAMS, "shared"),
    "dual": {"v_g": "visible", "v_c": "visible", "i_g": "infrared", "i_c": "infrared"},
}


class QuadrupleStream(nn.Module):
    """Shallow stems before the shared trunk; their outputs are stacked along the batch.

    - ``quadruple-unshared`` (the method): one stem a view, V_g, V_c, I_g, I_c.
    - ``quadruple-shared``: the four views go through one stem, all weights shared.
    - ``dual``: one stem a modality; both views of a modality go through it. Also the layout of
      two-view training, with V_g and I_g only. Without I_c alone, it and the shared stem train too.

    Views that share a stem go through it as one batch, so its batch norm sees them together.
    All stems start from the same weights. At test an image goes through the stems of its
    modality, and their outputs are averaged.

    Source: QFE of arXiv 2311.14395.

    Args:
        stem: the backbone's stem, copied for each stream set.
        layout: one of the three names above.
    """

    def __init__(self, stem: nn.Module, layout: str) -> None:
        super().__init__()
        self.layout = layout
        self.stem_of = _STEM_OF[layout]
        names = dict.fromkeys(self.stem_of.values())
        self.stems = nn.ModuleDict({name: copy.deepcopy(stem) for name in names})

    def forward(self, views: Sequence[Tensor | None]) -> Tensor:
        """Views V_g, V_c, I_g, I_c, each (B, 3, H, W) or absent → (4B, 3B or 2B, C, H/4, W/4).

        Raises:
            ConfigError: views are absent that the layout needs.
        """
        given = {name: view for name, view in zip(STREAMS, views, strict=True) if view is not None}
        served = [count for count in VIEWS if self.layout in FEWER_VIEWS.get(count, (self.layout,))]
        if tuple(given) not in [VIEWS[count] for count in served]:
            raise ConfigError(
                f"streams = {self.layout!r} got the views {', '.join(given) or 'none'}: expected "
                + " or ".join(", ".join(VIEWS[count]) for count in served)
            )
        outputs = []
        for name, stem in self.stems.items():
            own = [view for view_name, view in given.items() if self.stem_of[view_name] == name]
            outputs.append(stem(own[0] if len(own) == 1 else torch.cat(own)))
        return outputs[0] if len(outputs) == 1 else torch.cat(outputs)

    def merge(self, images: Tensor, modality: Modality) -> Tensor:
        """Images (B, 3, H, W) of one modality → mean of its stems' outputs, (B, C, H/4, W/4)."""
        views = [view for view in STREAMS if view[0] == modality[0]]
        names = dict.fromkeys(self.stem_of[view] for view in views)
        outputs = [self.stems[name](images) for name in names]
        return outputs[0] if len(outputs) == 1 else (outputs[0] + outputs[1]) / 2


def arranged(views: Sequence[Tensor]) -> list[Tensor | None]:
    """A step's two to four views in the places of V_g, V_c, I_g, I_c; None for those left out."""
    given = dict(zip(VIEWS[len(views)], views, strict=True))
    return [given.get(name) for name in STREAMS]
