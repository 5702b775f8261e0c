"""Channel attention drawn and measured: maps, an ALB's parts, swapped sources, costs."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from mscm_lib.config import ALB_SOURCES, nearest_divisor
from mscm_lib.models import MSCMNet
from mscm_lib.models.backbones import RATIOS
from mscm_lib.models.mimb import Scales
from mscm_lib.models.multi_scale import build_multi_scale
from mscm_lib.reports.style import PALETTE

STRATEGIES = ("none", "pyramid", "concatenation", "cross-attention", "self-attention", "mimb")


def attention_maps(weights: Mapping[str, Tensor], limit: float = 3.0) -> Figure:
    """One panel a block: attention between channels, mean over heads, over the even share.

    Args:
        weights: for each block (heads, T, T), rows summing to 1.
        limit: where the colour scale ends; 1 is the even share.
    """
    columns = min(2, len(weights))
    rows = -(-len(weights) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(3.2 * columns + 0.8, 3.2 * rows), layout="constrained",
        sharex=True, sharey=True, squeeze=False,
    )  # fmt: skip
    for axis in axes.flat[len(weights) :]:
        axis.set_axis_off()
    for axis, (source, maps) in zip(axes.flat, weights.items(), strict=False):
        share = maps.mean(0) * maps.shape[-1]  # (T, T), 1 for an even share
        image = axis.imshow(share.numpy(), vmin=0, vmax=limit, cmap="cividis")
        axis.set_title(f"source: {source}")
        axis.grid(visible=False)
    figure.supxlabel("channel that is asked", fontsize=11)
    figure.supylabel("channel that asks", fontsize=11)
    figure.colorbar(
        image, ax=axes, label="attention / even share", extend="max", shrink=0.7, aspect=25
    )
    return figure


def part_sizes(percent: pd.DataFrame) -> Figure:
    """Grouped bars: a group for each row (an ALB), a bar for each column (a part)."""
    figure, axis = plt.subplots(figsize=(7.2, 3.4), layout="constrained")
    hatches = ("", "//", "..")
    width = 0.8 / len(percent.columns)
    for place, column in enumerate(percent.columns):
        at = np.arange(len(percent)) + (place - (len(percent.columns) - 1) / 2) * width
        bars = axis.bar(
            at, percent[column], width, label=column, color=PALETTE[place], edgecolor="white",
            hatch=hatches[place % len(hatches)],
        )  # fmt: skip
        axis.bar_label(bars, fmt="%.0f", fontsize=9, padding=1)
    axis.set_xticks(np.arange(len(percent)), list(percent.index))
    axis.set(xlabel="source of the ALB", ylabel="norm, % of X")
    axis.set_title("What an ALB adds to its tokens X")
    axis.grid(axis="x", visible=False)
    axis.margins(y=0.12)
    axis.legend(ncols=len(percent.columns), loc="upper left", bbox_to_anchor=(0, -0.2))
    return figure


def swap_sources(net: MSCMNet, maps: Mapping[str, Tensor]) -> pd.DataFrame:
    """How far results turn when one map at a time is another image's.

    Args:
        net: in evaluation mode, with a multi-scale block.
        maps: before layer 4, by name, each of the same B ≥ 2 images.

    Returns:
        A row for each map; columns: mean over images of 1 - cos between the result with the own
        map and with the next image's, for the block's output and the final BN-neck feature.
    """
    own = _results(net, maps)
    rows = {}
    for name in maps:
        swapped = {key: value.roll(1, 0) if key == name else value for key, value in maps.items()}
        results = _results(net, swapped)
        rows[name] = {
            key: float(1 - functional.cosine_similarity(value, results[key]).mean())
            for key, value in own.items()
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("swapped map")


def _results(net: MSCMNet, maps: Mapping[str, Tensor]) -> dict[str, Tensor]:
    mixed = net.multi_scale(maps)
    final = net.head(net.trunk.deep(mixed)).neck
    return {"MIMB's output": mixed.flatten(1), "final feature": final}


def strategy_costs(height: int, width: int, backbone: str = "resnet50") -> pd.DataFrame:
    """Parameters and operations of every multi-scale strategy for one image.

    Counted on PyTorch's meta device: shapes only, no numbers. A multiply-add is two operations.

    Returns:
        A row for each strategy; parameters in millions, operations in 10⁹, and the operations as
        a percentage of those of the trunk (layers 1 to 4).
    """
    with torch.device("meta"), torch.no_grad():
        net = MSCMNet(1, backbone=backbone, multi_scale="none", height=height, width=width)
        stem = net.streams.merge(torch.empty(1, 3, height, width), "visible")
        with FlopCounterMode(display=False) as trunk:
            maps = net.trunk.shallow(stem)
            net.trunk.deep(maps["layer3"])
        channels = {name: value.shape[1] for name, value in maps.items()}
        scales = Scales(channels, RATIOS, *maps["layer3"].shape[2:])
        head_dim = nearest_divisor(scales.positions, 9)
        rows = {}
        for strategy in STRATEGIES:
            block = build_multi_scale(strategy, scales, ALB_SOURCES, head_dim)
            with FlopCounterMode(display=False) as own:
                block(maps)
            rows[strategy] = {
                "parameters, M": sum(p.numel() for p in block.parameters()) / 1e6,
                "operations, G": own.get_total_flops() / 1e9,
                "% of the trunk's": 100 * own.get_total_flops() / trunk.get_total_flops(),
            }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("strategy")
