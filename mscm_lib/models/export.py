"""The inference network as a graph for other programs: torch.export and ONNX."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Literal

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from mscm_lib.errors import CheckpointError, ConfigError
from mscm_lib.files import atomic_path
from mscm_lib.models.network import MSCMNet
from mscm_lib.models.streams import Modality

Feature = Literal["neck", "pooled"]
TOLERANCE = 1e-4
"""Largest difference to eager that an exported graph may show in a unit feature, in float32."""
COARSE_TOLERANCE = 3e-2
"""The same for a bfloat16 network, whose numbers have 8 significant bits."""


class InferenceNetwork(nn.Module):
    """One modality in, one L2-normalised feature out; the other modality's stems are left behind.

    Args:
        net: the trained network; its weights are shared, not copied.
        modality: "visible" or "infrared".
        feature: "neck" (reported in results) or "pooled".
    """

    def __init__(self, net: MSCMNet, modality: Modality, feature: Feature = "neck") -> None:
        super().__init__()
        if modality not in ("visible", "infrared"):
            raise ConfigError(f"modality = {modality!r}: expected 'visible' or 'infrared'")
        if feature not in ("neck", "pooled"):
            raise ConfigError(f"feature = {feature!r}: expected 'neck' or 'pooled'")
        self.net = net
        self.modality: Modality = modality
        self.feature = feature
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        """Normalised images (B, 3, H, W) → features (B, C), float32."""
        embedding = self.net.embed(images, self.modality)
        return embedding.neck if self.feature == "neck" else embedding.pooled


def export_program(net: MSCMNet, modality: Modality, feature: Feature = "neck") -> ExportedProgram:
    """The inference network through `torch.export`, for any batch size, checked against eager.

    Raises:
        CheckpointError: the graph does not compute what the network computes.
    """
    module = InferenceNetwork(net, modality, feature)
    with torch.no_grad():
        program = torch.export.export(
            module, (_images(net, 2),), dynamic_shapes=({0: Dim("batch", min=1)},)
        )
        for batch in (1, 3):
            images = _images(net, batch)
            _compare(program.module()(images), module(images), net, "the exported program")
    return program


def export_onnx(
    path: str | Path, net: MSCMNet, modality: Modality, feature: Feature = "neck"
) -> None:
    """Write the inference network as ONNX, for any batch size, checked against eager.

    The graph has the input ``images`` (batch, 3, H, W) and the output ``feature`` (batch, C), both
    float32: a network in bfloat16 is written with the same values in float32, since ONNX Runtime
    has no bfloat16 convolution on the CPU.

    Raises:
        CheckpointError: ONNX Runtime does not compute from the file what the network computes.
        StorageError: the file could not be written.
    """
    whole = copy.deepcopy(net).cpu().float()
    module = InferenceNetwork(whole, modality, feature)
    with torch.no_grad(), atomic_path(path) as part:
        torch.onnx.export(
            module, (_images(whole, 2),), part, dynamo=True, verbose=False, external_data=False,
            input_names=["images"], output_names=["feature"],
            dynamic_shapes=({0: Dim("batch", min=1)},),
        )  # fmt: skip
        session = onnxruntime.InferenceSession(part, providers=["CPUExecutionProvider"])
        for batch in (1, 3):
            images = _images(whole, batch)
            (found,) = session.run(["feature"], {"images": images.numpy()})
            _compare(torch.from_numpy(np.asarray(found)), module(images), whole, str(path))


def _images(net: MSCMNet, batch: int) -> Tensor:
    weight = next(net.parameters())
    shape = (batch, 3, net.config.height, net.config.width)
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(batch))
    return noise.to(weight.device, weight.dtype)


def _compare(found: Tensor, expected: Tensor, net: MSCMNet, where: str) -> None:
    exact = next(net.parameters()).dtype == torch.float32
    tolerance = TOLERANCE if exact else COARSE_TOLERANCE
    if found.shape != expected.shape:
        raise CheckpointError(
            f"{where}: gives shape {tuple(found.shape)}, eager {tuple(expected.shape)}"
        )
    difference = (found - expected).abs().max().item()
    if not difference <= tolerance:
        raise CheckpointError(
            f"{where}: differs from eager by {difference:.1e}, allowed {tolerance:.0e}; do not use "
            "it. Export with the versions in requirements.lock"
        )
