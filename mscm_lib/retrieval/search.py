"""A run's gallery as an index with its network, asked with a picture."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mscm_lib.config import RunConfig, unknown_key
from mscm_lib.data import views
from mscm_lib.data.images import load_pixels
from mscm_lib.data.packed import open_packed
from mscm_lib.data.tables import ImageTable, Modality
from mscm_lib.errors import ConfigError, DataError
from mscm_lib.evaluation.embedding import Embeddings, embed_table
from mscm_lib.evaluation.run import load_run_network
from mscm_lib.evaluation.verification import FALSE_MATCH, run_thresholds
from mscm_lib.files import atomic_path, file_digest
from mscm_lib.hardware import choose_hardware
from mscm_lib.models import MSCMNet
from mscm_lib.models.weights import load_network
from mscm_lib.paths import resolve
from mscm_lib.retrieval.gallery import AGAIN, GalleryIndex, Match
from mscm_lib.retrieval.neighbours import Method
from mscm_lib.thresholds import Thresholds

WEIGHTS = "model.safetensors"


def build_index(
    config: RunConfig,
    weights: Path | str,
    folder: Path | str,
    search: str | None = None,
    method: Method = "exact",
    progress: bool = True,
    false_match: float = FALSE_MATCH,
) -> GalleryIndex:
    """Embed every image that a search's gallery may hold, and keep it with the network.

    Args:
        config: of the run; says dataset, split and feature. Features are not flip-averaged.
        weights: of the run.
        folder: written whole or not at all.
        search: one of the dataset's searches; None: the first.
        method: "exact", or "approximate" for a graph that may miss neighbours.
        progress: show a bar.
        false_match: share of pairs of different people that `Searcher.decided` may take for one.

    Raises:
        CheckpointError: the weights belong to another dataset, split or number of identities.
        ConfigError: no such search or method, or a share that is none.
        DataError: the packed images are missing or damaged.
    """
    packed = open_packed(resolve(config.data_folder))
    hardware = choose_hardware(config)
    net = load_run_network(config, packed, weights, hardware)
    search = search or packed.dataset.searches[0]
    split = config.trial if len(packed.dataset.training_trials) > 1 else None
    table = packed.dataset.gallery_pool(search, split)
    found = embed_table(net, packed.images, table, hardware=hardware, progress=progress)
    thresholds = run_thresholds(net, packed, config, hardware, false_match, progress)
    about = {
        "dataset": config.dataset,
        "dataset_fingerprint": packed.images.fingerprint,
        "data_folder": config.data_folder,
        "search": search,
        "feature": config.feature,
        "mix_weight": config.mix_weight,
        "height": config.height,
        "width": config.width,
        "weights": file_digest(weights),
        "thresholds": thresholds and thresholds.as_dict(),
    }
    features = _feature(found, about)
    index = GalleryIndex.build(table, features, packed.dataset.protocol, method, about)
    with atomic_path(folder) as part:
        part.mkdir()
        index.write(part)
        shutil.copyfile(weights, part / WEIGHTS)
    return index


class Searcher:
    """An index and the network that made it.

    Attributes:
        index: of the gallery.
        net: in evaluation mode.
    """

    def __init__(self, index: GalleryIndex, net: MSCMNet) -> None:
        self.index = index
        self.net = net

    @classmethod
    def open(cls, folder: Path | str, device: str = "cpu") -> Searcher:
        """Open what `build_index` wrote.

        Raises:
            CheckpointError: the network's file is damaged.
            DataError: the folder is no index, or its network is not the one that made it.
        """
        index, weights = GalleryIndex.open(folder), Path(folder) / WEIGHTS
        if not weights.is_file():
            raise DataError(f"{weights}: no such file; this index has features only, {AGAIN}")
        if file_digest(weights) != index.about.get("weights"):
            raise DataError(f"{weights}: not the network that embedded this gallery; {AGAIN}")
        return cls(index, load_network(weights).net.to(device))

    def embed(self, pixels: npt.NDArray[np.uint8], modality: Modality) -> Tensor:
        """The index's feature of one picture: (H, W, 3) pixels → (1, D)."""
        device = next(self.net.parameters()).device
        images = torch.from_numpy(pixels[None].copy()).to(device)  # (1, H, W, 3)
        with torch.inference_mode():
            once = self.net.embed(views.test_transform(images), modality)
        features = {name: getattr(once, name).float().cpu() for name in ("pooled", "neck")}
        table = ImageTable.from_rows([("the query", 0, 0, modality == "infrared")])
        return _feature(Embeddings(table, features), self.index.about)

    def search(
        self,
        image: Path | str | npt.NDArray[np.uint8],
        modality: Modality,
        k: int = 10,
        camera: int | None = None,
        identity: int | None = None,
    ) -> list[Match]:
        """The gallery ranked for one picture.

        Args:
            image: a file, or (H, W, 3) RGB pixels of the size that the network takes.
            modality: "visible" or "infrared": the stems that the picture goes through.
            k: ranks wanted.
            camera: that took the picture; with it the protocol's camera rule is followed.
            identity: of the person, where known.

        Raises:
            ConfigError: no such modality.
            DataError: the file is no usable image, or pixels have another size.
        """
        if modality not in ("visible", "infrared"):
            raise ConfigError(unknown_key("modality", modality, ["visible", "infrared"]))
        cameras = None if camera is None else [camera]
        identities = None if identity is None else [identity]
        return self.index.search(self.embed(self.pixels(image), modality), k, cameras, identities)[
            0
        ]

    def decided(
        self, matches: Sequence[Match], modality: Modality, camera: int | None = None
    ) -> list[Match]:
        """Those of a search's matches that count as the person asked for; none: nobody here.

        Images that the camera rule leaves out are left out, and so are images of the query's own
        modality, for which no threshold is known.

        Raises:
            DataError: the index holds no thresholds.
        """
        thresholds = Thresholds.from_dict(self.index.about.get("thresholds"))
        other = {
            path
            for path, infrared in zip(
                self.index.table.paths, self.index.table.infrared, strict=True
            )
            if infrared != (modality == "infrared")
        }
        found = []
        for match in matches:
            pair = (camera, match.camera) if modality == "infrared" else (match.camera, camera)
            if match.path in other and not match.excluded and match.score >= thresholds.of(*pair):
                found.append(match)
        return found

    def pictures(self, matches: Sequence[Match]) -> list[npt.NDArray[np.uint8]]:
        """(H, W, 3) pixels of matches, from the packed dataset.

        Raises:
            DataError: the packed dataset is not there any more, or is another one.
        """
        about = self.index.about
        packed = open_packed(resolve(about["data_folder"]), about["dataset_fingerprint"])
        return list(packed.images.read(packed.images.rows([match.path for match in matches])))

    def pixels(self, image: Path | str | npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """(H, W, 3) pixels as the network takes them; a file's as a viewer shows them.

        Raises:
            DataError: the file is no usable image, or pixels have another size or type.
        """
        height, width = self.index.about["height"], self.index.about["width"]
        if not isinstance(image, np.ndarray):
            return load_pixels(Path(image), height, width, as_shown=True)
        if image.shape != (height, width, 3) or image.dtype != np.uint8:
            raise DataError(
                f"pixels of shape {image.shape} and type {image.dtype}: expected "
                f"({height}, {width}, 3) of uint8; a file would be brought to size"
            )
        return image


def _feature(found: Embeddings, about: dict[str, Any]) -> Tensor:
    name = about["feature"]
    return (found.with_mix(about["mix_weight"]) if name == "mix" else found).features[name]
