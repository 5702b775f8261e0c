"""An index asked with a picture, through the half of its network that the picture needs.

Neither PyTorch nor pandas is imported here: they would take longer than the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from mscm_lib.config import check_known
from mscm_lib.data.layouts.mistaken import file_mistaken_for
from mscm_lib.data.packed.decoding import ImageFault, load_pixels
from mscm_lib.data.packed.opened import PackedDataset, open_packed
from mscm_lib.data.tables import Modality
from mscm_lib.errors import ConfigError, DataError
from mscm_lib.files import file_digest, made
from mscm_lib.paths import absent, located, resolve
from mscm_lib.retrieval.gallery import AGAIN, RECORD, GalleryIndex, Match
from mscm_lib.thresholds import Thresholds

MODALITIES: tuple[Modality, ...] = ("visible", "infrared")
Pixels = npt.NDArray[np.uint8]
_OWN_REMEDY = "give another picture, or save this one as 8-bit RGB"


def half_of(folder: Path, modality: Modality) -> Path:
    """The file of a modality's half of the network in an index's folder: pixels → unit feature."""
    return folder / f"{modality}.onnx"


class Searcher:
    """The index of a gallery and the network that made it, both in one ``folder``."""

    def __init__(self, index: GalleryIndex, folder: Path) -> None:
        self.index = index
        self.folder = folder
        self._halves: dict[Modality, Any] = {}

    @classmethod
    def open(cls, folder: Path | str) -> Searcher:
        """Open what `build_index` wrote.

        Raises:
            DataError: the folder is no index, or lacks a half of its network.
        """
        folder = Path(folder)
        index = GalleryIndex.open(folder)
        for modality in MODALITIES:
            made(half_of(folder, modality), f"this index has features only, {AGAIN}")
        return cls(index, folder)

    def check(
        self, modality: str, camera: int | None = None, identity: int | None = None
    ) -> Modality:
        """The modality, once it and the labels of a picture are found to fit the gallery.

        Raises:
            ConfigError: no such modality; its pictures come from other cameras; or the camera rule
                goes by the person, who is not named.
        """
        check_known("modality", modality, MODALITIES)
        cameras, protocol = self.index.about["cameras"][modality], self.index.protocol
        if camera is not None and camera not in cameras:
            raise ConfigError(
                f"camera = {camera}: {self.index.about['dataset']}'s {modality} pictures are of "
                f"camera {', '.join(map(str, cameras))}; leave it out for a picture of another"
            )
        if camera is not None and identity is None and protocol.own_camera:
            raise ConfigError(
                f"camera = {camera}: the camera rule of {protocol.name} leaves out images of the "
                "same person by this camera; give the identity too"
            )
        return cast("Modality", modality)

    def embed(self, pixels: Pixels, modality: Modality) -> npt.NDArray[np.float32]:
        """The index's feature of one picture: (H, W, 3) pixels → (1, D).

        Raises:
            DataError: the half of the network is damaged, or not of the one that made the index.
        """
        if modality not in self._halves:
            import onnxruntime  # a refused picture does not wait for it

            path = half_of(self.folder, modality)
            if file_digest(path) != self.index.about["halves"][modality]:
                raise DataError(f"{path}: not the network that embedded this gallery; {AGAIN}")
            providers = ["CPUExecutionProvider"]
            self._halves[modality] = onnxruntime.InferenceSession(path, providers=providers)
        (feature,) = self._halves[modality].run(["feature"], {"images": pixels[None]})
        return np.asarray(feature)

    def search(
        self,
        image: Path | str | Pixels,
        modality: Modality,
        k: int = 10,
        camera: int | None = None,
        identity: int | None = None,
    ) -> list[Match]:
        """The gallery ranked for one picture, down to rank ``k``.

        Args:
            image: a file, or (H, W, 3) RGB pixels of the size that the network takes.
            modality: "visible" or "infrared": the stems that the picture goes through.
            camera: that took the picture; with it the protocol's camera rule is followed.
            identity: of the person, where known.

        Raises:
            ConfigError: see `check`.
            DataError: the file is no usable image, or pixels have another size.
        """
        modality = self.check(modality, camera, identity)
        feature = self.embed(self.pixels(image), modality)
        labels = ([label] if label is not None else None for label in (camera, identity))
        return self.index.search(feature, k, *labels)[0]

    def thresholds(self) -> Thresholds:
        """How alike two images must be to count as one person, kept with the index.

        Raises:
            DataError: the index holds none; the message says why, and what to do.
        """
        about, record = self.index.about, self.folder / RECORD
        if "thresholds" not in about:
            raise DataError(f"{record}: has no 'thresholds' to decide by; {AGAIN}: mscm index RUN")
        if about["thresholds"] is None:
            raise DataError(
                f"{record}: no 'thresholds' to decide by, since {about['dataset']} has no two "
                "training people to choose them on; search without --decide"
            )
        try:
            return Thresholds.from_dict(about["thresholds"])
        except DataError as error:
            raise DataError(f"{record}: {error}; {AGAIN}: mscm index RUN") from error

    @cached_property
    def _infrared(self) -> frozenset[str]:
        table = self.index.table
        pairs = zip(table.paths, table.infrared, strict=True)
        return frozenset(path for path, infrared in pairs if infrared)

    def decided(
        self, matches: Sequence[Match], modality: Modality, camera: int | None = None
    ) -> list[Match]:
        """Those of a search's matches that count as the person asked for; none: nobody here.

        Images that the camera rule leaves out are left out, and so are images of the query's own
        modality, for which no threshold is known. Modality and camera are the picture's, as `search`
        was told. Raises as `thresholds`.
        """
        thresholds, asked = self.thresholds(), modality == "infrared"
        found = []
        for match in matches:
            pair = (camera, match.camera) if asked else (match.camera, camera)
            other = (match.path in self._infrared) != asked
            if other and not match.excluded and match.score >= thresholds.of(*pair):
                found.append(match)
        return found

    def packed(self) -> PackedDataset:
        """The dataset whose gallery is searched.

        Raises:
            DataError: it is not there any more, or is another one.
        """
        about = self.index.about
        return open_packed(resolve(about["data_folder"]), about["dataset_fingerprint"])

    def pictures(self, matches: Sequence[Match]) -> list[Pixels]:
        """(H, W, 3) pixels of matches; raises as `packed`."""
        images = self.packed().images
        return list(images.read(images.rows([match.path for match in matches])))

    def pixels(self, image: Path | str | Pixels) -> Pixels:
        """(H, W, 3) pixels as the network takes them; a file is taken as a viewer shows it.

        Raises:
            DataError: the file is no usable image, or pixels have another size or type.
        """
        height, width = self.index.about["height"], self.index.about["width"]
        if not isinstance(image, np.ndarray):
            path = located(image)
            if not path.is_file():
                raise DataError(f"{str(image)!r} is no picture: {absent(image)}")
            try:
                return load_pixels(path, height, width, as_shown=True)
            except ImageFault as fault:  # whose remedy is a dataset's, but for what is another kind
                other = file_mistaken_for(path)
                remedy = other.remedy if other else _OWN_REMEDY
                raise DataError(f"{path}: {fault.reason}; {remedy}") from fault
        if image.shape != (height, width, 3) or image.dtype != np.uint8:
            raise DataError(
                f"pixels of shape {image.shape} and type {image.dtype}: expected "
                f"({height}, {width}, 3) of uint8; a file would be brought to size"
            )
        return image
