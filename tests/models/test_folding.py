"""Folding leaves the features and takes the batch norms."""

import pytest
import torch
from torch import nn

from mscm_lib.models import MSCMNet
from mscm_lib.models.folding import fold_batch_norms


def views():
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(2, 3, 64, 32, generator=generator) for _ in range(4)]


@pytest.mark.parametrize("backbone", ["resnet18", "resnet50", "timm:convnext_atto"])
def test_folded_network_embeds_the_same(backbone):
    net = MSCMNet(3, backbone, height=64, width=32)
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):  # the non-local ones start at 0
                nn.init.uniform_(module.weight, 0.5, 1.5, torch.Generator().manual_seed(2))
        net.train()(*views())
        expected = net.eval().embed(views()[0], "visible")
        folded = fold_batch_norms(net.to(memory_format=torch.channels_last))
        found = folded.embed(views()[0], "visible")
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    assert any(isinstance(module, nn.BatchNorm2d) for module in net.modules())
