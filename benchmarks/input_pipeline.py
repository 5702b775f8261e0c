"""Views a second: packed rows and augmentation on the device, beside per-sample transforms.

    python benchmarks/input_pipeline.py [--cores 2] [--rounds 5] [--steps 20]

Both make the four views of the same batches at 384x192 from the same packed images: ours through
the study's loader, the plain form through torchvision transforms in as many DataLoader workers as
there are cores. Rounds alternate, and the first batches of a round, in which workers start, do not
count. Then the part of ours that a GPU does not take over (reading, drawing, handing on) is timed
alone, and the time that a device with a step of 60 ms would wait for it.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Iterator

import numpy as np
import torch
from common import generated_data, record, summary
from plain import plain_loader
from torch import Tensor

from mscm_lib.data import open_packed
from mscm_lib.data.batches.loader import Loader
from mscm_lib.data.batches.sampler import IdentitySampler
from mscm_lib.data.batches.view_draws import ViewDraws
from mscm_lib.data.batches.views import FourViews
from mscm_lib.data.packed.opened import PackedDataset

HEIGHT, WIDTH, PEOPLE, IMAGES = 384, 192, 6, 4
PAIRS = PEOPLE * IMAGES
VIEWS = 4 * PAIRS  # of a step
DEVICE_STEP = 0.06  # seconds: the aim on a datacentre GPU
SKIPPED = 6  # batches before the clock starts: workers come up, queues fill


class Untouched(FourViews):
    """Leaves the images as they are: what is left is the host's part of the work."""

    def apply(self, visible: Tensor, infrared: Tensor, draws: ViewDraws) -> tuple[Tensor, ...]:
        return visible, infrared


def make_loader(
    packed: PackedDataset, steps: int, device: torch.device, views: type[FourViews]
) -> Loader:
    table = packed.dataset.train()
    sampler = IdentitySampler(table, PEOPLE, IMAGES, seed=0, steps=steps)
    rows = packed.images.rows(table.paths)
    return Loader(packed.images, rows, sampler, views(HEIGHT, WIDTH), device)


def plain_batches(packed: PackedDataset, steps: int, workers: int) -> Iterator[list[Tensor]]:
    table = packed.dataset.train()
    sampler = IdentitySampler(table, PEOPLE, IMAGES, seed=0, steps=steps)
    rows = packed.images.rows(table.paths)
    pairs = [
        (int(rows[visible]), int(rows[infrared]), int(label))
        for batch in sampler.batches(0)
        for visible, infrared, label in zip(*batch, strict=True)
    ]
    return plain_loader(packed.images.images, pairs, (HEIGHT, WIDTH), PAIRS, workers)


def seconds_a_step(
    batches: Iterator[tuple[Tensor, ...]], steps: int, device: torch.device
) -> float:
    """Mean seconds between two batches on the device, after the first `SKIPPED`."""
    for batch in itertools.islice(batches, SKIPPED):
        _arrived(batch, device)
    began = time.perf_counter()
    for batch in itertools.islice(batches, steps):
        _arrived(batch, device)
    return (time.perf_counter() - began) / steps


def _arrived(batch: tuple[Tensor, ...], device: torch.device) -> None:
    for tensor in batch:
        tensor.to(device)
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def host_part(loader: Loader, steps: int) -> tuple[float, float]:
    """Seconds a step of the host alone, and seconds waited a step beside a 60 ms step."""
    began = time.perf_counter()
    for _ in loader.epoch(0):
        pass
    alone = (time.perf_counter() - began) / steps
    for _ in loader.epoch(1):
        time.sleep(DEVICE_STEP)
    return alone, loader.waited / steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--output", default="results/benchmarks/input_pipeline.json")
    args = parser.parse_args()
    torch.set_num_threads(args.cores)
    device, steps = torch.device(args.device), args.steps + SKIPPED
    packed = open_packed(generated_data(HEIGHT, WIDTH, people=12))

    ours: list[float] = []
    plain: list[float] = []
    loader = make_loader(packed, steps, device, FourViews)
    for turn in range(args.rounds):
        views = (batch.views for batch in loader.epoch(turn))
        ours.append(seconds_a_step(views, args.steps, device))
        samples = (tuple(batch) for batch in plain_batches(packed, steps, args.cores))
        plain.append(seconds_a_step(samples, args.steps, device))
        print(
            f"round {turn + 1}: ours {VIEWS / ours[-1]:.0f}, plain {VIEWS / plain[-1]:.0f} views/s"
        )
    ratio = float(np.median(plain) / np.median(ours))
    alone, waited = host_part(make_loader(packed, steps, torch.device("cpu"), Untouched), steps)
    print(
        f"plain / ours: {ratio:.1f} (medians, {device}, {args.cores} cores, {VIEWS} views a step)"
    )
    print(
        f"host's part: {1000 * alone:.1f} ms a step; a device with a step of "
        f"{1000 * DEVICE_STEP:.0f} ms waits {1000 * waited:.1f} ms of it"
    )
    found = {
        "ours seconds a step": summary(ours), "plain seconds a step": summary(plain),
        "ratio": ratio, "views a step": VIEWS, "host seconds a step": alone,
        "waited seconds a step": waited, "device step seconds": DEVICE_STEP,
    }  # fmt: skip
    record(args.output, vars(args), device, found)


if __name__ == "__main__":
    main()
