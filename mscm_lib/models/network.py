"""MSCMNet: streams, trunk, multi-scale block and head in one network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from mscm_lib.config import ALB_SOURCES, RunConfig
from mscm_lib.errors import ConfigError
from mscm_lib.models.backbones import RATIOS, build_backbone
from mscm_lib.models.head import Head, Output
from mscm_lib.models.mimb import Scales
from mscm_lib.models.multi_scale import build_multi_scale
from mscm_lib.models.streams import Modality, QuadrupleStream
from mscm_lib.models.trunk import Trunk

ARCHITECTURE = (
    "backbone", "streams", "multi_scale", "alb_sources", "head_dim", "non_local", "height", "width",
)  # fmt: skip
"""The parameters of a run that shape its network."""


class Embedding(NamedTuple):
    """L2-normalised float32 features of B images.

    Attributes:
        pooled: (B, C) GeM-pooled feature f.
        neck: (B, C) BN-neck feature g, for which results are reported.
    """

    pooled: Tensor
    neck: Tensor

    def mix(self, weight: float) -> Tensor:
        """(B, 2C): its cosine is ``weight`` · neck's + (1 - ``weight``) · pooled's."""
        return torch.cat([weight**0.5 * self.neck, (1 - weight) ** 0.5 * self.pooled], dim=1)


class MSCMNet(nn.Module):
    """Multi-scale semantic correlation mining network for visible-infrared re-identification.

    Four views V_g, V_c, I_g, I_c → `QuadrupleStream` stems, stacked along the batch → layers 1 to 3
    with non-local blocks → `MIMB` → layer 4 → `Head`. Every alternative that the study compares is
    this network with another value of one parameter; the AGW-style baseline is ``streams="dual",
    multi_scale="none"``, trained with two views.

    Source: arXiv 2311.14395 (Pattern Recognition 2024, 111090).

    Args:
        identities: classes of the classifier.
        backbone: "resnet18", "resnet34", "resnet50", "timm:" and the name of a ConvNeXt, or a
            user's own; see `build_backbone`.
        weights: "none", "imagenet", or the path of the backbone's state dict.
        streams: "quadruple-unshared", "quadruple-shared" or "dual"; see `QuadrupleStream`.
        multi_scale: "mimb", "none", "concatenation", "pyramid", "cross-attention" or
            "self-attention", or a user's own; see `mscm_lib.models.multi_scale`.
        alb_sources: one to four of stem, layer1, layer2, layer3, in the order of their blocks.
        head_dim: positions that one attention head of MIMB sees, a divisor of H/16·W/16; 0 chooses
            9 or the divisor nearest to it. `self.config.head_dim` says which.
        non_local: whether layers 2 and 3 carry non-local blocks.
        height: image rows, a multiple of 16.
        width: image columns, a multiple of 16.
        seed: of the random initial weights; the global random state is left as it was.

    Attributes:
        config: the validated parameters.
        identities: classes of the classifier.
        channels: C, the size of a feature.
        initialisation: where the backbone's weights came from.

    Raises:
        ConfigError: a parameter is unknown or impossible; the message names what is allowed.
        CheckpointError: the file of weights does not fit the backbone.
    """

    def __init__(
        self,
        identities: int,
        backbone: str = "resnet50",
        weights: str = "none",
        streams: str = "quadruple-unshared",
        multi_scale: str = "mimb",
        alb_sources: Sequence[str] = ALB_SOURCES,
        head_dim: int = 0,
        non_local: bool = True,
        height: int = 384,
        width: int = 192,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if identities < 1:
            raise ConfigError(f"identities = {identities!r}: expected 1 or more")
        self.identities = identities
        self.config = RunConfig.from_mapping(
            {
                "backbone": backbone,
                "weights": weights,
                "streams": streams,
                "multi_scale": multi_scale,
                "alb_sources": tuple(alb_sources),
                "head_dim": head_dim,
                "non_local": non_local,
                "height": height,
                "width": width,
                "seed": seed,
            }
        )
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)  # the CPU's alone: CUDA's state is not forked
            self._build(self.config)

    def _build(self, config: RunConfig) -> None:
        body = build_backbone(config.backbone, config.weights, config.height, config.width)
        self.initialisation = body.initialisation
        self.channels = body.channels["layer4"]
        scales = Scales(body.channels, RATIOS, config.height // 16, config.width // 16)
        self.streams = QuadrupleStream(body.stem, config.streams)
        self.trunk = Trunk(body.layers, body.channels, config.non_local)
        self.multi_scale = build_multi_scale(
            config.multi_scale, scales, config.alb_sources, config.head_dim
        )
        self.head = Head(self.channels, self.identities)

    @classmethod
    def from_config(cls, config: RunConfig, identities: int) -> MSCMNet:
        """The network that a run's parameters describe, for ``identities`` training identities."""
        arguments = {key: getattr(config, key) for key in ARCHITECTURE}
        return cls(identities, weights=config.weights, seed=config.seed, **arguments)

    def architecture(self) -> dict[str, Any]:
        """Arguments that build this network again, before its weights are loaded; plain values."""
        values = self.config.as_dict()
        return {key: values[key] for key in ARCHITECTURE}

    def forward(
        self,
        v_g: Tensor,
        v_c: Tensor | None = None,
        i_g: Tensor | None = None,
        i_c: Tensor | None = None,
    ) -> Output:
        """Training: four views, each (B, 3, H, W) → rows in the order V_g, V_c, I_g, I_c (n = 4B).

        With ``streams="dual"`` the channel views may be left out: rows V_g, I_g (n = 2B); with it or
        one shared stem I_c alone: V_g, V_c, I_g (n = 3B).

        Returns:
            pooled (n, C), neck (n, C), logits (n, identities); not normalised.

        Raises:
            ConfigError: a view is absent or not of the network's image size.
        """
        views = (v_g, v_c, i_g, i_c)
        for view in views:
            if view is not None:
                self._check_size(view)
        return self._describe(self.streams(views))

    def features(self, images: Tensor, modality: Modality) -> Output:
        """The test path before normalisation: images (B, 3, H, W) of one modality → B rows.

        Raises:
            ConfigError: the modality is unknown, or the images are not of the network's size.
        """
        if modality not in ("visible", "infrared"):
            raise ConfigError(f"modality = {modality!r}: expected 'visible' or 'infrared'")
        self._check_size(images)
        return self._describe(self.streams.merge(images, modality))

    def embed(self, images: Tensor, modality: Modality) -> Embedding:
        """Test: images (B, 3, H, W) of one modality → L2-normalised features of B rows, float32.

        The image goes through both stems of its modality and their outputs are averaged. Works in
        the mode that the network is in; call ``eval()`` before.

        Raises:
            ConfigError: the modality is unknown, or the images are not of the network's size.
        """
        output = self.features(images, modality)
        return Embedding(
            functional.normalize(output.pooled.float()), functional.normalize(output.neck.float())
        )

    def head_parameters(self) -> Iterator[nn.Parameter]:
        """Trained parameters of neck and classifier, which have the higher learning rate."""
        return (p for p in self.head.parameters() if p.requires_grad)

    def trunk_parameters(self) -> Iterator[nn.Parameter]:
        """All other trained parameters: stems, trunk, multi-scale block."""
        parts = (self.streams, self.trunk, self.multi_scale)
        return (p for part in parts for p in part.parameters() if p.requires_grad)

    def _describe(self, stem: Tensor) -> Output:
        maps = self.trunk.shallow(stem)
        return self.head(self.trunk.deep(self.multi_scale(maps)))

    def _check_size(self, images: Tensor) -> None:
        expected = (3, self.config.height, self.config.width)
        if images.ndim != 4 or tuple(images.shape[1:]) != expected:
            raise ConfigError(
                f"images of shape {tuple(images.shape)}: this network takes (B, {expected[0]}, "
                f"{expected[1]}, {expected[2]}); resize them, or build it for their size"
            )
