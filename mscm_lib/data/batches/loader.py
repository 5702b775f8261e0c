"""Brings batches to the device while the device computes."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from contextlib import suppress
from queue import Full, Queue
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from mscm_lib.data.batches.sampler import IdentitySampler, Rows
from mscm_lib.data.batches.view_draws import ViewDraws
from mscm_lib.data.batches.views import FourViews
from mscm_lib.data.packed.arrays import PackedImages
from mscm_lib.errors import DataError

_POLL_SECONDS = 0.1  # how often a waiting thread looks whether the other one is still there


class Batch(NamedTuple):
    """What a step trains on.

    Attributes:
        views: V_g, V_c, I_g, I_c or V_g, I_g, each (B, 3, H, W) float32 on the device.
        labels: (B,) classes, one for each row of every view.
    """

    views: tuple[Tensor, ...]
    labels: Tensor


class _Raw(NamedTuple):
    """A batch before augmentation; on a GPU the copy may still be under way."""

    images: Tensor  # (2B, H, W, 3) uint8: visible, then infrared
    labels: Tensor  # (B,)
    draws: ViewDraws
    copied: torch.cuda.Event | None


class Loader:
    """Batches of an epoch in the sampler's order, read ahead by one background thread.

    The thread gathers packed uint8 rows and draws the views' choices; for a GPU it pins them and
    copies them on a stream of its own. Augmentation itself runs on the device, in the caller's
    stream. One thread is enough: a batch is a few hundred kilobytes a row, read from the file cache.

    Args:
        images: packed pixels; read row by row, so that an epoch does not pull them all into memory.
        rows: (M,) for each row of the sampler's table, its row of ``images``.
        sampler: which images a step sees.
        views: how their views are made.
        device: where batches go.
        ahead: batches read ahead.

    Attributes:
        waited: seconds that the caller has waited for data in the running or last epoch.

    Raises:
        DataError: a row lies outside the packed images.
    """

    def __init__(
        self,
        images: PackedImages,
        rows: Rows,
        sampler: IdentitySampler,
        views: FourViews,
        device: torch.device | str = "cpu",
        ahead: int = 3,
    ) -> None:
        self.sampler, self.views, self.device = sampler, views, torch.device(device)
        self.waited = 0.0
        if len(rows) and not 0 <= rows.min() <= rows.max() < len(images):
            raise DataError(
                f"the training table asks for packed rows {rows.min()} to {rows.max()}, but only "
                f"{len(images)} images are packed; pack the dataset again"
            )
        self._images, self._rows, self._ahead = images, rows, ahead
        self._stream = torch.cuda.Stream(self.device) if self.device.type == "cuda" else None

    def epoch(self, epoch: int, start: int = 0) -> Generator[Batch]:
        """Batches of ``epoch`` from step ``start`` on; closing the iterator ends the thread.

        What the thread raises is raised here.
        """
        self.waited = 0.0
        ready: Queue[_Raw | BaseException] = Queue(self._ahead)
        stop = threading.Event()
        thread = threading.Thread(
            target=self._read, args=(epoch, start, ready, stop), name="loader", daemon=True
        )
        thread.start()
        try:
            for _ in range(start, self.sampler.steps):
                began = time.perf_counter()
                item = ready.get()
                self.waited += time.perf_counter() - began
                if isinstance(item, BaseException):
                    raise item
                yield self._augment(item)
        finally:
            stop.set()
            thread.join()

    def _read(
        self, epoch: int, start: int, ready: Queue[_Raw | BaseException], stop: threading.Event
    ) -> None:
        try:
            for step in range(start, self.sampler.steps):
                if not _put(ready, self._gather(epoch, step), stop):
                    return
        except BaseException as error:
            _put(ready, error, stop)

    def _gather(self, epoch: int, step: int) -> _Raw:
        batch = self.sampler.batch(epoch, step)
        count, pinned = len(batch.labels), self._stream is not None
        rows = self._rows[np.concatenate([batch.visible, batch.infrared])]
        images = torch.from_numpy(self._images.read(rows))
        if pinned:
            images = images.pin_memory()
        labels = torch.from_numpy(batch.labels)
        draws = self.views.draw(epoch, step, count, self.sampler.first)
        if self._stream is None:
            return _Raw(images, labels, draws, None)
        copied = torch.cuda.Event()
        with torch.cuda.stream(self._stream):
            images = images.to(self.device, non_blocking=True)
            labels = labels.pin_memory().to(self.device, non_blocking=True)
            draws = draws.pin_memory().to(self.device, non_blocking=True)
            copied.record(self._stream)
        return _Raw(images, labels, draws, copied)

    def _augment(self, raw: _Raw) -> Batch:
        if raw.copied is not None:
            current = torch.cuda.current_stream(self.device)
            current.wait_event(raw.copied)
            for tensor in (raw.images, raw.labels, raw.draws.numbers):
                tensor.record_stream(current)  # its memory is not reused while this stream needs it
        visible, infrared = raw.images.chunk(2)
        return Batch(self.views.apply(visible, infrared, raw.draws), raw.labels)


def _put(
    queue: Queue[_Raw | BaseException], item: _Raw | BaseException, stop: threading.Event
) -> bool:
    """Put ``item`` when there is room; False if the reader has left meanwhile."""
    while not stop.is_set():
        with suppress(Full):
            queue.put(item, timeout=_POLL_SECONDS)
            return True
    return False
