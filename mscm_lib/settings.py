"""The `paper` and `released` settings: loss and choice of the epoch, by name.

Where the authors' release departs from their paper, or from good practice, `DEPARTURES` says by
which parameter each side is chosen here, or why there is nothing to choose. One parameter chooses
them all: ``setting: released`` in a study's ``run`` or in a variant, ``-p setting released``
for a notebook, ``RunConfig.from_mapping({"setting": "released"})`` in Python.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

SETTINGS: dict[str, dict[str, Any]] = {
    "paper": {
        "alpha": 0.05,  # the paper's best value of its sweep
        "pairing": "cross",  # its text: features approach centers of the opposite modality
        "selection": "last",  # never the test set
        "validate_every": 0,
    },
    "released": {
        "alpha": 0.0,  # the quadruple-center term is off in the release as published
        "pairing": "own",  # what its line would compute for α > 0: the feature's own stream
        "selection": "best-test",  # its rank-1 on the test gallery chooses the epoch
        "validate_every": 1,
    },
}
"""What each decides; all else is `RunConfig`'s default, in which the two agree."""


@dataclass(frozen=True)
class Departure:
    """One difference between the paper, the release, and good practice.

    Attributes:
        topic: what it is about, in a few words.
        parameter: the parameter of `RunConfig` that chooses, or "" where nothing is to be chosen.
        released: what the release does.
        here: what this project does, and how to get the other.
    """

    topic: str
    parameter: str
    released: str
    here: str


DEPARTURES: tuple[Departure, ...] = (
    Departure(
        "quadruple-center term", "alpha",
        "Runs with α = 0, so the term is off; the paper reports α = 0.05.",
        "alpha = 0.05 in `paper`, 0 in `released`.",
    ),
    Departure(
        "pairing of the quadruple center", "pairing",
        "For α > 0 its line computes the center of the feature's own stream; the paper's text has "
        "features approach centers of the opposite modality.",
        "pairing = 'cross' in `paper`, 'own' in `released`; 'parallel' is offered too.",
    ),
    Departure(
        "dead weight", "",
        "Each stem carries a whole unused ResNet-50 and each ALB both of its strided convolutions: "
        "156.5 M parameters are allocated, about 42 M take part.",
        "Only what takes part is built; `load_released` drops the rest by name.",
    ),
    Departure(
        "milestones", "milestones",
        "The code drops the rate at epochs 25, 90 and 120, the published log at 25 and 80.",
        "(25, 90, 120) in both settings; (25, 80) repeats the log.",
    ),
    Departure(
        "RegDB checkpoint", "",
        "Testing looks for a checkpoint that training never writes, then tests the weights at hand "
        "without a word.",
        "Weights that are missing or belong to another run are refused.",
    ),
    Departure(
        "LLCM feature", "feature",
        "LLCM is ranked by a mix of pooled and BN feature, and in one script with flip averaging "
        "(parameter `flip`); which of them made the paper's figures is not known.",
        "feature = 'neck' on every dataset; 'mix' with mix_weight, and flip, are offered.",
    ),
    Departure(
        "margin", "margin",
        "A margin on the command line is ignored: 0.7 is fixed.",
        "margin = 0.7 in both settings, and every other value works.",
    ),
    Departure(
        "second optimizer", "",
        "A 'shallow' optimizer is scheduled and never steps.",
        "One optimizer; the training is the same.",
    ),
    Departure(
        "choice of the epoch", "selection",
        "The epoch with the best rank-1 on the test gallery is kept.",
        "selection = 'last' in `paper`, 'best-test' in `released`; 'best-validation' chooses on "
        "held-out identities.",
    ),
    Departure(
        "resuming", "",
        "Resuming at epoch 75 or later trains nothing (the loop ends at 150 - start), and only "
        "weights are saved.",
        "Optimizer, schedule and random states are saved; a resumed run ends like any other.",
    ),
)  # fmt: skip


def choices(name: str) -> dict[str, Any]:
    """What the setting decides: its values of the parameters in which the settings differ."""
    return dict(SETTINGS[name])
