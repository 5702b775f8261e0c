"""Packed datasets: decoded once, in parallel, then read without the tree they came from."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from mscm_lib.data.base import ReidDataset
from mscm_lib.data.datasets import dataset_from_manifest
from mscm_lib.data.packed.arrays import INDEX, MANIFEST, PackedImages, is_current, read_manifest
from mscm_lib.data.packed.decoding import Pixels, load_pixels
from mscm_lib.data.packed.writing import PackWriter
from mscm_lib.data.workers import available_cores, progress_bar
from mscm_lib.errors import ConfigError, DataError

CHUNK = 16  # images that a worker decodes at a time
Load = Callable[[Path, int, int], Pixels]

__all__ = ["PackWriter", "PackedDataset", "PackedImages", "open_packed", "pack_dataset"]


@dataclass(frozen=True)
class PackedDataset:
    """A dataset without its tree, and its pixels.

    Attributes:
        dataset: splits, queries and galleries; its root is the folder of the arrays.
        images: pixels, keyed by the paths of the dataset's tables.
    """

    dataset: ReidDataset
    images: PackedImages


def open_packed(folder: Path | str, fingerprint: str | None = None) -> PackedDataset:
    """The packed dataset in ``folder``.

    Args:
        folder: as `pack_dataset` or `generate` wrote it.
        fingerprint: of the dataset that it must come from; None: any.

    Raises:
        DataError: the folder is missing, half-written, damaged, or made from something else.
    """
    folder = Path(folder)
    images = PackedImages.open(folder, fingerprint)
    dataset = dataset_from_manifest(read_manifest(folder), folder)
    if dataset.images.paths != images.paths:
        raise DataError(
            f"{folder}: {INDEX} and {MANIFEST} name other images; delete the folder and pack again"
        )
    return PackedDataset(dataset, images)


def pack_dataset(
    dataset: ReidDataset,
    folder: Path | str,
    height: int,
    width: int,
    workers: int | None = None,
    progress: bool = True,
) -> PackedImages:
    """Decode and resize every image of ``dataset`` into the folder of packed arrays.

    The folder appears when it is complete. Until then the work lies beside it in
    ``.<name>.part`` with a journal, and the same call continues there after a kill. A folder that
    is complete, of the same fingerprint and size, is opened as it is; any other packed folder is
    replaced.

    Args:
        dataset: opened from its tree.
        folder: to make.
        height: of the packed images in pixels.
        width: of the packed images in pixels.
        workers: threads that decode (Pillow works without the interpreter's lock); None: one a
            core.
        progress: show a bar on stderr.

    Raises:
        ConfigError: a size below 1 or no workers.
        DataError: an image cannot be used, or ``folder`` holds something else.
        StorageError: the disk is full or the folder cannot be written; what is packed is kept.
    """
    folder = Path(folder)
    for key, value in (("height", height), ("width", width), ("workers", workers)):
        if value is not None and value < 1:
            raise ConfigError(f"{key} = {value!r}: expected 1 or more")
    manifest = {
        **dataset.manifest(),
        "height": height,
        "width": width,
        "fingerprint": dataset.fingerprint(),
    }
    table = dataset.images
    if is_current(folder, dataset.fingerprint(), height, width):
        return PackedImages.open(folder)
    with PackWriter(folder, manifest, table) as writer:
        paths = [dataset.root / path for path in table.paths[writer.done :]]
        title = f"packing {dataset.name}"
        load: Load = partial(load_pixels, as_shown=True) if dataset.as_shown else load_pixels
        with progress_bar(len(table), title, progress, done=writer.done) as bar:
            for pixels in _decoded(load, paths, height, width, workers or available_cores()):
                writer.append(pixels)
                bar.update(len(pixels))
        writer.finish()
    return PackedImages.open(folder)


def _decoded(
    load: Load, paths: Sequence[Path], height: int, width: int, workers: int
) -> Iterator[Pixels]:
    """(n, height, width, 3) pixels of consecutive chunks of ``paths``, in order."""
    chunks = [paths[i : i + CHUNK] for i in range(0, len(paths), CHUNK)]
    pending: deque[Future[Pixels]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="pack")
    try:
        for chunk in chunks:
            pending.append(pool.submit(_load_chunk, load, chunk, height, width))
            # A few chunks ahead and no more, or a slow disk would fill the memory with pixels.
            if len(pending) > 2 * workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _load_chunk(load: Load, paths: Sequence[Path], height: int, width: int) -> Pixels:
    out = np.empty((len(paths), height, width, 3), dtype=np.uint8)
    for place, path in enumerate(paths):
        out[place] = load(path, height, width)
    return out
