"""What a study compares: the entries of its ``variants``, its own and those of ``variants.yaml``, and
its ``contrasts``, the sums of their means that it states in advance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import fsum, isfinite
from pathlib import Path
from typing import Any

from mscm_lib.config import RunConfig, check_known
from mscm_lib.errors import ConfigError
from mscm_lib.own_parts import beside
from mscm_lib.paths import resolve
from mscm_lib.study.reading import heading, mapping, read_yaml, safe_name

FLOORS, CEILING = ("chance", "colour histogram", "untrained", "HOG", "HOG + LDA"), "oracle"
"""Rankings that need no training; they stand in every table beside the variants."""
# what a run is called and reads: its study says it elsewhere
_NAMED_ELSEWHERE = ("dataset", "data_folder", "trial", "seed", "variant", "height", "width")


def load_variants() -> dict[str, dict[str, Any]]:
    """Variants by name: the run parameters in which each departs from the paper's recipe."""
    return read_yaml(resolve("variants.yaml"))


def read_variants(where: str, values: Any) -> tuple[dict[str, str], dict[str, dict[str, Any]]]:
    """Labels, and the parameters of those variants that the study itself defines.

    Raises:
        ConfigError: a variant is unknown, has a second meaning, or is called as another row of the
            tables is.
    """
    labels: dict[str, str] = {}
    own: dict[str, dict[str, Any]] = {}
    known = load_variants()
    for name, value in mapping(f"{where}: variants", values, empty=False).items():
        place = f"{where}: variants.{safe_name(f'{where}: variants', name)}"
        parameters = {} if isinstance(value, str) else dict(mapping(place, value))
        labels[name] = heading(
            f"{place}: label", value if not parameters else parameters.pop("label", name)
        )
        _check_apart(place, name, labels)
        if not parameters:
            check_known(f"variant in {where}", name, known)
            continue
        if name in known:
            raise ConfigError(
                f"{place}: has parameters here and in variants.yaml; one name has one meaning: "
                "take another name, or leave the parameters out"
            )
        own[name] = run_parameters(place, parameters)
    return labels, own


def _check_apart(place: str, name: str, labels: Mapping[str, str]) -> None:
    """Rows of a table and bars of a figure are told apart by their names."""
    floors, label = (*FLOORS, CEILING), labels[name]
    taken = name if name in floors else label
    if taken in floors or [*labels.values()].count(label) > 1:
        raise ConfigError(
            f"{place}: {taken!r} is another row's name in the tables; take another name or label"
        )


def read_contrasts(
    where: str, values: Any, variants: Mapping[str, str]
) -> dict[str, dict[str, float]]:
    """Contrasts by name: a weight a variant, numbers that sum to zero and are not all zero.

    Raises:
        ConfigError: a variant is not among ``variants``, or weights are none of a contrast.
    """
    for name, weights in mapping(where, values).items():
        place = f"{where}.{heading(f'{where}: name', name)}"
        for variant, weight in mapping(place, weights, empty=False).items():
            check_known(f"variant in {place}", variant, variants)
            if type(weight) not in (int, float) or not isfinite(weight) or not weight:
                raise ConfigError(f"{place}.{variant} = {weight!r}: expected a number, not 0")
        if abs(total := fsum(weights.values())) > 1e-9:
            raise ConfigError(f"{place}: weights sum to {total:g}; expected 0, as a contrast's do")
    return {name: dict(weights) for name, weights in values.items()}


def run_parameters(where: str, values: Any) -> dict[str, Any]:
    """Parameters that a study gives to its runs, without those that follow from what it covers."""
    for key in mapping(where, values):
        if key in _NAMED_ELSEWHERE:
            raise ConfigError(
                f"{where}.{key}: follows from the study's data, variants, trials and seeds; leave "
                "it out"
            )
    return dict(values)


def placed(value: Any, folder: Path) -> Any:
    """A key's value in a study's file in ``folder``, with its own parts under their paths from the root.

    So it means the same wherever another study takes it to.
    """
    if not isinstance(value, Mapping):
        return value
    return beside({name: placed(each, folder) for name, each in value.items()}, folder)


def with_epochs(names: Sequence[str], own: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Those of the variants ``names`` that say how many epochs they train; ``own``: see `read_variants`."""
    known = {**load_variants(), **own}
    return [name for name in names if "epochs" in known[name]]


def check_epochs(
    where: str, names: Sequence[str], meant: Mapping[str, Any], run: Mapping[str, Any]
) -> None:
    """Refuse variants ``names`` with epochs of their own beside another recipe than they were meant for.

    Four times the 18 epochs of one recipe are less than half of another's 150.
    """
    there, here = (each.get("epochs", RunConfig.epochs) for each in (meant, run))
    if there != here:
        raise ConfigError(
            f"{where}: {', '.join(names)} have epochs of their own, meant beside a training of {there}; "
            f"here it is {here}. Define such lengths in a study with this data and variants of its own"
        )
