"""The inference network as a graph for other programs: torch.export and ONNX."""

from __future__ import annotations

import copy
import warnings
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from mscm_lib.data.base import check
from mscm_lib.data.batches.views import test_transform
from mscm_lib.errors import CheckpointError
from mscm_lib.files import atomic_path
from mscm_lib.models.network import MSCMNet
from mscm_lib.models.streams import Modality
from mscm_lib.models.weights import load_network

Feature = Literal["neck", "pooled", "mix"]
TOLERANCE = 1e-4
"""Largest difference to eager that an exported graph may show in a unit feature, in float32."""
COARSE_TOLERANCE = 3e-2
"""The same for a bfloat16 network, whose numbers have 8 significant bits."""


class InferenceNetwork(nn.Module):
    """One modality in, one L2-normalised feature out; the other modality's stems are left behind.

    Args:
        net: the trained network; its weights are shared, not copied.
        modality: "visible" or "infrared".
        feature: "neck" (reported in results), "pooled", or their "mix".
        mix_weight: see `Embedding.mix`.
        pixels: take pixels (B, H, W, 3), uint8, instead of normalised images.

    Raises:
        ConfigError: no such modality or feature.
    """

    def __init__(
        self,
        net: MSCMNet,
        modality: Modality,
        feature: Feature = "neck",
        mix_weight: float = 0.5,
        pixels: bool = False,
    ) -> None:
        super().__init__()
        check("modality", modality, get_args(Modality))
        check("feature", feature, get_args(Feature))
        self.net = net
        self.modality: Modality = modality
        self.feature = feature
        self.mix_weight = mix_weight
        self.pixels = pixels
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        """Normalised images (B, 3, H, W), or pixels → features (B, C), float32."""
        if self.pixels:
            images = test_transform(images)
        embedding = self.net.embed(images, self.modality)
        if self.feature == "mix":
            return embedding.mix(self.mix_weight)
        return embedding.neck if self.feature == "neck" else embedding.pooled

    def examples(self, batch: int) -> Tensor:
        """Noise of the shape and type that this network takes."""
        weight, config = next(self.net.parameters()), self.net.config
        generator = torch.Generator().manual_seed(batch)
        if self.pixels:
            shape = (batch, config.height, config.width, 3)
            noise = torch.randint(256, shape, generator=generator, dtype=torch.uint8)
            return noise.to(weight.device)
        noise = torch.randn((batch, 3, config.height, config.width), generator=generator)
        return noise.to(weight.device, weight.dtype)


def export_program(network: InferenceNetwork) -> ExportedProgram:
    """The inference network through `torch.export`, for any batch size, checked against eager.

    Raises:
        CheckpointError: the graph does not compute what the network computes.
    """
    with torch.no_grad():
        program = torch.export.export(
            network, (network.examples(2),), dynamic_shapes=({0: Dim("batch", min=1)},)
        )
        for batch in (1, 3):
            images = network.examples(batch)
            _compare(program.module()(images), network(images), network, "the exported program")
    return program


def export_onnx(path: str | Path, network: InferenceNetwork) -> None:
    """Write the inference network as ONNX, for any batch size, checked against eager.

    The graph has the input ``images``, (batch, 3, H, W) float32, or of a network that takes pixels
    (batch, H, W, 3) uint8 as files hold them, and the output ``feature`` (batch, C), float32: a
    network in bfloat16 is written with the same values in float32, since ONNX Runtime has no
    bfloat16 convolution on the CPU.

    Raises:
        CheckpointError: ONNX Runtime does not compute from the file what the network computes.
        StorageError: the file could not be written.
    """
    whole = copy.deepcopy(network).cpu().float()
    with torch.no_grad(), warnings.catch_warnings(), atomic_path(path) as part:
        # PyTorch's own exporter uses a name that PyTorch gives up
        warnings.filterwarnings("ignore", ".*treespec, LeafSpec.* deprecated", FutureWarning)
        expected = {batch: whole(whole.examples(batch)) for batch in (1, 3)}
        torch.onnx.export(
            whole, (whole.examples(2),), part, dynamo=True, verbose=False, external_data=False,
            input_names=["images"], output_names=["feature"],
            dynamic_shapes=({0: Dim("batch", min=1)},),
        )  # fmt: skip
        session = onnxruntime.InferenceSession(part, providers=["CPUExecutionProvider"])
        for batch, features in expected.items():
            (found,) = session.run(["feature"], {"images": whole.examples(batch).numpy()})
            _compare(torch.from_numpy(np.asarray(found)), features, whole, str(path))


def export_halves(
    weights: Path | str, folder: Path | str, kind: Literal["onnx", "pt2"], feature: Feature
) -> list[Path]:
    """Write ``visible.<kind>`` and ``infrared.<kind>`` of a trained network, each checked.

    ``weights`` are as `mscm_lib.models.weights.save_network` wrote them, the ``folder`` is made
    where there is none, and "pt2" is of `torch.export.save`.

    Raises:
        CheckpointError: the weights are damaged, or a file does not compute what they do.
        StorageError: a file could not be written.
    """
    net, written = load_network(weights).net, []
    for modality in get_args(Modality):
        path = Path(folder) / f"{modality}.{kind}"
        half = InferenceNetwork(net, modality, feature)
        if kind == "onnx":
            export_onnx(path, half)
        else:
            program = export_program(half)
            with atomic_path(path) as part, part.open("wb") as file:
                torch.export.save(program, file)
        written.append(path)
    return written


def _compare(found: Tensor, expected: Tensor, network: nn.Module, where: str) -> None:
    exact = next(network.parameters()).dtype == torch.float32
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
