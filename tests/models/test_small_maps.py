"""Products in place of convolutions: the same results, only where they are faster."""

import pytest
import torch
from torch import nn

from mscm_lib.models.backbones import build_backbone
from mscm_lib.models.small_maps import FEW_POSITIONS, SmallMapConv2d, _Product


def convolution(channels=256, dtype=torch.float32):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        plain = nn.Conv2d(channels, channels, 3, padding=1, bias=False, dtype=dtype)
    return plain.to(memory_format=torch.channels_last)


def images(height, width, channels=256):
    drawn = torch.randn(3, channels, height, width, generator=torch.Generator().manual_seed(2))
    return drawn.to(memory_format=torch.channels_last).requires_grad_()


def products(layer, x):
    """How many `_Product` nodes computed the layer's result, 0 or 1."""
    return int(type(layer(x).grad_fn).__name__ == f"{_Product.__name__}Backward")


def results(layer, x, autocast=False):
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        y = layer(x)
    weights = torch.randn(y.shape, generator=torch.Generator().manual_seed(3)).to(y.dtype)
    return y, *torch.autograd.grad(y, [x, layer.weight], weights)


@pytest.mark.parametrize(("height", "width"), [(4, 2), (6, 3), (1, 1), (3, 8)])
def test_results_and_gradients_are_the_convolution_s(height, width):
    plain = convolution()
    ours = SmallMapConv2d.of(plain)
    x = images(height, width)
    assert products(ours, x) == 1
    for found, expected in zip(results(ours, x), results(plain, x), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
        assert found.is_contiguous(memory_format=torch.channels_last)


def test_formula_holds_in_double_precision():
    x = torch.randn(2, 2, 3, 2, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(4, 2, 3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(_Product.apply, (x, weight))
    plain = nn.functional.conv2d(x, weight, padding=1)
    torch.testing.assert_close(_Product.apply(x, weight), plain)


def test_half_precision_rounds_no_more_than_the_convolution_does():
    plain = convolution()
    ours = SmallMapConv2d.of(plain)
    exact = results(plain, images(4, 2))
    theirs = results(plain, images(4, 2), autocast=True)
    found = results(ours, images(4, 2), autocast=True)
    assert found[0].dtype == torch.bfloat16 and found[2].dtype == torch.float32
    for mine, other, right in zip(found, theirs, exact, strict=True):
        error, bound = ((each.float() - right).norm() / right.norm() for each in (mine, other))
        assert error < 1.2 * bound + 1e-4


@pytest.mark.parametrize("change", ["large map", "evaluation", "channels first"])
def test_everything_else_goes_through_the_convolution(change):
    ours = SmallMapConv2d.of(convolution())
    x = images(4, 2)
    assert products(ours, x) == 1
    if change == "large map":
        x = images(FEW_POSITIONS, 2)
    elif change == "evaluation":
        ours.eval()
    else:
        x = x.detach().contiguous().requires_grad_()
    assert products(ours, x) == 0


def test_resnets_hold_them_under_the_same_names_with_the_same_weights():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        backbone = build_backbone("resnet18", "none", 64, 32)
    deep = nn.ModuleList(backbone.layers[3])
    kinds = {name: type(m) for name, m in deep.named_modules() if isinstance(m, nn.Conv2d)}
    assert [kind for name, kind in kinds.items() if "downsample" not in name] == [
        SmallMapConv2d
    ] * 4
    assert "0.conv1.weight" in deep.state_dict()
    assert deep[0].conv1.weight.std() > 0
