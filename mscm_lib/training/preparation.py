"""Everything that must be right before a run starts: data, batch, sampler, loader."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mscm_lib.config import RunConfig
from mscm_lib.data.loader import Loader
from mscm_lib.data.packed import PackedDataset, open_packed
from mscm_lib.data.sampler import IdentitySampler
from mscm_lib.data.tables import ImageTable
from mscm_lib.data.views import FourViews
from mscm_lib.errors import ConfigError
from mscm_lib.paths import resolve
from mscm_lib.training.distributed import Group
from mscm_lib.training.hardware import Hardware


@dataclass(frozen=True)
class Material:
    """What a run trains on.

    Attributes:
        packed: the packed dataset.
        table: the training rows.
        names: (identities,) the dataset's own number of each label.
        sampler: draws the batches.
        loader: brings them to the device.
        steps: of an epoch.
        pairs: P·K, images of each modality in a global batch.
    """

    packed: PackedDataset
    table: ImageTable
    names: np.ndarray
    sampler: Any
    loader: Any
    steps: int
    pairs: int
