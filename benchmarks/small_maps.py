"""Deep 3×3 convolutions over small maps as matrix products, against the device's convolutions.

    python benchmarks/small_maps.py [--repetitions 20] [--output …csv]

Forward and backward passes alternate in one process, for single layers of a ResNet's depth and for
a whole step of the quick study's network (ResNet-18 at 64x32, 64 views, the run's number format).
On a GPU both are the same convolution.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable

import torch
from common import record_row

from mscm_lib.config import RunConfig
from mscm_lib.hardware import Hardware, choose_hardware
from mscm_lib.losses import QuadrupleCenterTripletLoss
from mscm_lib.models import MSCMNet, small_maps

LAYERS = ((512, 4, 2), (512, 6, 3), (512, 8, 4), (256, 4, 2), (256, 8, 4))
"""Channels, height and width; 8×4 positions are more than a product is used for."""
PEOPLE, IMAGES, IDENTITIES = 8, 2, 64


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=20)
    parser.add_argument("--output", default="results/benchmarks/small_maps.csv")
    options = parser.parse_args()
    config = RunConfig(backbone="resnet18", weights="none", height=64, width=32)
    hardware = choose_hardware(config)
    rows = []
    for channels, height, width in LAYERS:
        work = layer(channels, height, width, hardware)
        rows.append(compare(f"{channels} channels, {height}×{width}", work, options.repetitions))
    rows.append(compare("training step, quick study", step(config, hardware), options.repetitions))
    for row in rows:
        row["precision"] = hardware.precision
    record_row(options.output, rows, hardware.name)
    return 0


def compare(what: str, work: Callable[[], None], repetitions: int) -> dict[str, object]:
    """Medians of both ways, a product wherever the layer allows it, taken in turn."""
    times: dict[str, list[float]] = {"product": [], "convolution": []}
    usual = small_maps.FEW_POSITIONS
    try:
        for repetition in range(-2, repetitions):  # two of each to warm up
            for name, positions in (("product", 1024), ("convolution", 0)):
                small_maps.FEW_POSITIONS = usual if "step" in what and positions else positions
                began = time.perf_counter()
                work()
                if repetition >= 0:
                    times[name].append(time.perf_counter() - began)
    finally:
        small_maps.FEW_POSITIONS = usual
    product, convolution = (statistics.median(values) for values in times.values())
    print(f"{what}: {convolution / product:.2f} times as fast")
    return {
        "what": what, "product_ms": 1000 * product, "convolution_ms": 1000 * convolution,
        "ratio": convolution / product,
    }  # fmt: skip


def layer(channels: int, height: int, width: int, hardware: Hardware) -> Callable[[], None]:
    plain = torch.nn.Conv2d(channels, channels, 3, padding=1, bias=False)
    conv = hardware.place(small_maps.SmallMapConv2d.of(plain))
    x = torch.randn(4 * PEOPLE * IMAGES, channels, height, width, device=hardware.device)
    x = x.to(memory_format=torch.channels_last).requires_grad_()

    def work() -> None:
        with hardware.autocast():
            y = conv(x)
        torch.autograd.grad(y, [x, conv.weight], torch.ones_like(y))

    return work


def step(config: RunConfig, hardware: Hardware) -> Callable[[], None]:
    network = hardware.place(MSCMNet.from_config(config, IDENTITIES)).train()
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3, momentum=0.9, fused=True)
    loss = QuadrupleCenterTripletLoss()
    views = [
        torch.randn(PEOPLE * IMAGES, 3, config.height, config.width, device=hardware.device)
        .to(memory_format=torch.channels_last)
        for _ in range(4)
    ]  # fmt: skip
    labels = torch.arange(PEOPLE, device=hardware.device).repeat_interleave(IMAGES)

    def work() -> None:
        with hardware.autocast():
            rows = network(*views)
        entropy = torch.nn.functional.cross_entropy(rows.logits.float(), labels.repeat(4))
        (entropy + loss(rows.pooled, labels)).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return work


if __name__ == "__main__":
    sys.exit(main())
