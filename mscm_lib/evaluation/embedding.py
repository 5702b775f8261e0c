"""Every image of a table embedded once."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from mscm_lib.config import RunConfig
from mscm_lib.data.batches import views
from mscm_lib.data.packed.opened import PackedImages
from mscm_lib.data.tables import ImageTable, Modality
from mscm_lib.errors import ProtocolError
from mscm_lib.hardware import Hardware
from mscm_lib.models import Embedding, MSCMNet
from mscm_lib.usable import check_usable

FEATURES = ("pooled", "neck")
Transform = Callable[[Tensor], Tensor]
MODALITIES: tuple[tuple[bool, Modality], ...] = ((False, "visible"), (True, "infrared"))


@dataclass(frozen=True)
class Embeddings:
    """L2-normalised features of N images, found again by path.

    Attributes:
        table: the images.
        features: by name, (N, C) float32 on the CPU.

    Raises:
        ProtocolError: there are not as many features as images, or one cannot be ranked by; it is named.
    """

    table: ImageTable
    features: dict[str, Tensor]

    def __post_init__(self) -> None:
        for name, values in self.features.items():
            if values.ndim != 2 or len(values) != len(self.table):
                raise ProtocolError(
                    f"the {name} features have shape {tuple(values.shape)}, expected a row for "
                    f"each of the {len(self.table)} images; embed the images again"
                )
            check_usable(values, lambda row: f"the {name} feature of {self.table.paths[row]}")  # noqa: B023

    def with_mix(self, weight: float) -> Embeddings:
        """With the feature "mix": its cosine is ``weight`` · neck + (1 - ``weight``) · pooled."""
        mix = Embedding(self.features["pooled"], self.features["neck"]).mix(weight)
        return Embeddings(self.table, {**self.features, "mix": mix})

    def ranked_by(self, config: RunConfig) -> Embeddings:
        """With what a run is ranked by: its mix, where ``config.feature`` is one."""
        return self.with_mix(config.mix_weight) if config.feature == "mix" else self

    def of(self, table: ImageTable, feature: str) -> Tensor:
        """The features of ``table``'s images, (len(table), C), in its order.

        Raises:
            ProtocolError: an image has not been embedded.
        """
        rows = {path: row for row, path in enumerate(self.table.paths)}
        try:
            index = torch.tensor([rows[path] for path in table.paths], dtype=torch.int64)
        except KeyError as error:
            raise ProtocolError(f"{error.args[0]}: this image has not been embedded") from error
        return self.features[feature][index]


def embed_table(
    net: MSCMNet,
    images: PackedImages,
    table: ImageTable,
    batch: int = 128,
    flip: bool = False,
    hardware: Hardware | None = None,
    progress: bool = True,
    transform: Transform = views.test_transform,
) -> Embeddings:
    """Embed the images of ``table``, each modality through its own stems.

    A GPU's features stay there to the end, so that nothing waits for it: the next batch is read
    while it computes.

    Args:
        net: in evaluation mode, on the device that computes.
        images: packed pixels.
        table: rows of both modalities or of one.
        batch: images in one forward pass.
        flip: add the features of the mirrored image and normalise again (named in every table).
        hardware: number format of the forward passes; None: the network's own.
        progress: show a bar.
        transform: packed pixels (B, H, W, 3) → what the network sees (B, 3, H, W).

    Raises:
        ProtocolError: a feature cannot be ranked by; the image is named.
    """
    device = next(net.parameters()).device
    rows = images.rows(table.paths)
    found = {name: [torch.empty(0, net.channels, device=device)] for name in FEATURES}
    places = [np.empty(0, dtype=np.intp)]
    with (
        torch.inference_mode(),
        tqdm(
            total=len(table), unit="img", desc="embedding", disable=not progress, mininterval=2
        ) as bar,
    ):
        for infrared, modality in MODALITIES:
            own = np.flatnonzero(table.infrared == infrared)
            for start in range(0, len(own), batch):
                here = own[start : start + batch]
                pixels = torch.from_numpy(images.read(rows[here]))
                if device.type == "cuda":  # the memory is not used again before it is copied
                    pixels = pixels.pin_memory()
                x = transform(pixels.to(device, non_blocking=True))
                for name, values in _embed(net, x, modality, flip, hardware).items():
                    found[name].append(values)
                places.append(here)
                bar.update(len(here))
    order = torch.from_numpy(np.argsort(np.concatenate(places)))
    return Embeddings(table, {n: torch.cat(values).cpu()[order] for n, values in found.items()})


def _embed(
    net: MSCMNet,
    x: Tensor,
    modality: Modality,
    flip: bool,
    hardware: Hardware | None,
) -> dict[str, Tensor]:
    """Features of a batch x (B, 3, H, W)."""
    with hardware.autocast() if hardware else nullcontext():
        once = net.embed(x, modality)
        if not flip:
            return {name: getattr(once, name).float() for name in FEATURES}
        mirrored = net.embed(x.flip(3), modality)
    return {
        name: functional.normalize(getattr(once, name).float() + getattr(mirrored, name).float())
        for name in FEATURES
    }
