"""The feature space of a run before and after training: a map of it, and distances between modalities."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from sklearn.manifold import TSNE
from sklearn.metrics import roc_auc_score

from mscm_lib.data.tables import ImageTable
from mscm_lib.evaluation import embed_table
from mscm_lib.hardware import choose_hardware
from mscm_lib.models import MSCMNet
from mscm_lib.reports.numbers import FinishedRun
from mscm_lib.reports.style import MODALITY_MARKERS, PALETTE, RIGHT, WRONG

Features = npt.NDArray[np.float32]
STATES = ("before training", "after training")


def some_people(run: FinishedRun, people: int, images: int, seed: int = 0) -> ImageTable:
    """Up to ``images`` images of each modality of ``people`` searched people, drawn at random."""
    table = run.embeddings.table
    generator = np.random.default_rng(seed)
    both = np.intersect1d(table.ids[table.infrared], table.ids[~table.infrared])
    rows: list[int] = []
    for person in generator.permutation(both)[:people]:
        for infrared in (False, True):
            own = np.flatnonzero((table.ids == person) & (table.infrared == infrared))
            rows += generator.permutation(own)[:images].tolist()
    return table[sorted(rows)]


def before_and_after(run: FinishedRun, table: ImageTable) -> dict[str, Features]:
    """The neck features of ``table``'s images by the network before its first step and after its
    last, each (N, C) of unit length, by name of the state."""
    hardware = choose_hardware(run.config)
    fresh = MSCMNet.from_config(run.config, len(np.unique(run.packed.dataset.train().ids)))
    network = hardware.place(fresh).eval()
    first = embed_table(network, run.packed.images, table, hardware=hardware, progress=False)
    values = (first.features["neck"], run.embeddings.of(table, "neck"))
    return {name: each.numpy() for name, each in zip(STATES, values, strict=True)}


def pairs_across(features: Features, table: ImageTable) -> pd.DataFrame:
    """Cosine distance of every pair of an infrared and a visible image: columns distance, pair
    ("same person" or "two people")."""
    cosine = features[table.infrared] @ features[~table.infrared].T
    same = table.ids[table.infrared][:, None] == table.ids[~table.infrared][None]
    names = np.where(same.ravel(), "same person", "two people")
    return pd.DataFrame({"distance": 1 - cosine.ravel(), "pair": names})


def separation(pairs: pd.DataFrame) -> dict[str, float]:
    """How well distance tells pairs of one person from others.

    Returns:
        "area under the curve" (0.5: not at all, 1: always); "overlap" of the two histograms (1: the
        same); mean distance of either kind.
    """
    same = pairs["pair"] == "same person"
    edges = np.linspace(pairs["distance"].min(), pairs["distance"].max(), 51)
    shares = [
        np.histogram(pairs["distance"][kind], edges)[0] / kind.sum() for kind in (same, ~same)
    ]
    return {
        "area under the curve": float(roc_auc_score(same, -pairs["distance"])),
        "overlap": float(np.minimum(*shares).sum()),
        "mean, same person": float(pairs["distance"][same].mean()),
        "mean, two people": float(pairs["distance"][~same].mean()),
    }


def map_of(features: Features, seed: int = 0) -> npt.NDArray[np.float32]:
    """t-SNE of (N, C) features in the plane, (N, 2); the same seed gives the same map."""
    perplexity = min(30.0, (len(features) - 1) / 3)
    model = TSNE(metric="cosine", init="random", perplexity=perplexity, random_state=seed)
    found: npt.NDArray[np.float32] = model.fit_transform(features)
    return found


def maps_figure(maps: dict[str, npt.NDArray[Any]], table: ImageTable, title: str) -> Figure:
    """A map a state: one colour a person, one marker a modality."""
    figure, axes = plt.subplots(len(maps), 1, figsize=(6.4, 5.2 * len(maps)), layout="constrained")
    people = {person: place for place, person in enumerate(np.unique(table.ids))}
    colours = np.array([PALETTE[people[i] % len(PALETTE)] for i in table.ids])
    for axis, (name, places) in zip(np.atleast_1d(axes), maps.items(), strict=True):
        for infrared, modality in ((False, "visible"), (True, "infrared")):
            here = table.infrared == infrared
            axis.scatter(
                *places[here].T, c=colours[here], marker=MODALITY_MARKERS[modality], s=34,
                edgecolors="black", linewidths=0.4, label=modality,
            )  # fmt: skip
        axis.set(title=name, xticks=[], yticks=[])
        axis.grid(visible=False)
        axis.legend(fontsize=9)
    figure.suptitle(title, fontsize=12)
    return figure


def distances_figure(pairs: dict[str, pd.DataFrame], title: str) -> Figure:
    """Histograms of distances between modalities, a panel a state."""
    figure, axes = plt.subplots(
        len(pairs), 1, figsize=(6.4, 2.7 * len(pairs)), layout="constrained", sharex=True
    )
    for axis, (name, table) in zip(np.atleast_1d(axes), pairs.items(), strict=True):
        sns.histplot(
            data=table, x="distance", hue="pair", stat="density", common_norm=False, bins=50, ax=axis,
            palette={"same person": RIGHT, "two people": WRONG}, element="step",
            hue_order=["same person", "two people"],
        )  # fmt: skip
        axis.set(title=name, xlabel="cosine distance, infrared to visible", ylabel="density")
    figure.suptitle(title, fontsize=12)
    return figure
