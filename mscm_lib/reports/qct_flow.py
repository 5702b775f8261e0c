"""Metric losses as forces on points in the plane: scenes, gradient descent, small multiples."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from torch import Tensor, nn

from mscm_lib.config import Pairing
from mscm_lib.losses import QuadrupleCenterTripletLoss
from mscm_lib.reports.style import PALETTE, STREAM_MARKERS, STREAM_NAMES

Loss = Callable[[Tensor, Tensor], Tensor]
STREAMS = tuple(STREAM_NAMES)
_IDENTITY_COLOURS = (PALETTE[0], PALETTE[3], PALETTE[2], PALETTE[4], PALETTE[7])


class Scene(NamedTuple):
    """Features in the plane, as a batch of the network's.

    Attributes:
        points: (4·P·K, 2), streams V_g, V_c, I_g, I_c, identity by identity.
        labels: (4·P·K,) identity of each.
        identities: P, in the batch.
        images: K, of an identity in a stream.
    """

    points: Tensor
    labels: Tensor
    identities: int
    images: int

    def grid(self, points: Tensor) -> Tensor:
        """(4·P·K, 2) → (4, P, K, 2): stream, identity, image."""
        return points.view(len(STREAMS), self.identities, self.images, 2)


def scene(identities: int = 3, images: int = 4, seed: int = 0, scale: float = 1.0) -> Scene:
    """Identities near each other, the modalities apart, the two views of each a little apart.

    Args:
        identities: P.
        images: K.
        seed: of the draw.
        scale: of all distances; 1 puts identities closer than the paper's margin of 0.7.
    """
    generator = torch.Generator().manual_seed(seed)
    angle = torch.arange(identities) / identities * 2 * torch.pi + 0.6
    people = 0.28 * torch.stack([angle.cos(), angle.sin()], dim=1)  # (P, 2)
    views = torch.tensor([[-0.5, 0.13], [-0.5, -0.13], [0.5, 0.13], [0.5, -0.13]])  # (4, 2)
    spread = 0.09 * torch.randn(len(STREAMS), identities, images, 2, generator=generator)
    points = scale * (people[None, :, None] + views[:, None, None] + spread)  # (4, P, K, 2)
    labels = torch.arange(identities).repeat_interleave(images).repeat(len(STREAMS))
    return Scene(points.flatten(0, 2), labels, identities, images)


def flow(loss: Loss, start: Scene, steps: int, rate: float) -> Tensor:
    """Gradient descent on the points themselves; a loss's own parameters (centers) descend too.

    Args:
        loss: called with points (n, 2) and labels (n,).
        start: where the points begin.
        steps: to take.
        rate: a point moves ``rate · n`` times its gradient, so that a loss that averages n unit
            forces moves each point by ``rate``.

    Returns:
        (steps + 1, n, 2), the start first.
    """
    if isinstance(loss, nn.Module):
        loss = copy.deepcopy(loss)
    points = start.points.clone().requires_grad_()
    own = list(loss.parameters()) if isinstance(loss, nn.Module) else []
    path = [points.detach().clone()]
    for _ in range(steps):
        gradients = torch.autograd.grad(loss(points, start.labels), [points, *own])
        with torch.no_grad():
            for value, gradient in zip([points, *own], gradients, strict=True):
                value -= rate * len(points) * gradient
        path.append(points.detach().clone())
    return torch.stack(path)


def pull_on_one(loss: Loss, start: Scene, reach: Tensor) -> list[float]:
    """Strength of the pull on one feature at growing distance from its identity.

    All features, and the loss's own centers if it has any, lie at the origin; the first visible
    feature is moved away to each distance of ``reach``.

    Returns:
        n times the length of that feature's gradient, for each distance.
    """
    if isinstance(loss, nn.Module):
        loss = copy.deepcopy(loss)
        for center in loss.parameters():
            nn.init.zeros_(center)
    strengths = []
    for distance in reach:
        points = torch.zeros_like(start.points)
        points[0, 0] = distance
        (gradient,) = torch.autograd.grad(loss(points.requires_grad_(), start.labels), points)
        strengths.append(float(len(points) * gradient[0].norm()))
    return strengths


def alpha_effect(
    start: Scene, alphas: Sequence[float], pairings: Sequence[Pairing]
) -> pd.DataFrame:
    """How far QCT's gradient at ``start`` differs from the one for α = 0, relative to its size.

    Returns:
        A row for each α, a column for each pairing.
    """

    def gradient(alpha: float, pairing: Pairing) -> Tensor:
        points = start.points.clone().requires_grad_()
        loss = QuadrupleCenterTripletLoss(alpha=alpha, pairing=pairing)
        return torch.autograd.grad(loss(points, start.labels), points)[0]

    plain = gradient(0.0, pairings[0])
    rows = [
        [float((gradient(alpha, pairing) - plain).norm() / plain.norm()) for pairing in pairings]
        for alpha in alphas
    ]
    return pd.DataFrame(rows, columns=list(pairings), index=pd.Index(alphas, name="α"))


def gaps(start: Scene, path: Tensor) -> pd.DataFrame:
    """Distances along a path, means over identities.

    Columns: ``modality`` between the centers of an identity's two modalities; ``view`` between the
    centers of its two streams of one modality; ``spread`` of features about their stream's center;
    ``identity`` between the centers of two identities.
    """
    rows = []
    for points in path:
        grid = start.grid(points)
        streams = grid.mean(2)  # (4, P, 2)
        people = streams.mean(0)  # (P, 2)
        rows.append(
            {
                "modality": (streams[:2].mean(0) - streams[2:].mean(0)).norm(dim=-1).mean(),
                "view": (streams[::2] - streams[1::2]).norm(dim=-1).mean(),
                "spread": (grid - streams[:, :, None]).norm(dim=-1).mean(),
                "identity": torch.pdist(people).mean(),
            }
        )
    return pd.DataFrame(rows).astype(float).rename_axis("step")


def strangers_first(start: Scene) -> float:
    """Share of infrared features that lie nearer to one of a stranger than to a visible own one.

    The stranger's feature is infrared, the own one of the same identity; the nearest of each counts.
    """
    half = len(start.points) // 2
    own = start.labels[half:, None] == start.labels[:half]  # (n/2, n/2), alike in both modalities
    visible = torch.cdist(start.points[half:], start.points[:half])
    infrared = torch.cdist(start.points[half:], start.points[half:])
    nearest = visible.where(own, torch.inf).amin(1), infrared.where(~own, torch.inf).amin(1)
    return float((nearest[1] < nearest[0]).float().mean())


def draw_scene(axis: Axes, start: Scene, points: Tensor, trail: Tensor | None = None) -> None:
    """Points by identity (colour) and stream (marker; infrared hollow), with a cross at each mean.

    Args:
        axis: to draw on.
        start: whose labels and shape the points have.
        points: (n, 2).
        trail: (steps, n, 2), drawn thin behind the points.
    """
    grid = start.grid(points)
    for person in range(start.identities):
        colour = _IDENTITY_COLOURS[person % len(_IDENTITY_COLOURS)]
        if trail is not None:
            mine = trail[:, start.labels == person]
            axis.plot(mine[..., 0], mine[..., 1], color=colour, lw=0.6, alpha=0.35, zorder=1)
        for stream, name in enumerate(STREAMS):
            x, y = grid[stream, person].T
            face = colour if name.startswith("v") else "white"
            axis.scatter(
                x, y, marker=STREAM_MARKERS[name], s=26, facecolor=face, edgecolor=colour, zorder=3
            )
        x, y = grid[:, person].mean((0, 1))
        axis.plot(x, y, marker="X", ms=8, color=colour, mec="black", mew=0.8, zorder=4)
    axis.set_aspect("equal")


def scene_figure(start: Scene, title: str) -> Figure:
    """One scene, with its legend."""
    figure, axis = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
    draw_scene(axis, start, start.points)
    axis.set(title=title, xlabel="first coordinate", ylabel="second coordinate")
    axis.legend(handles=_legend(), loc="center left", bbox_to_anchor=(1.02, 0.5))
    return figure


def flow_panels(
    start: Scene, paths: Mapping[str, Tensor], moments: Sequence[int], title: str
) -> Figure:
    """Small multiples: a row for each path, a column for each moment (a step).

    Args:
        start: whose labels and shape the points have.
        paths: by name, each (steps + 1, n, 2) as `flow` gives it.
        moments: steps to draw.
        title: of the figure.
    """
    figure, axes = plt.subplots(
        len(paths), len(moments), figsize=(2.6 * len(moments) + 0.4, 2.05 * len(paths) + 0.9),
        sharex="row", sharey="row", squeeze=False, layout="constrained",
    )  # fmt: skip
    for row, (name, path) in zip(axes, paths.items(), strict=True):
        for axis, moment in zip(row, moments, strict=True):
            draw_scene(axis, start, path[moment], path[: moment + 1])
            axis.tick_params(labelsize=8)
        row[0].set_ylabel(name)
    for axis, moment in zip(axes[0], moments, strict=True):
        axis.set_title(f"after {moment} steps" if moment else "start")
    figure.suptitle(title)
    figure.legend(handles=_legend(), loc="outside lower center", ncols=5)
    return figure


def gap_curves(curves: Mapping[str, pd.DataFrame], columns: Sequence[str], title: str) -> Figure:
    """A panel for each of ``columns`` of `gaps`, a line for each loss, over steps."""
    names = {
        "modality": "between an identity's modalities",
        "view": "between a modality's two streams",
        "spread": "about a stream's center",
        "identity": "between identities",
    }
    figure, axes = plt.subplots(
        1, len(columns), figsize=(3.7 * len(columns), 3.3), squeeze=False, layout="constrained"
    )
    styles = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
    for axis, column in zip(axes[0], columns, strict=True):
        for place, (name, table) in enumerate(curves.items()):
            axis.plot(
                table.index, table[column], label=name, color=PALETTE[place],
                ls=styles[place % len(styles)], lw=2,
            )  # fmt: skip
        axis.set(title=names[column], xlabel="step")
        axis.set_ylim(bottom=0)
    axes[0][0].set_ylabel("distance")
    axes[0][0].legend()
    figure.suptitle(title)
    return figure


def pull_curves(pulls: pd.DataFrame, title: str) -> Figure:
    """A line for each column over the distance that indexes the rows: the strength of a pull."""
    figure, axis = plt.subplots(figsize=(6.4, 3.4), layout="constrained")
    for place, (name, values) in enumerate(pulls.items()):
        style = ("-", "--", "-.", ":")[place % 4]
        axis.plot(pulls.index, values, label=name, color=PALETTE[place], ls=style, lw=2)
    axis.set(title=title, xlabel="distance of the feature from the center", ylabel="pull (n·|∇|)")
    axis.set_ylim(bottom=0)
    axis.set_xlim(0, float(np.max(pulls.index)))
    axis.legend()
    return figure


def _legend() -> list[Line2D]:
    handles = [
        Line2D(
            [], [], ls="", marker=STREAM_MARKERS[name], mec="black",
            mfc="black" if name.startswith("v") else "white", label=STREAM_NAMES[name],
        )
        for name in STREAMS
    ]  # fmt: skip
    cross = Line2D([], [], ls="", marker="X", color="white", mec="black", label="identity's mean")
    return [*handles, cross]
