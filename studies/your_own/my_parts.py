"""A block and a loss of one's own, as notebooks/39_your_own.ipynb builds them."""

import torch
from torch import nn
from torch.nn import functional


class GatedSum(nn.Module):
    """Layer 3 plus each shallower map, averaged to its size, projected, and let in by a gate."""

    def __init__(self, scales):
        super().__init__()
        self.ratios = {name: scales.ratios[name] for name in ("stem", "layer1", "layer2")}
        width = scales.channels["layer3"]
        self.project = nn.ModuleDict(
            {name: nn.Conv2d(scales.channels[name], width, kernel_size=1) for name in self.ratios}
        )
        self.gates = nn.ParameterDict({name: torch.zeros(1) for name in self.ratios})

    def forward(self, maps):
        x = maps["layer3"]  # (n, C, H, W)
        for name, ratio in self.ratios.items():
            finer = functional.avg_pool2d(maps[name], ratio)  # (n, c, H, W)
            x = x + self.gates[name] * self.project[name](finer)
        return x


class Contrastive(nn.Module):
    """Supervised contrastive loss: a row's identity among all other rows, by cosine."""

    def __init__(self, identities, dim, temperature=0.2):
        super().__init__()
        self.temperature = temperature

    def forward(self, pooled, labels):
        unit = functional.normalize(pooled)  # (n, dim)
        itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
        scores = (unit @ unit.T / self.temperature).masked_fill(itself, -torch.inf)  # (n, n)
        same = (labels[:, None] == labels) & ~itself
        misses = -scores.log_softmax(dim=1).masked_fill(~same, 0)
        return (misses.sum(dim=1) / same.sum(dim=1)).mean()
