"""What a finished network does inside: what its ALBs go by, and whether modalities have met.

Signs of two ways in which this network is known to fail, taken from its weights once, on training
people's views: MIMB copying its shallow sources instead of correlating them, and features that fit
the modality instead of the person.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from sklearn.linear_model import RidgeCV
from torch import Tensor, nn

from mscm_lib.config import RunConfig
from mscm_lib.data.batches.loader import Loader
from mscm_lib.data.batches.sampler import IdentitySampler
from mscm_lib.data.batches.views import FourViews
from mscm_lib.data.packed.opened import PackedDataset
from mscm_lib.evaluation.embedding import Embeddings
from mscm_lib.hardware import Hardware
from mscm_lib.losses import QuadrupleCenterTripletLoss
from mscm_lib.losses.quadruple_center import STREAMS, QuadrupleCenterTerms
from mscm_lib.models import MSCMNet
from mscm_lib.models.alb import ALB
from mscm_lib.models.mimb import MIMB
from mscm_lib.models.streams import arranged

Tokens = npt.NDArray[np.float32]
COLUMNS = ["measure", "part", "value"]
BATCHES = 4
MOST_TOKENS = 20_000  # that a regression is fitted on; more change the third digit
PENALTIES = np.logspace(-2, 4, 7)
GAZES = 32  # images whose attention is looked at


class BlockTokens(NamedTuple):
    """What goes into an ALB and what it makes, each (N, C/4, H·W): see `ALB.tokens`.

    Attributes:
        deep: the normalised deep map.
        guide: the normalised source; the deep map again where layer 3 is its own source.
        made: what the block's last convolution takes.
    """

    deep: Tensor
    guide: Tensor
    made: Tensor


@torch.no_grad()
def inspect_network(
    net: MSCMNet, packed: PackedDataset, config: RunConfig, hardware: Hardware
) -> pd.DataFrame:
    """`alb_signs` and QCT's terms of a finished network on a few batches of its training views.

    Args:
        net: in evaluation mode, on the device.
        packed: the dataset that it was trained on.
        config: of the run, which says what its batches and views are.
        hardware: where to compute.

    Returns:
        Columns measure, part, value. Only of what the network has: ALBs, four streams.
    """
    tokens: list[dict[str, BlockTokens]] = []
    terms: list[QuadrupleCenterTerms] = []
    loss = QuadrupleCenterTripletLoss(config.margin)
    for views, labels in _batches(packed, config, hardware):
        with hardware.autocast():
            maps = net.trunk.shallow(net.streams(arranged(views)))
            pooled = net.head(net.trunk.deep(net.multi_scale(maps))).pooled
        if len(views) == STREAMS:
            terms.append(loss.terms(pooled.float(), labels))
        if isinstance(net.multi_scale, MIMB):
            tokens.append(block_tokens(net.multi_scale, {k: v.float() for k, v in maps.items()}))
    rows: list[list[object]] = []
    for source, block in _blocks(net.multi_scale) if tokens else ():
        seen = BlockTokens(*map(torch.cat, zip(*(batch[source] for batch in tokens), strict=True)))
        rows += [[measure, source, value] for measure, value in alb_signs(block, source, seen)]
    for name, values in zip(QuadrupleCenterTerms._fields, zip(*terms, strict=True), strict=False):
        rows.append(["QCT", name, float(torch.stack(values).mean())])
    return pd.DataFrame(rows, columns=COLUMNS)


def block_tokens(mimb: MIMB, maps: Mapping[str, Tensor]) -> dict[str, BlockTokens]:
    """The tokens of each ALB in the chain, by source.

    Args:
        mimb: in evaluation mode.
        maps: before layer 4, by name, each of the same N images.
    """
    found: dict[str, BlockTokens] = {}
    made: list[Tensor] = []
    x = maps["layer3"]
    for source, block in _blocks(mimb):
        place = x if source == "layer3" else maps[source]
        hook = block.broad.register_forward_pre_hook(lambda _, given: made.append(given[0]))
        try:
            deep, guide = block.tokens(x, place)
            x = block(x, place)
        finally:
            hook.remove()
        found[source] = BlockTokens(deep, guide, made.pop().flatten(2))
    return found


def _blocks(mimb: nn.Module) -> Iterator[tuple[str, ALB]]:
    assert isinstance(mimb, MIMB)
    for source, block in mimb.blocks.items():
        assert isinstance(block, ALB)
        yield source, block


def alb_signs(block: ALB, source: str, seen: BlockTokens) -> Iterator[tuple[str, float]]:
    """How much of an ALB's output its inputs explain, and how widely its attention spreads.

    Explained is R² on other images of a ridge regression, one map for all channels, from the tokens
    of the source, of the deep map, or of both, to the tokens that the block makes. A block that
    copies its source is explained by it; one that passes the deep map on is explained by that; what
    neither explains, they make together. Reach is the number of channels that a channel attends to,
    effectively (exp of the entropy of its row of the attention map), as a share of all: a mean over
    rows, heads and images, 1 for an even gaze.

    Args:
        block: in evaluation mode.
        source: its name.
        seen: its tokens for N images.

    Yields:
        "explained by the source" (not of a block that is its own), "… deep map", "… both"; "reach".
    """
    yield "explained by the deep map", _explained(seen.deep, seen.made)
    if source != "layer3":
        yield "explained by the source", _explained(seen.guide, seen.made)
        both = torch.cat([seen.deep, seen.guide], dim=2)
        yield "explained by both", _explained(both, seen.made)
    guide = seen.guide[:: max(1, len(seen.guide) // GAZES)]
    weights = block.attention.weights(guide, guide)  # (N, heads, T, T)
    entropy = -(weights * weights.clamp_min(1e-30).log()).sum(dim=-1)
    yield "reach", float(entropy.detach().exp().mean()) / weights.shape[-1]


def center_distances(embeddings: Embeddings) -> pd.DataFrame:
    """How far the modalities lie apart, and how far people do, in units of the neck feature.

    Features have unit length. The distance of modalities is that of their means over people who are
    seen in both; of people, the mean over pairs of the distance between their own means. Where the
    first is not small beside the second, a feature says more of the camera than of the person.

    Returns:
        Columns measure ("distance of centers"), part ("modalities", "people"), value.
    """
    table = embeddings.table
    values = embeddings.features["neck"].float().numpy()
    both = np.intersect1d(table.ids[table.infrared], table.ids[~table.infrared])

    def mean(person: int, infrared: bool) -> Tokens:
        return np.asarray(values[(table.ids == person) & (table.infrared == infrared)].mean(axis=0))

    centers = np.stack([[mean(person, kind) for person in both] for kind in (False, True)])
    gap = float(np.linalg.norm(centers[0].mean(axis=0) - centers[1].mean(axis=0)))
    people = torch.from_numpy(centers.mean(axis=0))
    apart = float(torch.pdist(people).mean()) if len(both) > 1 else float("nan")
    rows = [["modalities", gap], ["people", apart]]
    return pd.DataFrame([["distance of centers", *row] for row in rows], columns=COLUMNS)


def _batches(
    packed: PackedDataset, config: RunConfig, hardware: Hardware
) -> Iterator[tuple[tuple[Tensor, ...], Tensor]]:
    table = packed.dataset.train(validation=config.validation, trial=config.trial)
    sampler = IdentitySampler(
        table, config.identities_per_batch, config.images_per_identity, config.seed, BATCHES
    )
    rows = packed.images.rows(table.paths)
    loader = Loader(packed.images, rows, sampler, FourViews.from_config(config), hardware.device)
    with closing(loader.epoch(0)) as batches:
        yield from batches


def _explained(given: Tensor, made: Tensor) -> float:
    """R² of ``made`` (N, T, D) from ``given`` (N, T, D'), fitted on half of the images."""
    half = len(given) // 2
    fit, test = slice(0, half), slice(half, None)
    x, y = (_rows(values[fit]) for values in (given, made))
    model = RidgeCV(PENALTIES).fit(x, y)
    wanted = _rows(made[test])
    error = ((wanted - model.predict(_rows(given[test]))) ** 2).sum()
    return float(1 - error / ((wanted - y.mean(axis=0)) ** 2).sum())


def _rows(values: Tensor) -> Tokens:
    """(N, T, D) → at most `MOST_TOKENS` rows of D, evenly spaced."""
    rows = values.detach().flatten(0, 1).float().cpu().numpy()
    return rows[:: max(1, -(-len(rows) // MOST_TOKENS))]
