"""MIMB with a way around it: what notebooks/52_way_around.ipynb asks about."""

from torch import nn

from mscm_lib.config import ALB_SOURCES, nearest_divisor
from mscm_lib.models.mimb import MIMB


class WayAround(nn.Module):
    """The paper's four ALBs, and layer 3's map added to what they hand on."""

    def __init__(self, scales):
        super().__init__()
        self.mimb = MIMB(scales, ALB_SOURCES, head_dim=nearest_divisor(scales.positions, 9))

    def forward(self, maps):
        return maps["layer3"] + self.mimb(maps)  # (n, C, H, W)
