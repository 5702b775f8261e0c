"""Embedding extraction against the released recipe's plain form.

    python benchmarks/embedding.py [--images 48 --repetitions 3] [--output …json]

Both embed the same packed images at 384x192 with ResNet-50, as often as it takes to have so many,
passes alternating in one process: this library's `embed_table` (whole batches normalised on the
device, both stems of one modality, the number format of the device, channels-last) and the plain
network with per-sample transforms in worker processes that are started once and stay, default memory
format, float16 autocast on a GPU and float32 on a CPU.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from common import generated_data, record, summary, timed
from PIL import Image
from plain import PlainNetwork
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from mscm_lib.config import RunConfig
from mscm_lib.data.packed.opened import PackedDataset, open_packed
from mscm_lib.data.tables import ImageTable
from mscm_lib.evaluation.embedding import embed_table
from mscm_lib.hardware import choose_hardware
from mscm_lib.models import MSCMNet

HEIGHT, WIDTH, PEOPLE, IDENTITIES = 384, 192, 12, 395


class PlainImages(Dataset[Tensor]):
    """One image at a time, made a tensor and normalised."""

    def __init__(self, images: np.ndarray, rows: np.ndarray) -> None:
        self.images, self.rows = images, rows
        mean, deviation = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
        steps = [transforms.ToTensor(), transforms.Normalize(mean, deviation)]
        self.transform = transforms.Compose(steps)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Tensor:
        return self.transform(Image.fromarray(self.images[self.rows[index]]))


def main() -> int:
    gpu = torch.cuda.is_available()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=4096 if gpu else 48)
    parser.add_argument("--batch", type=int, default=128 if gpu else 24)
    parser.add_argument("--repetitions", type=int, default=5 if gpu else 3)
    parser.add_argument("--workers", type=int, default=2, help="of the plain input pipeline")
    parser.add_argument("--output", default="results/benchmarks/embedding.json")
    options = parser.parse_args()
    config = RunConfig(weights="none")
    hardware = choose_hardware(config)
    packed = open_packed(generated_data(HEIGHT, WIDTH, PEOPLE))
    table = packed.dataset.train()
    table = table[np.resize(np.arange(len(table)), options.images)]
    contenders = {
        "ours": ours(config, packed, table, options.batch),
        "plain": plain(packed, table, hardware.device, options),
    }
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for repetition in range(-1, options.repetitions):  # one of each to warm up
        for name, embed in contenders.items():
            took = timed(embed, hardware.device)
            if repetition >= 0:
                seconds[name].append(took)
    times = {name: summary(values) for name, values in seconds.items()}
    ratio = times["plain"]["median"] / times["ours"]["median"]
    rates = {name: len(table) / value["median"] for name, value in times.items()}
    print(
        f"{len(table)} images in {hardware.precision}: this library {rates['ours']:.2f} images/s, "
        f"plain {rates['plain']:.2f} images/s: {ratio:.2f} times as fast"
    )
    found = {
        "images": len(table), "precision": hardware.precision, "seconds": times,
        "images_per_s": rates, "ratio": ratio,
    }  # fmt: skip
    parameters = {k: v for k, v in vars(options).items() if k != "output"}
    size = {"height": HEIGHT, "width": WIDTH}
    record(options.output, {**parameters, **size}, hardware.device, found)
    return 0


def ours(
    config: RunConfig, packed: PackedDataset, table: ImageTable, batch: int
) -> Callable[[], Any]:
    hardware = choose_hardware(config)
    network = hardware.place(MSCMNet.from_config(config, IDENTITIES)).eval()
    settle(network)
    return lambda: embed_table(
        network, packed.images, table, batch, hardware=hardware, progress=False
    )


def plain(
    packed: PackedDataset, table: ImageTable, device: torch.device, options: argparse.Namespace
) -> Callable[[], Any]:
    network = PlainNetwork(IDENTITIES, HEIGHT, WIDTH).to(device).eval()
    settle(network)
    images, half = np.asarray(packed.images.images), device.type == "cuda"
    loaders = {}
    for infrared in (False, True):
        rows = packed.images.rows(table[table.infrared == infrared].paths)
        loaders[infrared] = DataLoader(
            PlainImages(images, rows), options.batch, num_workers=options.workers,
            persistent_workers=options.workers > 0,
        )  # fmt: skip

    def embed() -> list[Tensor]:
        features = []
        for infrared, loader in loaders.items():
            with torch.no_grad(), torch.autocast(device.type, torch.float16, enabled=half):
                features += [network.embed(x.to(device), infrared).cpu() for x in loader]
        return features

    return embed


def settle(network: torch.nn.Module) -> None:
    """Close the non-local blocks: an untrained network's statistics would let them overflow."""
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_var.fill_(4.0)  # type: ignore[union-attr]


if __name__ == "__main__":
    sys.exit(main())
