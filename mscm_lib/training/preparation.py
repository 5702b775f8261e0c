"""Everything that must be right before a run starts: data, batch, sampler, loader."""

from __future__ import annotations

from dataclasses import dataclass

from mscm_lib.config import RunConfig
from mscm_lib.data.batches.loader import Loader
from mscm_lib.data.batches.sampler import IdentitySampler
from mscm_lib.data.batches.views import FourViews
from mscm_lib.data.packed.opened import PackedDataset, open_packed
from mscm_lib.errors import ConfigError
from mscm_lib.hardware import Hardware
from mscm_lib.paths import resolve
from mscm_lib.training.distributed import Group
from mscm_lib.training.retrieval import Retrieval, build_retrieval


@dataclass(frozen=True)
class Material:
    """What a run trains on.

    Attributes:
        packed: the packed dataset.
        sampler: draws this process's share of each batch.
        loader: brings views and labels to the device.
        retrieval: measures the network while it trains; None where it is not asked for.
        pairs: P·K, images of each modality in a batch of all processes.
    """

    packed: PackedDataset
    sampler: IdentitySampler
    loader: Loader
    retrieval: Retrieval | None
    pairs: int

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return len(self.sampler)

    @property
    def identities(self) -> int:
        """Classes of the classifier."""
        return len(self.sampler.identities)

    @property
    def fingerprint(self) -> str:
        """Of the dataset that the images were packed from."""
        return self.packed.images.fingerprint

    def identities_of(self, epoch: int, step: int) -> list[int]:
        """The identities in a step's batch of all processes, as the dataset numbers them."""
        return [int(number) for number in self.sampler.identities_in(epoch, step)]


def prepare(config: RunConfig, hardware: Hardware, group: Group) -> Material:
    """Open the data and set up the batches of this process.

    Raises:
        ConfigError: the images are packed at another size, the data cannot fill a batch or an
            epoch, the batch cannot be dealt to the processes, or validation has nothing to look at.
        DataError: the packed images are missing or damaged.
    """
    folder = resolve(config.data_folder or f"data/packed/{config.dataset}")
    packed = open_packed(folder)
    for key in ("height", "width"):
        wanted, found = getattr(config, key), getattr(packed.images, key)
        if wanted != found:
            raise ConfigError(
                f"{key} = {wanted}, but {folder} holds images of {packed.images.height}x"
                f"{packed.images.width}; set height and width to that, or pack the data again"
            )
    table = packed.dataset.train(validation=config.validation, trial=config.trial)
    sampler = IdentitySampler(
        table,
        config.identities_per_batch,
        config.images_per_identity,
        config.seed,
        config.steps_per_epoch,
        group.rank,
        group.size,
    )
    views = FourViews.from_config(config)
    rows = packed.images.rows(table.paths)
    loader = Loader(packed.images, rows, sampler, views, hardware.device)
    pairs = config.identities_per_batch * config.images_per_identity
    return Material(packed, sampler, loader, build_retrieval(config, packed), pairs)
