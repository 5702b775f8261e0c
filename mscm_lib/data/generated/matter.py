"""Building materials, and the unevenness of all surfaces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mscm_lib.data.generated.attributes import Sensor
from mscm_lib.data.generated.canvas import Paint, Plane, snap


@dataclass(frozen=True)
class Matter:
    """One building material: display RGB, albedo at 850 nm, temperature as in `surfaces`."""

    rgb: tuple[float, float, float]
    near_infrared: float
    thermal: float

    def paint(self, sensor: Sensor, factor: float = 1.0, folds: float = 0.0) -> Paint:
        """Flat paint for a sensor, lighter or darker by ``factor``."""
        if sensor == "visible":
            base: tuple[float, ...] = self.rgb
        elif sensor == "near-infrared":
            base = (self.near_infrared,)
        else:
            return Paint((snap(self.thermal + 0.06 * (factor - 1)),), matte=1.0, folds=folds * 0.4)
        return Paint(tuple(snap(factor * v) for v in base), matte=1.0, folds=folds)


WALLS = (
    Matter((0.74, 0.72, 0.66), 0.60, 0.27),
    Matter((0.62, 0.68, 0.70), 0.56, 0.26),
    Matter((0.70, 0.62, 0.52), 0.58, 0.28),
    Matter((0.80, 0.80, 0.78), 0.66, 0.25),
)
FACADES = (
    Matter((0.56, 0.40, 0.33), 0.46, 0.22),
    Matter((0.60, 0.58, 0.54), 0.42, 0.20),
    Matter((0.68, 0.62, 0.50), 0.50, 0.23),
    Matter((0.42, 0.44, 0.48), 0.36, 0.18),
)
FLOORS = (
    Matter((0.50, 0.48, 0.45), 0.44, 0.22),
    Matter((0.62, 0.58, 0.52), 0.50, 0.24),
    Matter((0.40, 0.42, 0.44), 0.36, 0.21),
)
PAVINGS = (
    Matter((0.46, 0.46, 0.46), 0.34, 0.19),
    Matter((0.56, 0.52, 0.48), 0.40, 0.21),
    Matter((0.38, 0.38, 0.40), 0.28, 0.17),
)
WOOD = Matter((0.46, 0.31, 0.19), 0.62, 0.28)
GLASS = Matter((0.36, 0.44, 0.50), 0.14, 0.12)
METAL = Matter((0.50, 0.52, 0.54), 0.38, 0.15)
POSTER = Matter((0.30, 0.42, 0.62), 0.70, 0.26)
LEAVES = Matter((0.20, 0.34, 0.14), 0.82, 0.16)  # chlorophyll is bright in the near infrared
TRUNK = Matter((0.27, 0.21, 0.16), 0.48, 0.18)
SKY = Matter((0.80, 0.85, 0.92), 0.50, 0.02)


def wrinkle_field(height: int, width: int, scale: float, generator: np.random.Generator) -> Plane:
    """(height, width) smooth noise around 0, within -1 and 1, with features of ``scale`` pixels."""
    scale = max(scale, 1.0)
    rows, columns = int(height / scale) + 3, int(width / scale) + 3
    lattice = generator.random((rows, columns), dtype=np.float32) * 2 - 1
    y = np.arange(height, dtype=np.float32) / np.float32(scale)
    x = np.arange(width, dtype=np.float32) / np.float32(scale)
    y0, x0 = y.astype(np.int64), x.astype(np.int64)
    fy, fx = y - y0.astype(np.float32), x - x0.astype(np.float32)
    fy, fx = (fy * fy * (3 - 2 * fy))[:, None], fx * fx * (3 - 2 * fx)
    upper = lattice[y0][:, x0] * (1 - fx) + lattice[y0][:, x0 + 1] * fx
    lower = lattice[y0 + 1][:, x0] * (1 - fx) + lattice[y0 + 1][:, x0 + 1] * fx
    return upper * (1 - fy) + lower * fy
