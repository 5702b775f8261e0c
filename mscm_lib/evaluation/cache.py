"""Embeddings that an evaluation leaves, so that other questions need no network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from mscm_lib.data.packed.opened import PackedDataset
from mscm_lib.errors import DataError
from mscm_lib.evaluation.embedding import Embeddings
from mscm_lib.files import write_text

FEATURES_FILE, PATHS_FILE = "features.safetensors", "paths.txt"
AGAIN = "delete the folder and evaluate the run again"


def save_embeddings(folder: Path, embedded: Mapping[bool, Embeddings], fingerprint: str) -> None:
    """Write features as they were ranked, and the paths of their images.

    Args:
        folder: that exists.
        embedded: of the same images, by whether features are averaged with the mirrored image's;
            those are kept under names that end in ``_flip``.
        fingerprint: of the packed dataset.
    """
    tensors = {
        f"{name}_flip" if flip else name: values.contiguous()
        for flip, embeddings in embedded.items()
        for name, values in embeddings.features.items()
    }
    table = next(iter(embedded.values())).table
    write_text(folder / PATHS_FILE, "\n".join(table.paths) + "\n")
    save_file(tensors, folder / FEATURES_FILE, metadata={"dataset_fingerprint": fingerprint})


def load_embeddings(folder: Path, packed: PackedDataset, flip: bool = False) -> Embeddings:
    """The embeddings that `save_embeddings` left in ``folder``.

    Args:
        folder: of a finished evaluation.
        packed: the dataset that they are of.
        flip: those averaged with the mirrored image's.

    Raises:
        DataError: the files are missing, damaged, or of another dataset, or were written without
            flip averaging.
    """
    path = folder / FEATURES_FILE
    try:
        with safe_open(path, framework="pt") as file:
            fingerprint = (file.metadata() or {}).get("dataset_fingerprint")
            found = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        paths = (folder / PATHS_FILE).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError as error:
        raise DataError(
            f"{error.filename or path}: no such file; evaluate the run first"
        ) from error
    except (OSError, SafetensorError) as error:
        raise DataError(f"{path}: damaged ({error}); {AGAIN}") from error
    if fingerprint != packed.images.fingerprint:
        raise DataError(
            f"{path}: features of the dataset {fingerprint!r}, wanted {packed.images.fingerprint!r}"
            f"; {AGAIN}"
        )
    features = {n.removesuffix("_flip"): v for n, v in found.items() if n.endswith("_flip") == flip}
    if not features:
        raise DataError(
            f"{path}: holds no features averaged over mirrored images; set flip = true and "
            "evaluate the run again"
        )
    table = packed.dataset.images
    rows = {image: row for row, image in enumerate(table.paths)}
    try:
        index = np.array([rows[image] for image in paths])
    except KeyError as error:
        raise DataError(
            f"{folder / PATHS_FILE}: {error.args[0]} is not in the dataset; {AGAIN}"
        ) from error
    return Embeddings(table[index], features)
