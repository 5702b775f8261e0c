"""The learning rate over epochs."""

from __future__ import annotations

from mscm_lib.config import RunConfig

DECAY = 0.1


def rate_factor(config: RunConfig, epoch: int) -> float:
    """What both base rates are multiplied by in ``epoch`` (from 0); constant within an epoch.

    Warm-up rises linearly over the first ``warmup_epochs`` epochs from a tenth to the whole: 0.1,
    0.2, … 1.0 for the recipe's ten. A warm-up of one epoch stays at a tenth. Each milestone
    reached multiplies by 0.1.

    Source: training recipe of arXiv 2311.14395.
    """
    factor = DECAY ** sum(epoch >= milestone for milestone in config.milestones)
    if epoch < config.warmup_epochs:
        rise = epoch / (config.warmup_epochs - 1) if config.warmup_epochs > 1 else 0.0
        factor *= 0.1 + 0.9 * rise
    return factor
