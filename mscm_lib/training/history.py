"""The figures of an epoch, as history.csv keeps them."""

from __future__ import annotations

import math
from itertools import product

from mscm_lib.config import RunConfig
from mscm_lib.training.diagnostics import PAIRS, PLACES, PRODUCTS, similarity
from mscm_lib.training.schedule import rate_factor

MEASURES = [
    "identity_loss", "metric_loss", "correct", "diagnosed", "active_separation",
    *("_".join(name) for name in product(PLACES, PAIRS, PRODUCTS)),
]  # fmt: skip
"""What a step adds to the meter, beside the gradient norms of the network's parts."""


def history_row(
    config: RunConfig, epoch: int, steps: int, processes: int, sums: dict[str, float]
) -> dict[str, float]:
    """An epoch's row, from the sums over its steps and over all processes.

    Columns: ``epoch`` (from 0), ``rate`` (of neck and classifier), ``trunk_rate``; means over
    steps of ``loss``, ``identity_loss``, ``metric_loss``; ``accuracy`` of the classifier on the
    rows trained on; and from every tenth step ``active_separation`` (share of QCT's separation
    hinges that are active), ``gradient_<part>`` (norms) and ``cka_<place>_<pair>`` (linear CKA
    between streams, after the stems and after pooling). What a variant has not,
    and what no step of the epoch could tell, is NaN.
    """
    factor = rate_factor(config, epoch)
    # cross-entropy is a mean over a process's own rows; the metric loss is global on each
    identity = sums["identity_loss"] / (steps * processes)
    metric = sums["metric_loss"] / (steps * processes)
    rows = steps * config.views * config.identities_per_batch * config.images_per_identity
    diagnosed = sums["diagnosed"] or math.nan
    row = {
        "epoch": float(epoch),
        "rate": config.head_rate * factor,
        "trunk_rate": config.trunk_rate * factor,
        "loss": identity + config.metric_weight * metric,
        "identity_loss": identity,
        "metric_loss": metric,
        "accuracy": sums["correct"] / rows,
        "active_separation": math.nan,
    }
    if config.metric_loss == "qct":
        row["active_separation"] = sums["active_separation"] / diagnosed
    row |= {n: total / diagnosed for n, total in sums.items() if n.startswith("gradient_")}
    for place, pair in product(PLACES, PAIRS):
        parts = [sums[f"{place}_{pair}_{name}"] for name in PRODUCTS]
        row[f"cka_{place}_{pair}"] = similarity(parts)
    return row


def columns(config: RunConfig, names: list[str]) -> list[str]:
    """The columns of a history whose meter has ``names``, for a run of no epochs too."""
    return list(history_row(config, 0, 1, 1, dict.fromkeys(names, 1.0)))
