"""What the four streams see, how their stems differ, and what each asks of the weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
import pandas as pd
import seaborn as sns
import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from mscm_lib.data.pixels import MEAN, STD
from mscm_lib.models import MSCMNet
from mscm_lib.models.streams import STREAMS
from mscm_lib.reports.style import STREAM_NAMES


def as_pictures(views: Tensor) -> list[npt.NDArray[np.uint8]]:
    """Normalised images (B, 3, H, W) as (H, W, 3) pictures; what lies outside [0, 1] is cut."""
    mean, std = torch.tensor(MEAN)[:, None, None], torch.tensor(STD)[:, None, None]
    pixels = ((views * std + mean).clamp(0, 1) * 255).round().to(torch.uint8)
    return list(pixels.permute(0, 2, 3, 1).cpu().numpy())  # (B, H, W, 3)


def chroma(views: Tensor) -> Tensor:
    """How much the channels of normalised images (B, 3, H, W) differ → (B,).

    Mean over pixels of the difference between the largest and the smallest channel, in units of
    normalised values, as the network sees them.
    """
    return (views.amax(1) - views.amin(1)).mean((1, 2))


def stem_sensitivity(net: MSCMNet, images: Tensor, changes: Mapping[str, Tensor]) -> pd.DataFrame:
    """How far each stem's output moves when its input changes, relative to the output's size.

    Args:
        net: in evaluation mode, with four stems.
        images: (B, 3, H, W).
        changes: changed versions of the same images, by name.

    Returns:
        A row for each stem, a column for each change: ‖stem(changed) - stem(image)‖ over
        ‖stem(image)‖.
    """
    rows = {}
    for name in STREAMS:
        stem = net.streams.stems[name]
        own = stem(images)
        rows[STREAM_NAMES[name]] = {
            change: float((stem(changed) - own).norm() / own.norm())
            for change, changed in changes.items()
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("stem")


def statistics_shift(net: MSCMNet, draws: Sequence[Sequence[Tensor]]) -> pd.DataFrame:
    """How far each stream's statistics lie from those of all streams together.

    Taken at the input of the stems' batch norm, with the first stem's convolution for all, so that
    only the views differ. A distance is the mean over channels of that between two means, in the
    standard deviation of the second.

    Args:
        net: with four stems.
        draws: two or more of the same images' augmentation, each the four views.

    Returns:
        A row for each stream; columns: distance of all its draws from the mixture of all streams;
        distance of a single draw from all draws of the stream, a mean over draws, as the measure of
        chance; its standard deviation over the mixture's.
    """
    convolution = net.streams.stems[STREAMS[0]].get_submodule("conv1")
    maps = [[convolution(view) for view in kind] for kind in zip(*draws, strict=True)]
    mean, std = _moments(torch.cat([drawn for kind in maps for drawn in kind]))
    rows = {}
    for name, kind in zip(STREAMS, maps, strict=True):
        own_mean, own_std = _moments(torch.cat(kind))
        chance = [((_moments(drawn)[0] - own_mean).abs() / own_std).mean() for drawn in kind]
        rows[STREAM_NAMES[name]] = {
            "from the mixture, in sd": float(((own_mean - mean).abs() / std).mean()),
            "between redraws, in sd": float(torch.stack(chance).mean()),
            "sd / mixture's sd": float((own_std / std).mean()),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("stream")


def _moments(x: Tensor) -> tuple[Tensor, Tensor]:
    flat = x.transpose(0, 1).flatten(1)  # (C, B·H·W)
    return flat.mean(1), flat.std(1)


def stem_gradients(net: MSCMNet, total: Tensor) -> dict[str, Tensor]:
    """Gradient of a loss in each stem's convolution, flat; the graph is kept.

    Args:
        net: with four stems.
        total: () computed by ``net``.
    """
    weights = [next(net.streams.stems[name].parameters()) for name in STREAMS]  # the convolution's
    gradients = torch.autograd.grad(total, weights, retain_graph=True)
    return {name: value.flatten() for name, value in zip(STREAMS, gradients, strict=True)}


def cosines(vectors: Mapping[str, Tensor]) -> pd.DataFrame:
    """Cosine of every pair of vectors, streams by their symbols."""
    names = [STREAM_NAMES.get(name, name) for name in vectors]
    rows = functional.normalize(torch.stack(list(vectors.values())))
    return pd.DataFrame((rows @ rows.T).detach().numpy(), index=names, columns=names)


def cosine_figure(table: pd.DataFrame, title: str) -> Figure:
    """A square of cosines with its numbers."""
    figure, axis = plt.subplots(figsize=(4.6, 3.8), layout="constrained")
    sns.heatmap(
        table, ax=axis, vmin=-1, vmax=1, cmap="vlag", annot=True, fmt=".2f", square=True,
        cbar_kws={"label": "cosine"}, annot_kws={"fontsize": 11},
    )  # fmt: skip
    axis.set_title(title)
    axis.tick_params(axis="y", rotation=0)
    return figure


def response_maps(net: MSCMNet, images: Sequence[Tensor]) -> list[list[npt.NDArray[np.uint8]]]:
    """Each stem's mean absolute response to each image, as pictures of the images' size.

    Args:
        net: in evaluation mode, with four stems.
        images: each (3, H, W).

    Returns:
        For each stem a (H, W, 3) picture of each image, dark where the stem is silent; one scale
        for each image, so that the stems compare.
    """
    batch = torch.stack(list(images))
    maps = torch.stack([net.streams.stems[name](batch).abs().mean(1) for name in STREAMS])
    maps = maps / maps.amax((0, 2, 3), keepdim=True).clamp_min(1e-12)  # (4, B, H/4, W/4)
    full = functional.interpolate(maps, size=batch.shape[2:], mode="nearest")
    colours = plt.get_cmap("cividis")(full.numpy())[..., :3]  # (4, B, H, W, 3)
    return [list(row) for row in (255 * colours).round().astype(np.uint8)]


def averaging_costs(height: int, width: int, backbone: str = "resnet50") -> tuple[float, float]:
    """Operations of the test path for one image, in 10⁹: both stems, and everything behind them.

    Counted on PyTorch's meta device: shapes only, no numbers. A multiply-add is two operations.
    """
    with torch.device("meta"), torch.no_grad():
        net = MSCMNet(1, backbone=backbone, height=height, width=width)
        with FlopCounterMode(display=False) as stems:
            merged = net.streams.merge(torch.empty(1, 3, height, width), "visible")
        with FlopCounterMode(display=False) as rest:
            net.trunk.deep(net.multi_scale(net.trunk.shallow(merged)))
    return stems.get_total_flops() / 1e9, rest.get_total_flops() / 1e9
