"""What a user brings to a study, parts and data, tried before anything is trained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mscm_lib.config import RunConfig
from mscm_lib.errors import ConfigError, DataError
from mscm_lib.own_parts import KEYS, is_own
from mscm_lib.paths import alike, resolve
from mscm_lib.study.definition import DataDefinition
from mscm_lib.study.settings import Study

SEED = 1_618_033
"""That parts are built from here: one that nobody's part is likely to set itself."""


def tried(study: Study) -> Iterator[str]:
    """Try each part of the user's own on noise, and read each CSV of images that is there.

    Yields:
        A line for each part and dataset, and each milestone after the last epoch; nothing for a
        study that has none of these.

    Raises:
        CheckpointError: weights are in a file that no backbone can take.
        ConfigError: weights or a backbone are not there, a part breaks a rule of
            `mscm_lib.own_parts`, or the images cannot fill a batch.
        DataError: a CSV cannot be used; the first problem is named, and the command that shows all.
    """
    runs = [*map(study.config, study.runs())]
    _check_networks(runs)
    for epochs, late in dict.fromkeys((c.epochs, m) for c in runs for m in c.milestones):
        if late >= epochs > 0:
            yield f"  milestones: {late} is not reached in {epochs} epochs: the rate will not drop there"
    yield from _parts(study)
    for definition in study.data.values():
        if definition.reader == "table":
            yield from _table(study, definition)


def _check_networks(runs: Sequence[RunConfig]) -> None:
    """Refuse weights that are in no file here or none of a backbone, and backbones unknown to timm."""
    for weights in dict.fromkeys(config.weights for config in runs):
        if weights in ("none", "imagenet"):
            continue
        if not resolve(weights).is_file():
            raise ConfigError(
                f"weights = {weights!r}: no file at {resolve(weights)}; expected 'none', 'imagenet' "
                "or the path of a state dict of the backbone"
            )
        from mscm_lib.models.given import check_state_dict

        check_state_dict(resolve(weights))
    backbones = dict.fromkeys(config.backbone for config in runs)
    for name in (name for name in backbones if name.startswith("timm:")):
        import torch

        from mscm_lib.models.backbones import build_backbone

        with torch.device("meta"):  # timm looks its name up; nothing is drawn
            build_backbone(name, "none", 32, 16)


def _parts(study: Study) -> Iterator[str]:
    done = set[tuple[object, ...]]()
    for config in map(study.config, study.runs()):
        own = {key: getattr(config, key) for key in KEYS if is_own(getattr(config, key))}
        place = (*own.values(), config.backbone, config.height, config.width, config.views)
        if own and place not in done:
            _build(config)
            size = f"at {config.height}×{config.width}"
            done.add(place)
            yield from (f"  {key}: {value} keeps the rules {size}" for key, value in own.items())


def _build(config: RunConfig) -> None:
    """Build a run's network and loss, which tries own parts; nothing is downloaded."""
    from mscm_lib.losses import build_metric_loss
    from mscm_lib.models import MSCMNet

    if config.weights == "imagenet" and not is_own(config.backbone):
        config = config.replace(weights="none")
    config = config.replace(seed=SEED)
    people = config.identities_per_batch
    network = MSCMNet.from_config(config, people)
    build_metric_loss(config, people, network.channels)


def _table(study: Study, definition: DataDefinition) -> Iterator[str]:
    from mscm_lib.data.batches.sampler import IdentitySampler
    from mscm_lib.data.datasets import read_tree
    from mscm_lib.data.faults import Findings

    key, source = definition.key, resolve(definition.source)
    if not source.exists():
        place = f"{definition.source} yet{alike(source)}"
        yield f"  {key}: not read, since there is no folder {place}"
        return
    findings = Findings()
    dataset = read_tree("table", source, findings, definition.settings)
    if fatal := [finding for finding in findings if finding.severity == "fatal"]:
        raise DataError(
            f"{source}: {fatal[0]}. All that is wrong, at once: "
            f"mscm doctor table {definition.source} --data {key}"
        )
    assert dataset is not None  # read_tree gives None with a fatal finding only
    runs = [study.config(run) for run in study.runs() if run.dataset == key]
    batches = dict.fromkeys(
        (c.validation, c.trial, c.identities_per_batch, c.images_per_identity, c.steps_per_epoch)
        for c in runs
    )
    for validation, trial, people, images, steps in batches:
        sampler = IdentitySampler(dataset.train(validation, trial), people, images, 0, steps)
    asked = ", ".join(f"{len(dataset.query(s)):,} queries {s}" for s in dataset.searches)
    yield f"  {key}: {len(dataset.images):,} images, {len(sampler.identities)} people train, {asked}"
    yield from (f"  {key}: {finding}" for finding in findings)
