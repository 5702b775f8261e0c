"""The released recipe in its plain form: what the study's speed is measured against.

Written for measuring, from the method's description: a whole ResNet-50 in each stem, both strided
convolutions in each ALB, non-local blocks in the textbook order, loops over identities and samples
in the loss, per-sample torchvision transforms in worker processes, the default memory format,
float16 autocast with gradient scaling on a GPU and float32 on a CPU, scores read back each step.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
import torchvision
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

SOURCES = (64, 256, 512, 1024)
NON_LOCAL = {"layer2": (2, 3), "layer3": (3, 4, 5)}


class NonLocal(nn.Module):
    """Textbook non-local block: the N×N matrix of positions first, then its product with g."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.g = nn.Conv2d(channels, channels // 2, 1)
        self.theta = nn.Conv2d(channels, channels // 2, 1)
        self.phi = nn.Conv2d(channels, channels // 2, 1)
        norm = nn.BatchNorm2d(channels)
        nn.init.zeros_(norm.weight)
        self.out = nn.Sequential(nn.Conv2d(channels // 2, channels, 1), norm)

    def forward(self, x: Tensor) -> Tensor:
        g = self.g(x).flatten(2).transpose(1, 2)  # (B, N, C/2)
        theta = self.theta(x).flatten(2).transpose(1, 2)  # (B, N, C/2)
        phi = self.phi(x).flatten(2)  # (B, C/2, N)
        f = torch.matmul(theta, phi) / phi.shape[2]  # (B, N, N)
        y = torch.matmul(f, g).transpose(1, 2).contiguous()  # (B, C/2, N)
        return x + self.out(y.view(y.shape[0], y.shape[1], *x.shape[2:]))


class QuickGELU(nn.Module):
    """x·σ(1.702x)."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(1.702 * x)


class ALB(nn.Module):
    """One block of MIMB, with both strided convolutions whichever it needs."""

    def __init__(self, source: int, positions: int) -> None:
        super().__init__()
        self.source = source
        self.narrow = nn.Conv2d(1024, 256, 1)
        self.conv4 = nn.Conv2d(SOURCES[source] if source < 2 else 64, 256, 6, 4, 2)
        self.conv2 = nn.Conv2d(512, 256, 4, 2, 1)
        self.norm_x, self.norm_s = nn.LayerNorm(positions), nn.LayerNorm(positions)
        self.attention = nn.MultiheadAttention(positions, positions // 9)
        self.norm_mlp = nn.LayerNorm(positions)
        self.mlp = nn.Sequential(
            nn.Linear(positions, 4 * positions), QuickGELU(), nn.Linear(4 * positions, positions)
        )
        self.broad = nn.Conv2d(256, 1024, 1)

    def forward(self, x: Tensor, s: Tensor) -> Tensor:
        x = self.narrow(x)
        shape = x.shape
        x = self.norm_x(x.flatten(2).permute(1, 0, 2))  # (C/4, B, H·W)
        if self.source < 3:
            s = self.conv4(s) if self.source < 2 else self.conv2(s)
            s = self.norm_s(s.flatten(2).permute(1, 0, 2))
            x = x + 0.1 * s
            x = x + self.attention(s, s, x, need_weights=False)[0]
        else:
            x = x + self.attention(x, x, x, need_weights=False)[0]
        x = x + self.mlp(self.norm_mlp(x))
        return self.broad(x.permute(1, 0, 2).reshape(shape))


class PlainNetwork(nn.Module):
    """The whole network, dead weight included."""

    def __init__(self, identities: int, height: int, width: int) -> None:
        super().__init__()
        self.stems = nn.ModuleList([torchvision.models.resnet50() for _ in range(4)])
        self.base = torchvision.models.resnet50()
        self.base.layer4[0].conv2.stride = (1, 1)
        downsample: Any = self.base.layer4[0].downsample
        downsample[0].stride = (1, 1)
        self.non_local = nn.ModuleDict(
            {f"{layer}_{i}": NonLocal(512 if layer == "layer2" else 1024)
             for layer, blocks in NON_LOCAL.items() for i in blocks}
        )  # fmt: skip
        positions = (height // 16) * (width // 16)
        self.albs = nn.ModuleList([ALB(i, positions) for i in range(4)])
        self.neck = nn.BatchNorm1d(2048)
        self.neck.bias.requires_grad_(False)
        self.classifier = nn.Linear(2048, identities, bias=False)

    def stem(self, index: int, x: Tensor) -> Tensor:
        net: Any = self.stems[index]
        return net.maxpool(net.relu(net.bn1(net.conv1(x))))

    def trunk(self, x: Tensor) -> Tensor:
        maps = [x]
        for name in ("layer1", "layer2", "layer3"):
            for i, block in enumerate(getattr(self.base, name)):
                x = block(x)
                if i in NON_LOCAL.get(name, ()):
                    x = self.non_local[f"{name}_{i}"](x)
            maps.append(x)
        for alb, source in zip(self.albs, maps, strict=True):
            x = alb(x, source)
        x = self.base.layer4(x)
        b, c = x.shape[:2]
        return (torch.mean(x.view(b, c, -1) ** 3.0, dim=-1) + 1e-12) ** (1 / 3)

    def forward(self, views: list[Tensor]) -> tuple[Tensor, Tensor]:
        pooled = self.trunk(torch.cat([self.stem(i, view) for i, view in enumerate(views)]))
        return pooled, self.classifier(self.neck(pooled))

    def embed(self, x: Tensor, infrared: bool) -> Tensor:
        first = 2 if infrared else 0
        shallow = (self.stem(first, x) + self.stem(first + 1, x)) / 2
        return functional.normalize(self.neck(self.trunk(shallow)))


def distance(a: Tensor, b: Tensor) -> Tensor:
    return (a - b).pow(2).sum().clamp(min=1e-12).sqrt()


def loop_qct(f: Tensor, labels: Tensor, margin: float = 0.7, alpha: float = 0.0) -> Tensor:
    """QCT as the loops of its definition; the quadruple term is off at α = 0, as released."""
    n = len(f)
    half, stream = n // 2, n // 4
    dual, separation = [], []
    people = labels.unique()
    centers = {int(p): f[labels == p].mean(0) for p in people}
    for i in range(n):
        mine = labels == labels[i]
        other = f[half:][mine[half:]] if i < half else f[:half][mine[:half]]
        dual.append(distance(f[i], other.mean(0)))
        hinges = []
        for p in people:
            if p != labels[i]:
                hinge = (margin - distance(f[i], centers[int(p)])).clamp(min=0)
                hinges.append(hinge * int((labels == p).sum()))
        separation.append(torch.stack(hinges).sum() / int((~mine).sum()))
    quadruple = f.new_zeros(())
    if alpha:
        own = [f[i - i % stream : i - i % stream + stream] for i in range(n)]
        held = labels[:stream]
        quadruple = torch.stack(
            [distance(f[i], own[i][held == labels[i]].mean(0)) for i in range(n)]
        ).mean()
    dual_term, apart = torch.stack(dual).mean(), torch.stack(separation).mean()
    return 0.5 * ((1 - alpha) * dual_term + alpha * quadruple + apart)


class PlainTrainer:
    """Network, SGD and, on a GPU, a gradient scaler."""

    def __init__(self, identities: int, height: int, width: int, device: torch.device) -> None:
        self.device = device
        self.network = PlainNetwork(identities, height, width).to(device)
        head = [*self.network.neck.parameters(), *self.network.classifier.parameters()]
        in_head = {id(p) for p in head}
        trunk = [p for p in self.network.parameters() if id(p) not in in_head]
        groups = [{"params": trunk, "lr": 0.01}, {"params": head, "lr": 0.1}]
        self.optimizer = torch.optim.SGD(
            groups, lr=0.01, momentum=0.9, nesterov=True, weight_decay=5e-4, foreach=False
        )
        self.half = device.type == "cuda"
        self.scaler = torch.amp.GradScaler(device.type, enabled=self.half)

    def step(self, views: list[Tensor], labels: Tensor) -> float:
        views = [view.to(self.device) for view in views]
        rows = labels.to(self.device).repeat(4)
        with torch.autocast(self.device.type, torch.float16, enabled=self.half):
            pooled, logits = self.network(views)
            loss = functional.cross_entropy(logits, rows) + loop_qct(pooled.float(), rows)
        self.optimizer.zero_grad()
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        (logits.argmax(1) == rows).float().mean().item()
        return loss.item()


class RandomErasing:
    """Erase a rectangle of one image, p 0.5, up to 100 tries."""

    def __call__(self, image: Tensor) -> Tensor:
        if random.random() > 0.5:
            return image
        height, width = image.shape[1:]
        for _ in range(100):
            area = random.uniform(0.02, 0.4) * height * width
            aspect = random.uniform(0.3, 1 / 0.3)
            h, w = round((area * aspect) ** 0.5), round((area / aspect) ** 0.5)
            if h < height and w < width:
                top, left = random.randint(0, height - h), random.randint(0, width - w)
                for channel, value in enumerate((0.4914, 0.4822, 0.4465)):
                    image[channel, top : top + h, left : left + w] = value
                return image
        return image


class PlainPairs(Dataset[tuple[Tensor, ...]]):
    """Four views of a visible and an infrared image, each transformed by itself."""

    def __init__(
        self, images: np.ndarray, pairs: list[tuple[int, int, int]], height: int, width: int
    ) -> None:
        self.images, self.pairs = images, pairs
        place = [transforms.Pad(10), transforms.RandomCrop((height, width)),
                 transforms.RandomHorizontalFlip(), transforms.ToTensor(),
                 transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
                 RandomErasing()]  # fmt: skip
        gray, bright = transforms.RandomGrayscale(0.5), transforms.ColorJitter(brightness=0.5)
        self.views = (
            transforms.Compose([gray, *place]),
            transforms.Compose([*place, transforms.Lambda(exchange)]),
            transforms.Compose([*place, transforms.Lambda(mix)]),
            transforms.Compose([bright, *place, transforms.Lambda(scale)]),
        )

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        visible, infrared, label = self.pairs[index]
        v, i = Image.fromarray(self.images[visible]), Image.fromarray(self.images[infrared])
        made = [view(image) for view, image in zip(self.views, (v, v, i, i), strict=True)]
        return (*made, torch.tensor(label))


def exchange(image: Tensor) -> Tensor:
    return image[random.randrange(3)].expand(3, -1, -1).contiguous()


def mix(image: Tensor) -> Tensor:
    if random.random() < 0.5:
        return image[1].expand(3, -1, -1).contiguous()
    if random.random() < 0.5:
        luma = 0.2989 * image[0] + 0.5870 * image[1] + 0.1140 * image[2]
        return luma.expand(3, -1, -1).contiguous()
    return image


def scale(image: Tensor) -> Tensor:
    if random.random() < 0.5:
        for channel in range(3):
            image[channel] *= 2 * random.uniform(0.01, 0.5)
    return image


def plain_loader(
    images: np.ndarray, pairs: list[tuple[int, int, int]], size: tuple[int, int], batch: int,
    workers: int,
) -> Iterator[list[Tensor]]:  # fmt: skip
    """Batches of V_g, V_c, I_g, I_c and labels."""
    return iter(DataLoader(PlainPairs(images, pairs, *size), batch, num_workers=workers))
