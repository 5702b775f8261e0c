"""What a stranger brings after reading the documentation: sixty pictures, a block and a loss."""

import csv
import re

import numpy as np
import yaml
from PIL import Image

from mscm_lib.paths import project_root

HEAD = ["path", "identity", "camera", "modality", "split"]
TINY = {"epochs": 1, "steps_per_epoch": 2, "warmup_epochs": 0, "milestones": [], "device": "cpu"}
PARTS = """import torch
from torch import nn


class MyBlock(nn.Module):
    \"\"\"Layer 3 times a gate that layer 2 opens.\"\"\"

    def __init__(self, scales):
        super().__init__()
        self.gate = nn.Conv2d(scales.channels["layer2"], scales.channels["layer3"], 3, 2, 1)

    def forward(self, maps):
        return maps["layer3"] * torch.sigmoid(self.gate(maps["layer2"]))


class MyLoss(nn.Module):
    \"\"\"Squared distance of each row from the mean of its person's.\"\"\"

    def __init__(self, identities, dim):
        super().__init__()

    def forward(self, pooled, labels):
        same = (labels[:, None] == labels).float()
        means = same @ pooled / same.sum(dim=1, keepdim=True)
        return (pooled - means).square().mean()
"""


def documented(place=1):
    """A study that book/own_data.md spells out, by its place among the YAML there."""
    page = (project_root() / "book/own_data.md").read_text(encoding="utf-8")
    return re.findall(r"```yaml\n(.*?)```", page, re.S)[place]


def rows():
    """Ten people, of whom six train, three pictures in each of two cameras."""
    for person in range(1, 11):
        for camera, modality in ((1, "visible"), (2, "infrared")):
            for shot in range(3):
                split = "train" if person <= 6 else "test"
                yield [f"{modality}/{person}_{shot}.png", person, camera, modality, split]


def write_table(folder, lines, head=HEAD):
    """The CSV alone."""
    with (folder / "table.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([head, *lines])


def write_pictures(folder, seed=0):
    """Sixty noisy pictures and their CSV."""
    draw = np.random.default_rng(seed)
    looks = draw.integers(40, 216, (11, 4, 2, 3))
    for path, person, _, modality, _ in rows():
        pixels = looks[person] + draw.integers(-40, 40, looks[person].shape)
        picture = Image.fromarray(pixels.astype(np.uint8)).resize((24, 48))
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        picture.convert("L" if modality == "infrared" else "RGB").save(folder / path)
    write_table(folder, rows())


def write_study(root, parts=PARTS, **changes):
    """``studies/mine`` below ``root``; changes are joined with mappings, None takes a key away."""
    values = yaml.safe_load(documented())
    for key, change in {"run": TINY, "seeds": [0], **changes}.items():
        joined = {**values[key], **change} if isinstance(change, dict) else change
        values[key] = joined
        if isinstance(joined, dict):
            values[key] = {name: value for name, value in joined.items() if value is not None}
    folder = root / "studies/mine"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "study.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    (folder / "my_parts.py").write_text(parts)
    return folder / "study.yaml"
