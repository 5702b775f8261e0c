"""A metric loss of the user's own, built and checked before any training."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from mscm_lib import own_checks, own_parts
from mscm_lib.own_parts import OwnPart

PEOPLE, IMAGES = 3, 2


def build_own_loss(value: str, views: int, identities: int, dim: int, seed: int) -> nn.Module:
    """The loss "path/to/file.py:Name", after trying it as `mscm_lib.own_parts` says.

    Args:
        value: the file, and the class or function in it.
        views: streams of a batch, 2 to 4.
        identities: classes of the training.
        dim: channels of a pooled feature.
        seed: of what the loss draws for itself; the global random state is left as it was.

    Raises:
        ConfigError: the loss breaks a rule; the message says which.
    """
    part = own_parts.load("metric_loss", value)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        loss = own_checks.build(part, identities=identities, dim=dim)
        people = torch.arange(PEOPLE).clamp_max(identities - 1)
        labels = people.repeat_interleave(IMAGES).repeat(views)  # (n,)
        noise = torch.randn(len(labels), dim)
        tried = copy.deepcopy(loss)
        _try(part, tried, noise, labels, "random features")
        _try(part, tried, torch.zeros_like(noise), labels, "features that coincide")
        again = own_checks.build(part, identities=identities, dim=dim)
        own_checks.check_state(part, tried, again, lambda made: made(noise, labels))
        own_checks.check_device(part, tried, noise, labels)
    return loss


def _try(part: OwnPart, loss: nn.Module, features: Tensor, labels: Tensor, what: str) -> None:
    leaf = features.clone().requires_grad_()
    pooled, classes = leaf.clone(), labels.clone()
    with part.running(f"forward(pooled {tuple(pooled.shape)}, labels {tuple(labels.shape)})"):
        value = loss(pooled, classes)
    part.require(
        isinstance(value, Tensor) and value.shape == () and value.dtype == torch.float32,
        f"forward returned {own_checks.described(value)}; expected torch.float32 of shape ()",
    )
    part.require(bool(value.isfinite()), f"the loss of {what} is {value.item()}")
    own_checks.check_untouched(part, pooled, classes)
    own_checks.check_gradients(part, loss, value, leaf, what)
