"""How many images of whom in which camera: plans that meet the published counts.

Nobody published the tables of the real datasets, only their sums. The plans below are one way to
meet all sums at once; they say nothing about which person of the real datasets walked where.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from mscm_lib.data.generated.cameras import INFRARED_OFFSET
from mscm_lib.data.generated.randomness import stream

TRIALS = 10
SYSU_VISIBLE, SYSU_INFRARED = (1, 2, 4, 5), (3, 6)
LLCM_VISIBLE, LLCM_INFRARED = tuple(range(1, 10)), (1, 2, 4, 5, 6, 7, 8, 9)
Cells = dict[tuple[int, int], int]  # (identity, camera) -> images


@dataclass(frozen=True)
class PlannedImage:
    """One file to draw: ``camera`` is the generator's number."""

    path: str
    identity: int
    camera: int
    shot: int


@dataclass(frozen=True)
class Plan:
    """A dataset tree before it is drawn.

    Attributes:
        images: every image file.
        texts: every text file, by relative path.
        permutations: content of SYSU-MM01's ``rand_perm_cam``: (6, 1) cells, each (identities, 1)
            cells, each (10, n) with a 1-based permutation of the n images in each row.
    """

    images: list[PlannedImage]
    texts: dict[str, str] = field(default_factory=dict)
    permutations: npt.NDArray[np.object_] | None = None


def spread(total: int, cells: Sequence[tuple[int, int]]) -> Cells:
    """``total`` images over ``cells`` as evenly as whole numbers allow."""
    base, rest = divmod(total, len(cells))
    # Every cell in turn takes one of the rest, spaced out so that no identity takes them all.
    return {
        cell: base + (((i + 1) * rest) // len(cells) - (i * rest) // len(cells))
        for i, cell in enumerate(cells)
    }


def sysu_plan(full: bool, seed: int) -> Plan:
    """SYSU-MM01: 491 identities, or 28 in miniature."""
    counts = (296, 99, 96) if full else (16, 4, 8)
    people = sum(counts)
    # The release numbers its people with gaps; so does the plan: one number in twelve is missing.
    numbers = [n for n in range(1, 2 * people) if n % 12 != 7][:people]
    order = stream(seed, "sysu", "split").permutation(numbers)
    train, val, test = (sorted(part.tolist()) for part in np.split(order, np.cumsum(counts)[:2]))
    cells = _sysu_train(sorted(train + val), full) | _sysu_test(test, full)
    if full:
        # The published totals exceed training and test images by 80 infrared ones: they belong to
        # people of no split.
        last = max(numbers)
        cells |= spread(80, [(last + k, 3) for k in (1, 2)] + [(last + k, 6) for k in (1, 2)])
    images = [
        PlannedImage(f"cam{camera}/{identity:04d}/{shot + 1:04d}.jpg", identity, camera, shot)
        for (identity, camera), count in sorted(cells.items(), key=lambda c: (c[0][1], c[0][0]))
        for shot in range(count)
    ]
    texts = {
        f"exp/{name}_id.txt": ",".join(map(str, ids)) + "\n"
        for name, ids in (("train", train), ("val", val), ("test", test))
    }
    return Plan(images, texts, _permutations(cells, seed))


def _sysu_train(people: list[int], full: bool) -> Cells:
    # Everybody is seen outside; three in four also inside.
    visible = [(p, c) for i, p in enumerate(people) for c in SYSU_VISIBLE if c > 3 or i % 4]
    infrared = [(p, c) for i, p in enumerate(people) for c in SYSU_INFRARED if c == 6 or i % 4]
    totals = (22258, 11909) if full else (6 * len(visible), 6 * len(infrared))
    return spread(totals[0], visible) | spread(totals[1], infrared)


def _sysu_test(people: list[int], full: bool) -> Cells:
    """The test images.

    All-search: 301 visible (identity, camera) cells of ten images or more. Indoor: 112 of them,
    55 in camera 1 and 57 in camera 2, so that two people are inside in camera 2 alone: their
    camera-3 queries have no correct indoor image left. Valid indoor queries are then camera 3's of
    the 55 (1,068) and camera 6's of the 57 (57 * 20 = 1,140), together 2,208.
    """
    first, inside = (people[:55], people[:57]) if full else (people[:4], people[:5])
    twice = people[:93] if full else [p for i, p in enumerate(people) if i % 5]
    visible = [(p, 1) for p in first] + [(p, 2) for p in inside]
    visible += [(p, c) for p in people for c in (4, 5) if c == 4 or p in twice]
    if not full:
        infrared = [(p, c) for p in people for c in SYSU_INFRARED]
        return spread(11 * len(visible), visible) | spread(6 * len(infrared), infrared)
    return (
        spread(30071 - 22258, visible)
        | spread(1068, [(p, 3) for p in first])
        | spread(1883 - 1068, [(p, 3) for p in people[55:]])
        | spread(1920, [(p, 6) for p in people])
    )


def _permutations(cells: Cells, seed: int) -> npt.NDArray[np.object_]:
    people = max(identity for identity, _ in cells)
    outer = np.empty((6, 1), dtype=object)
    for camera in range(1, 7):
        inner = np.empty((people, 1), dtype=object)
        for identity in range(1, people + 1):
            count = cells.get((identity, camera), 0)
            draw = stream(seed, "sysu", "permutation", camera, identity)
            rows = [draw.permutation(count) + 1 for _ in range(TRIALS if count else 0)]
            inner[identity - 1, 0] = np.array(rows, dtype=np.float64).reshape(len(rows), count)
        outer[camera - 1, 0] = inner
    return outer


def regdb_plan(full: bool, seed: int) -> Plan:
    """RegDB: 412 identities (16 in miniature), ten visible and ten thermal images of each."""
    people = 412 if full else 16
    images, paths = [], {}
    for modality, letter, camera in (("Visible", "v", 1), ("Thermal", "t", 2)):
        for identity in range(1, people + 1):
            files = [
                f"{modality}/{identity}/person_{letter}_{shot + 1:05d}_{identity}.bmp"
                for shot in range(10)
            ]
            paths[modality.lower(), identity] = files
            images += [PlannedImage(f, identity, camera, shot) for shot, f in enumerate(files)]
    texts = {}
    for trial in range(1, TRIALS + 1):
        order = [int(n) + 1 for n in stream(seed, "regdb", "split", trial).permutation(people)]
        halves = {"train": sorted(order[: people // 2]), "test": sorted(order[people // 2 :])}
        for half, chosen in halves.items():
            for modality in ("visible", "thermal"):
                texts[f"idx/{half}_{modality}_{trial}.txt"] = "".join(
                    f"{file} {label}\n"
                    for label, identity in enumerate(chosen)
                    for file in paths[modality, identity]
                )
    return Plan(images, texts)


def llcm_plan(full: bool, seed: int) -> Plan:
    """LLCM: 713 + 351 identities (16 + 8 in miniature), nine cameras, no infrared in the third."""
    trained, tested = (713, 351) if full else (16, 8)
    order = [int(n) + 1 for n in stream(seed, "llcm", "split").permutation(trained + tested)]
    train, test = sorted(order[:trained]), sorted(order[trained:])
    images, texts = [], {}
    totals = {"vis": (16946, 8680), "nir": (13975, 7166)}
    for kind, cameras, offset in (
        ("vis", LLCM_VISIBLE, 0),
        ("nir", LLCM_INFRARED, INFRARED_OFFSET),
    ):
        lines = []
        for half, people in enumerate((train, test)):
            cells = [(p, c) for p in people for c in _llcm_cameras(p) if c in cameras]
            total = totals[kind][half] if full else 3 * len(cells)
            folder = ("train", "test")[half] + "_" + kind
            for (identity, camera), count in sorted(spread(total, cells).items()):
                for shot in range(count):
                    path = f"{folder}/cam{camera}/{identity:04d}/{shot + 1:04d}.jpg"
                    images.append(PlannedImage(path, identity, camera + offset, shot))
                    if half == 0:
                        lines.append(f"{path} {train.index(identity)}\n")
        texts[f"idx/train_{kind}.txt"] = "".join(lines)
    texts["idx/test_id.txt"] = ",".join(map(str, test)) + "\n"
    return Plan(images, texts)


def _llcm_cameras(identity: int) -> list[int]:
    """Four of the nine cameras, other ones for the next person."""
    return sorted({(identity * 2 + step) % 9 + 1 for step in (0, 1, 3, 6)})
