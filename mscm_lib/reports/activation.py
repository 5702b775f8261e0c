"""Class activation maps of retrieval: where in a picture the similarity to its person comes from.

Grad-CAM (Selvaraju et al. 2017, arXiv 1610.02391). What is explained is no class but a score of
retrieval: the cosine between a picture's neck feature and the mean feature of the same person's
pictures in the other modality.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.nn import functional

from mscm_lib.data import views
from mscm_lib.data.tables import ImageTable, Modality
from mscm_lib.models import MSCMNet
from mscm_lib.models.weights import load_network
from mscm_lib.reports.numbers import FinishedRun

Maps = npt.NDArray[np.float32]
DEEP = "layer 4"  # whose map has a sixteenth of the picture's columns; a stem's has a quarter
NAMES = {"v_g": "V_g stem", "v_c": "V_c stem", "i_g": "I_g stem", "i_c": "I_c stem"}


def grad_cam(layers: dict[str, nn.Module], score: Callable[[], Tensor]) -> dict[str, Tensor]:
    """Maps of where in a layer's output a score comes from.

    A channel counts by the mean of the score's gradient over its positions; of the weighted sum of
    channels what is positive stays (equations 1 and 2).

    Args:
        layers: by name, each with an output (N, C, h, w); of one that runs twice the first counts.
        score: runs the network on N pictures and returns their scores (N,).

    Returns:
        (N, h, w) by layer.
    """
    outputs: dict[str, Tensor] = {}

    def keep(name: str, output: Tensor) -> None:
        outputs.setdefault(name, output)

    hooks = [
        layer.register_forward_hook(lambda _module, _inputs, output, name=name: keep(name, output))
        for name, layer in layers.items()
    ]
    try:
        with torch.enable_grad():
            total = score().sum()
    finally:
        for hook in hooks:
            hook.remove()
    found = {}
    gradients = torch.autograd.grad(total, [outputs[name] for name in layers])
    for name, gradient in zip(layers, gradients, strict=True):
        weights = gradient.mean(dim=(2, 3), keepdim=True)  # (N, C, 1, 1)
        found[name] = functional.relu((weights * outputs[name]).sum(dim=1)).detach()
    return found


def _enlarged(maps: Tensor, size: tuple[int, int]) -> Maps:
    """(N, h, w) maps at the pictures' size, each from 0 to 1."""
    large = functional.interpolate(_unit(maps)[:, None], size, mode="bilinear")[:, 0]
    return _unit(large).numpy()


def _unit(maps: Tensor) -> Tensor:
    maps = maps - maps.amin(dim=(1, 2), keepdim=True)
    return maps / (maps.amax(dim=(1, 2), keepdim=True) + 1e-7)


def activation_maps(run: FinishedRun, table: ImageTable, before: bool = False) -> dict[str, Maps]:
    """Where the similarity of each picture to its person in the other modality comes from.

    Args:
        run: a finished one.
        table: N pictures of one modality, of searched people.
        before: by the network before its first step instead.

    Returns:
        (N, H, W) maps from 0 to 1, each scaled by its own greatest value, by the name of the layer:
        the modality's stems one by one, and the last layer of the trunk.
    """
    modality: Modality = "infrared" if table.infrared.all() else "visible"
    saved = load_network(run.weights).net
    net = MSCMNet.from_config(run.config, saved.identities).eval() if before else saved
    rows = run.packed.images.rows(table.paths)
    pixels = torch.from_numpy(run.packed.images.read(rows))
    x = views.test_transform(pixels).float()  # (N, 3, H, W)
    references = _references(run, table)
    layers: dict[str, nn.Module] = {
        NAMES.get(name, name): stem
        for name, stem in net.streams.stems.items()
        if name[0] == modality[0] or not name.startswith(("v", "i"))
    }
    layers[DEEP] = net.trunk.layer4
    maps = grad_cam(layers, lambda: (net.embed(x, modality).neck * references).sum(dim=1))
    return {name: _enlarged(values, (x.shape[2], x.shape[3])) for name, values in maps.items()}


def _references(run: FinishedRun, table: ImageTable) -> Tensor:
    """(N, C): for each picture the mean neck feature of its person in the other modality."""
    known, features = run.embeddings.table, run.embeddings.features["neck"].float()
    other = known.infrared != bool(table.infrared.all())
    means = [features[torch.from_numpy(other & (known.ids == i))].mean(dim=0) for i in table.ids]
    return functional.normalize(torch.stack(means))


def maps_figure(run: FinishedRun, table: ImageTable, maps: dict[str, Maps], title: str) -> Figure:
    """Pictures in the first column, each layer's map over them in the others; a row a picture."""
    images = run.packed.images.read(run.packed.images.rows(table.paths))
    names = ["picture", *maps]
    shape = images.shape[1] / images.shape[2]
    figure, axes = plt.subplots(
        len(table), len(names), figsize=(1.35 * len(names), 0.5 + 1.25 * shape * len(table)),
        layout="constrained", squeeze=False,
    )  # fmt: skip
    for row, image in enumerate(images):
        for axis, name in zip(axes[row], names, strict=True):
            axis.imshow(image)
            if name != "picture":
                axis.imshow(maps[name][row], cmap="cividis", alpha=0.6, vmin=0, vmax=1)
            axis.set_axis_off()
            if row == 0:
                axis.set_title(name, fontsize=10)
    figure.suptitle(title, fontsize=11)
    return figure


def spread(maps: dict[str, Maps]) -> dict[str, dict[str, float]]:
    """By layer, over the maps that are not empty: share of the picture that holds half of a map's
    weight, and share of weight in the middle half of its width, where the person stands; NaN for the
    latter where the layer's own map has fewer than four columns. And how many maps are empty."""
    found: dict[str, dict[str, float]] = {}
    for name, every in maps.items():
        values = every[every.any(axis=(1, 2))]
        flat = np.sort(values.reshape(len(values), -1), axis=1)[:, ::-1]
        total = flat.sum(axis=1, keepdims=True)
        half = (np.cumsum(flat, axis=1) / total < 0.5).mean(axis=1)
        width = values.shape[2]
        middle: Any = values[:, :, width // 4 : width - width // 4].sum(axis=(1, 2)) / total[:, 0]
        columns = width // (16 if name == DEEP else 4)
        found[name] = {
            "area of half the weight": half.mean() if len(half) else np.nan,
            "weight in the middle": middle.mean() if len(middle) and columns >= 4 else np.nan,
            "empty maps": len(every) - len(values),
        }
    return found


def alike(maps: dict[str, Maps]) -> float:
    """Correlation over pixels of two stems' maps, as a mean over pictures; NaN where there is one."""
    stems = [values.reshape(len(values), -1) for name, values in maps.items() if "stem" in name]
    if len(stems) != 2:
        return float("nan")
    with np.errstate(invalid="ignore"):  # an empty map correlates with nothing
        each = [np.corrcoef(a, b)[0, 1] for a, b in zip(*stems, strict=True)]
    return float(np.nanmean(each))
