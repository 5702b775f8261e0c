"""The release, written straight from its description: plain, and sharing no code."""

from __future__ import annotations

import pytest
import torch
import torchvision
from torch import nn
from torch.nn import functional


class PlainNonLocal(nn.Module):
    def __init__(self, channels):
        super().__init__()
        inner = channels // 2
        self.g = nn.Sequential(nn.Conv2d(channels, inner, 1))
        self.W = nn.Sequential(nn.Conv2d(inner, channels, 1), nn.BatchNorm2d(channels))
        self.theta = nn.Conv2d(channels, inner, 1)
        self.phi = nn.Conv2d(channels, inner, 1)

    def forward(self, x):
        theta, phi, g = (part(x).flatten(2) for part in (self.theta, self.phi, self.g))
        f = torch.einsum("bcn,bcm->bnm", theta, phi) / theta.shape[2]
        y = torch.einsum("bnm,bcm->bcn", f, g)
        return x + self.W(y.reshape(*y.shape[:2], *x.shape[2:]))


class PlainMLP(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.c_fc = nn.Linear(dim, 4 * dim)
        self.c_proj = nn.Linear(4 * dim, dim)

    def forward(self, x):
        x = self.c_fc(x)
        return self.c_proj(x * torch.sigmoid(1.702 * x))


class PlainALB(nn.Module):
    """One of layerATT0 to layerATT3, with the parts that it does not use."""

    def __init__(self, number, source_channels, positions):
        super().__init__()
        self.number = number
        self.ATT_narrow = nn.Conv2d(1024, 256, 1)
        self.ATT_broad = nn.Conv2d(256, 1024, 1)
        self.attn = nn.MultiheadAttention(positions, positions // 9, batch_first=True)
        self.ln_1 = nn.LayerNorm(positions)
        self.mlp = PlainMLP(positions)
        self.ln_2 = nn.LayerNorm(positions)
        self.ln_1o = nn.LayerNorm(positions)
        self.ATT_narrow1 = nn.Conv2d(source_channels, 256, 6, stride=4, padding=2)
        self.ATT_narrow2 = nn.Conv2d(source_channels, 256, 4, stride=2, padding=1)

    def forward(self, x, s):
        shape = x.shape
        x = self.ATT_narrow(x)
        small = x.shape
        x = self.ln_1(x.reshape(small[0], 256, -1))
        if self.number == 3:
            x = x + self.attn(x, x, x, need_weights=False)[0]
        else:
            s = self.ATT_narrow2(s) if self.number == 2 else self.ATT_narrow1(s)
            s = self.ln_1o(s.reshape(small[0], 256, -1))
            x = x + 0.1 * s
            x = x + self.attn(s, s, x, need_weights=False)[0]
        x = x + self.mlp(self.ln_2(x))
        return self.ATT_broad(x.reshape(small)).reshape(shape)


class PlainReleased(nn.Module):
    """Every tensor of the release under its own name: 1755 of them, most unused."""

    def __init__(self, identities, positions):
        super().__init__()
        for module in ("visible_module", "visible_moduleA", "thermal_module", "thermal_moduleA"):
            setattr(self, module, nn.Module())
            getattr(self, module).add_module(module.split("_")[0], plain_stem_carrier())
        self.base_resnet = nn.Module()
        self.base_resnet.base = plain_resnet()
        self.NL_2 = nn.ModuleList([PlainNonLocal(512), PlainNonLocal(512)])
        self.NL_3 = nn.ModuleList([PlainNonLocal(1024) for _ in range(3)])
        for number, channels in enumerate((64, 256, 512, 1024)):
            setattr(self, f"layerATT{number}", PlainALB(number, channels, positions))
        self.bottleneck = nn.BatchNorm1d(2048)
        self.classifier = nn.Linear(2048, identities, bias=False)
        self.local_conv = nn.Conv2d(64, 128, 1, bias=False)
        self.feat_bn2d = nn.BatchNorm2d(128)

    def stems(self):
        return (
            self.visible_module.visible, self.visible_moduleA.visible,
            self.thermal_module.thermal, self.thermal_moduleA.thermal,
        )  # fmt: skip

    def train_forward(self, *views):
        stems = [plain_stem(net, view) for net, view in zip(self.stems(), views, strict=True)]
        return self.rest(torch.cat(stems))

    def test_forward(self, images, modality):
        first, second = self.stems()[:2] if modality == "visible" else self.stems()[2:]
        return self.rest(0.5 * plain_stem(first, images) + 0.5 * plain_stem(second, images))

    def rest(self, stem):
        base = self.base_resnet.base
        layer1 = base.layer1(stem)
        x = layer1
        for index, block in enumerate(base.layer2):
            x = block(x)
            if index >= 2:
                x = self.NL_2[index - 2](x)
        layer2 = x
        for index, block in enumerate(base.layer3):
            x = block(x)
            if index >= 3:
                x = self.NL_3[index - 3](x)
        for block, source in (
            (self.layerATT0, stem), (self.layerATT1, layer1), (self.layerATT2, layer2),
            (self.layerATT3, None),
        ):  # fmt: skip
            x = block(x, source)
        x = base.layer4(x)
        pooled = ((x**3).mean(dim=(2, 3)) + 1e-12) ** (1 / 3)
        neck = self.bottleneck(pooled)
        return pooled, neck, self.classifier(neck)


def plain_stem_carrier():
    """A stem with the whole ResNet-50 that hangs on it in the release, there without values."""
    with torch.device("meta"):
        net = plain_resnet()
    device = torch.get_default_device()
    with torch.device(device):
        net.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        net.bn1 = nn.BatchNorm2d(64)
    return net


def plain_resnet():
    net = torchvision.models.resnet50()
    del net.fc
    net.layer4[0].conv2.stride = (1, 1)
    net.layer4[0].downsample[0].stride = (1, 1)
    return net


def plain_stem(net, images):
    x = net.bn1(net.conv1(images))
    return functional.max_pool2d(functional.relu(x), kernel_size=3, stride=2, padding=1)


def calibrate(net, generator, height, width):
    """Values as after some training: no weight at its start, running statistics off theirs."""
    live = [t for n, t in net.named_parameters() if t.ndim == 1 and not t.is_meta]
    for tensor in live:
        tensor.add_(0.1 * torch.randn(tensor.shape, generator=generator))
    norms = [m for m in net.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    for norm in norms:
        norm.momentum = 1.0  # statistics of one real pass: drawn ones would explode
    net.train_forward(*(torch.randn(1, 3, height, width, generator=generator) for _ in range(4)))
    for norm in norms:
        norm.momentum = 0.1


@pytest.fixture(scope="session")
def released():
    """The plain release at full size, with values drawn from a seed."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(5)
        net = PlainReleased(395, 288)
        calibrate(net, torch.Generator().manual_seed(6), 384, 192)
    return net


@pytest.fixture(scope="session")
def released_shapes():
    """A state dict of the release without values: (identities, positions) -> names to tensors."""

    def make(identities, positions):
        with torch.device("meta"):
            shapes = PlainReleased(identities, positions).state_dict()
        return {name: torch.zeros(()).expand(value.shape) for name, value in shapes.items()}

    return make
