"""Batches on their way to the device: packed pixels gathered ahead, views made where they are used.

While the device works on a step, a thread reads the pixels of the next ones; on a GPU they are
pinned and copied on a stream of their own, so that the step never waits for the disk or the bus.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from mscm_lib.data.packed import PackedImages
from mscm_lib.data.sampler import IdentitySampler
from mscm_lib.data.tables import ImageTable
from mscm_lib.data.view_draws import ViewDraws
from mscm_lib.data.views import FourViews


@dataclass(frozen=True)
class _Pixels:
    """A step's raw material: (B, H, W, 3) uint8 of each modality, (B,) labels, the views' draws."""

    visible: Tensor
    infrared: Tensor
    labels: Tensor
    draws: ViewDraws

    def moved(self, device: torch.device) -> _Pixels:
        """The same on ``device``, through page-locked memory where it is a GPU."""
        if device.type == "cpu":
            return self
        visible, infrared, labels = (
            x.pin_memory().to(device, non_blocking=True)
            for x in (self.visible, self.infrared, self.labels)
        )
        draws = self.draws.pin_memory().to(device, non_blocking=True)
        return _Pixels(visible, infrared, labels, draws)

    def tensors(self) -> tuple[Tensor, ...]:
        """Everything that lies on the device."""
        return self.visible, self.infrared, self.labels, self.draws.numbers


class Loader:
    """An epoch's views and labels, step by step, always in the sampler's order.

    Args:
        images: packed pixels.
        table: the training rows that the sampler draws from.
        sampler: draws each step's rows.
        views: makes the augmented views.
        device: where the views are made and used.
        ahead: steps read in advance.

    Attributes:
        waited: seconds that steps have waited for pixels since the start of the epoch.
    """

    def __init__(
        self,
        images: PackedImages,
        table: ImageTable,
        sampler: IdentitySampler,
        views: FourViews,
        device: torch.device | str = "cpu",
        ahead: int = 3,
    ) -> None:
        self.images, self.sampler, self.views = images, sampler, views
        self.device = torch.device(device)
        self.ahead = ahead
        self.waited = 0.0
        self._rows = images.rows(table.paths)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[tuple[tuple[Tensor, ...], Tensor]]:
        """(views, labels) of each step from ``start`` on, on the device.

        Views are V_g, V_c, I_g, I_c or V_g, I_g, each (B, 3, H, W) float32; labels (B,) int64.
        What reading raises is raised here, at the step that it concerns.
        """
        self.waited = 0.0
        ready: queue.Queue[_Pixels | BaseException | None] = queue.Queue(self.ahead)
        leave = threading.Event()
        thread = threading.Thread(
            target=self._read, args=(epoch, start, ready, leave), daemon=True, name="loader"
        )
        thread.start()
        try:
            while True:
                asked = time.perf_counter()
                pixels = ready.get()
                self.waited += time.perf_counter() - asked
                if pixels is None:
                    return
                if isinstance(pixels, BaseException):
                    raise pixels
                yield self._finish(pixels)
        finally:
            leave.set()
            while thread.is_alive():  # the thread may be waiting for a place in the queue
                _empty(ready)
                thread.join(0.01)

    def _read(
        self,
        epoch: int,
        start: int,
        ready: queue.Queue[_Pixels | BaseException | None],
        leave: threading.Event,
    ) -> None:
        stream = torch.cuda.Stream(self.device) if self.device.type == "cuda" else None
        try:
            for step, batch in enumerate(self.sampler.batches(epoch, start), start):
                if leave.is_set():
                    return
                draws = self.views.draw(epoch, step, len(batch.labels), self.sampler.first)
                pixels = _Pixels(
                    torch.from_numpy(self.images.read(self._rows[batch.visible])),
                    torch.from_numpy(self.images.read(self._rows[batch.infrared])),
                    torch.from_numpy(batch.labels),
                    draws,
                )
                with torch.cuda.stream(stream) if stream else nullcontext():
                    pixels = pixels.moved(self.device)
                if stream:
                    stream.synchronize()  # this thread waits for the copy; the step does not
                ready.put(pixels)
            ready.put(None)
        except BaseException as error:
            ready.put(error)

    def _finish(self, pixels: _Pixels) -> tuple[tuple[Tensor, ...], Tensor]:
        if self.device.type == "cuda":
            for tensor in pixels.tensors():  # made on the copy's stream, used on this one
                tensor.record_stream(torch.cuda.current_stream(self.device))
        with torch.no_grad():
            views = self.views.apply(pixels.visible, pixels.infrared, pixels.draws)
        return views, pixels.labels


def _empty(ready: queue.Queue[_Pixels | BaseException | None]) -> None:
    """Empty a queue that nobody reads from any more."""
    while True:
        try:
            ready.get_nowait()
        except queue.Empty:
            return
