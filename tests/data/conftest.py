"""Small trees in the three official layouts, written in milliseconds: one tiny JPEG, many times."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

SYSU_SPLIT = {"train": (1, 2, 12), "val": (3,), "test": (4, 5)}
SYSU_VISIBLE, SYSU_INFRARED = (1, 2, 4, 5), (3, 6)
LLCM_CAMERAS = {"vis": (1, 2, 3, 4, 5, 6, 7, 8, 9), "nir": (1, 2, 4, 5, 6, 7, 8, 9)}


def encoded(mode="RGB", size=(12, 24), kind="JPEG", seed=0):
    """The bytes of an image file with smooth random content."""
    channels = len(Image.new(mode, (1, 1)).getbands())
    noise = np.random.default_rng(seed).integers(0, 256, (4, 2, channels), dtype=np.uint8)
    bands = [Image.fromarray(noise[..., c]).resize(size) for c in range(channels)]
    stream = io.BytesIO()
    (bands[0] if channels == 1 else Image.merge(mode, bands)).save(stream, kind)
    return stream.getvalue()


TINY = encoded()


def put(root, path, content=TINY):
    target = Path(root) / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content.encode() if isinstance(content, str) else content)


def permutations(root, trials=10, seed=0):
    """SYSU-MM01's cells for the visible images under ``root``: (6, 1) of (people, 1) of (10, n)."""
    draw = np.random.default_rng(seed)
    outer = np.empty((6, 1), dtype=object)
    for camera in range(1, 7):
        outer[camera - 1, 0] = inner = np.empty((12, 1), dtype=object)
        for identity in range(1, 13):
            n = len(list((Path(root) / f"cam{camera}/{identity:04d}").glob("*.jpg")))
            rows = [draw.permutation(n) + 1 for _ in range(trials if n else 0)]
            inner[identity - 1, 0] = np.array(rows, dtype=float).reshape(len(rows), n)
    return outer


def save_permutations(root, cells, name="rand_perm_cam"):
    savemat(Path(root) / "exp/rand_perm_cam.mat", {name: cells})


def write_sysu(root):
    """Identities 1, 2, 12 train, 3 validates, 4 and 5 test; ten test images a visible camera."""
    for name, identities in SYSU_SPLIT.items():
        put(root, f"exp/{name}_id.txt", ",".join(map(str, identities)) + "\n")
        for identity in identities:
            for camera in (*SYSU_VISIBLE, *SYSU_INFRARED):
                many = name == "test" and camera in SYSU_VISIBLE
                for shot in range(10 + camera if many else 2):
                    put(root, f"cam{camera}/{identity:04d}/{shot + 1:04d}.jpg")
    save_permutations(root, permutations(root))
    return root


def write_regdb(root, people=4, shots=2):
    """Two people train and two test in each of ten splits; labels count from 0 in each half."""
    path = "{0}/{1}/{2}_{3}.bmp".format
    for person in range(1, people + 1):
        for folder in ("Visible", "Thermal"):
            for shot in range(shots):
                put(root, path(folder, person, folder[0].lower(), shot))
    for trial in range(1, 11):
        order = [(person + trial) % people + 1 for person in range(people)]
        halves = {"train": order[: people // 2], "test": order[people // 2 :]}
        for half, chosen in halves.items():
            for folder in ("Visible", "Thermal"):
                lines = [
                    f"{path(folder, person, folder[0].lower(), shot)} {label}\n"
                    for label, person in enumerate(chosen)
                    for shot in range(shots)
                ]
                put(root, f"idx/{half}_{folder.lower()}_{trial}.txt", "".join(lines))
    return root


def write_llcm(root):
    """Identities 1 and 2 train as labels 0 and 1; 3 and 14 test in every camera."""
    for kind, cameras in LLCM_CAMERAS.items():
        lines = []
        for label, identity in enumerate((1, 2)):
            for shot in range(2):
                path = f"{kind}/{identity:04d}/{identity:04d}_c04_s{shot}_{kind}.jpg"
                put(root, path)
                lines.append(f"{path} {label}\n")
        put(root, f"idx/train_{kind}.txt", "".join(lines))
        for identity in (3, 14):
            for camera in cameras:
                for shot in range(3):
                    put(root, f"test_{kind}/cam{camera}/{identity:04d}/any name {shot}.jpg")
    put(root, "idx/test_id.txt", "14,3\n")
    return root


WRITERS = {"sysu": write_sysu, "regdb": write_regdb, "llcm": write_llcm}


@pytest.fixture
def tree(tmp_path):
    """``tree(name)`` writes a healthy small tree and gives its root."""

    def write(name, folder="tree"):
        return WRITERS[name](tmp_path / folder)

    return write


@pytest.fixture
def forms():
    """This module's functions, for tests that change a tree."""
    import sys

    return sys.modules[__name__]
