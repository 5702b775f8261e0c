"""A training step, input included, against the released recipe in its plain form.

    python benchmarks/training_step.py [--people 2 --images 2 --steps 5] [--output …json]

Both train ResNet-50 at 384x192 on the same images, step about in one process: a step of this
library (packed images read ahead, views made on the device, one loss over whole tensors, bfloat16
where the device has it, channels-last, fused SGD), the same step under strict determinism, as
studies train, and a step of `plain.py`. Printed: medians, their ratio, the step's two floors (its
operations over the measured matrix-product ceiling, its bytes over the measured bandwidth) and the
step's share of each, and peak memory, each contender in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import generated_data, highest_memory, record, summary, timed
from machine import Traffic, bandwidth, matrix_ceiling
from plain import PlainTrainer, plain_loader
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from mscm_lib.config import RunConfig
from mscm_lib.data.batches.sampler import IdentitySampler
from mscm_lib.hardware import choose_hardware
from mscm_lib.training.distributed import Group
from mscm_lib.training.preparation import Material, prepare
from mscm_lib.training.scope import reproducible
from mscm_lib.training.state import StateFolder
from mscm_lib.training.trainer import Trainer

HEIGHT, WIDTH, PEOPLE = 384, 192, 12
IDENTITIES = 395  # SYSU-MM01's, for the plain classifier; ours has the data's own
Step = Callable[[], None]


def main() -> int:
    gpu = torch.cuda.is_available()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=6 if gpu else 2, help="P")
    parser.add_argument("--images", type=int, default=4 if gpu else 2, help="K")
    parser.add_argument("--steps", type=int, default=50 if gpu else 5)
    parser.add_argument("--warm-up", type=int, default=10 if gpu else 1, help="steps not counted")
    parser.add_argument("--workers", type=int, default=2, help="of the plain input pipeline")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--output", default="results/benchmarks/training_step.json")
    parser.add_argument("--memory-of", choices=["ours", "plain"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    config = RunConfig(
        dataset="benchmark", data_folder=str(generated_data(HEIGHT, WIDTH, PEOPLE)),
        weights="none", identities_per_batch=options.people,
        images_per_identity=options.images, steps_per_epoch=10_000, compile=options.compile,
        deterministic=False,
    )  # fmt: skip
    if options.memory_of:
        return report_memory(config, options)
    found = measure(config, options)
    found["peak_memory_gib"] = {who: memory_of(who, options) for who in ("ours", "plain")}
    print(f"peak memory, GiB: {found['peak_memory_gib']}")
    parameters = {k: v for k, v in vars(options).items() if k not in ("output", "memory_of")}
    device = choose_hardware(config).device
    record(options.output, {**parameters, "height": HEIGHT, "width": WIDTH}, device, found)
    return 0


def measure(config: RunConfig, options: argparse.Namespace) -> dict[str, Any]:
    hardware = choose_hardware(config)
    material = prepare(config, hardware, Group())
    trainer = build_ours(config, material)
    ours, plain = our_step(trainer), plain_step(config, material, options)
    contenders = {"ours": (ours, False), "deterministic": (ours, True), "plain": (plain, False)}
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for repetition in range(-options.warm_up, options.steps):
        for name, (step, deterministic) in contenders.items():
            with reproducible(hardware.device, deterministic, seed=0):
                took = timed(step, hardware.device)
            if repetition >= 0:
                seconds[name].append(took)
    operations, moved = count(trainer, material)
    ceiling, rate = matrix_ceiling(hardware.device, hardware.dtype), bandwidth(hardware.device)
    times = {name: summary(values) for name, values in seconds.items()}
    median = times["ours"]["median"]
    steps = 2 * (options.steps + options.warm_up)  # with and without determinism
    found = {
        "views_a_step": 4 * options.people * options.images,
        "precision": hardware.precision,
        "seconds": times,
        "ratio": times["plain"]["median"] / median,
        "ratio_deterministic": times["plain"]["median"] / times["deterministic"]["median"],
        "waited_for_data_seconds": material.loader.waited / steps,
        "operations": operations,
        "bytes": moved,
        "ceiling_flop_per_s": ceiling,
        "bandwidth_byte_per_s": rate,
        "floor_operations_s": operations / ceiling,
        "floor_bytes_s": moved / rate,
        "achieved_share_of_ceiling": operations / median / ceiling,
        "achieved_share_of_bandwidth": moved / median / rate,
    }
    show(found)
    return found


def show(found: dict[str, Any]) -> None:
    ours, strict, plain = (
        found["seconds"][name]["median"] for name in ("ours", "deterministic", "plain")
    )
    print(f"a step of {found['views_a_step']} views in {found['precision']}:")
    print(f"  this library {ours:.3f} s, plain {plain:.3f} s: {found['ratio']:.2f} times as fast")
    print(f"  under strict determinism {strict:.3f} s: {found['ratio_deterministic']:.2f} times")
    print(f"  of it waiting for data: {found['waited_for_data_seconds']:.4f} s")
    print(
        f"  {found['operations'] / 1e12:.2f} TFLOP at {found['achieved_share_of_ceiling']:.0%} of "
        f"the measured {found['ceiling_flop_per_s'] / 1e12:.2f} TFLOP/s; floors: operations "
        f"{found['floor_operations_s']:.3f} s, bytes {found['floor_bytes_s']:.3f} s "
        f"({found['achieved_share_of_bandwidth']:.0%} of the measured bandwidth)"
    )


def build_ours(config: RunConfig, material: Material) -> Trainer:
    state = StateFolder(Path("unused"), {})
    trainer = Trainer(config, material, choose_hardware(config), Group(), state, print)
    trainer.objective.train()
    return trainer


def our_step(trainer: Trainer) -> Step:
    batches = enumerate(trainer.material.loader.epoch(0))

    def step() -> None:
        number, (views, labels) = next(batches)
        trainer.train_step(number, views, labels)

    return step


def plain_step(config: RunConfig, material: Material, options: argparse.Namespace) -> Step:
    device = choose_hardware(config).device
    trainer = PlainTrainer(IDENTITIES, HEIGHT, WIDTH, device)
    steps = options.steps + options.warm_up + 2 * options.workers
    batches = plain_batches(material.sampler, material, steps, options.workers)

    def step() -> None:
        *views, labels = next(batches)
        trainer.step(views, labels)

    return step


def plain_batches(
    sampler: IdentitySampler, material: Material, steps: int, workers: int
) -> Iterator[list[Tensor]]:
    table = material.packed.dataset.train()
    rows = material.packed.images.rows(table.paths)
    pairs: list[tuple[int, int, int]] = []
    for step in range(steps):
        batch = sampler.batch(0, step)
        columns = (rows[batch.visible], rows[batch.infrared], batch.labels)
        pairs += zip(*(column.tolist() for column in columns), strict=True)
    images = np.asarray(material.packed.images.images)
    return plain_loader(images, pairs, (HEIGHT, WIDTH), material.pairs, workers)


def count(trainer: Trainer, material: Material) -> tuple[int, int]:
    """Floating-point operations and bytes of one step, forward and backward, by its operators."""
    views, labels = next(material.loader.epoch(1))
    with FlopCounterMode(display=False) as operations:
        trainer.train_step(1, views, labels)
    with Traffic() as traffic:
        trainer.train_step(1, views, labels)
    return operations.get_total_flops(), traffic.bytes


def memory_of(contender: str, options: argparse.Namespace) -> float:
    words = [f"--{name}={getattr(options, name)}" for name in ("people", "images", "workers")]
    command = [sys.executable, __file__, f"--memory-of={contender}", "--steps=2", *words]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return float(json.loads(done.stdout.splitlines()[-1]))


def report_memory(config: RunConfig, options: argparse.Namespace) -> int:
    device = choose_hardware(config).device
    material = prepare(config, choose_hardware(config), Group())
    if options.memory_of == "ours":
        step = our_step(build_ours(config, material))
    else:
        step = plain_step(config, material, options)
    for _ in range(options.steps):
        step()
    if device.type == "cuda":
        print(torch.cuda.max_memory_allocated(device) / 2**30)
    else:
        print(highest_memory())
    return 0


if __name__ == "__main__":
    sys.exit(main())
