"""Parts of the network against plain forms of the same formulas."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from mscm_lib.models.alb import ALB
from mscm_lib.models.attention import MLP, Attention
from mscm_lib.models.head import GeM, Head
from mscm_lib.models.non_local import NonLocal, affinity_product


@pytest.fixture(autouse=True)
def _seeded():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        yield


@pytest.mark.parametrize(("positions", "width"), [(6, 20), (20, 6), (8, 8)])
def test_affinity_product_is_the_same_in_either_order(positions, width):
    theta, phi, g = torch.randn(3, 2, positions, width, dtype=torch.float64)
    expected = theta @ phi.mT / positions @ g
    torch.testing.assert_close(affinity_product(theta, phi, g), expected)


def test_cheaper_order_is_chosen():
    def largest(positions, width):
        theta, phi, g = torch.randn(3, 1, positions, width)
        with torch.profiler.profile(record_shapes=True) as profile:
            affinity_product(theta, phi, g)
        (first,) = [event for event in profile.events() if event.name == "aten::baddbmm"]
        return first.input_shapes[1]

    assert largest(50, 4) == [1, 4, 50]
    assert largest(4, 50) == [1, 4, 50]


def test_non_local_starts_as_the_identity_and_follows_the_formula():
    block = NonLocal(8)
    x = torch.randn(2, 8, 4, 3)
    torch.testing.assert_close(block(x), x, rtol=0, atol=0)
    nn.init.normal_(block.norm.weight)
    theta, phi, g = block.project(x).flatten(2).chunk(3, dim=1)  # each (2, 4, 12)
    f = torch.einsum("bcn,bcm->bnm", theta, phi) / 12
    y = torch.einsum("bnm,bcm->bcn", f, g).reshape(2, 4, 4, 3)
    torch.testing.assert_close(block(x), x + block.norm(block.expand(y)))


@pytest.mark.parametrize("head_dim", [3, 9, 8])
def test_attention_is_torch_s_multi_head_attention(head_dim):
    dim = 72
    ours = Attention(dim, dim // head_dim)
    theirs = nn.MultiheadAttention(dim, dim // head_dim, batch_first=True)
    theirs.load_state_dict(ours.state_dict())
    x, guide = torch.randn(2, 2, 5, dim)
    torch.testing.assert_close(ours.self_attention(x), theirs(x, x, x)[0])
    torch.testing.assert_close(ours.guided_attention(guide, x), theirs(guide, guide, x)[0])
    torch.testing.assert_close(ours.cross_attention(x, guide), theirs(x, guide, guide)[0])
    _, weights = theirs(x, guide, guide, average_attn_weights=False)
    torch.testing.assert_close(ours.weights(x, guide), weights)


@pytest.mark.parametrize("autocast", [False, True])
def test_half_precision_attention_stays_close(autocast):
    attention = Attention(36, 4)
    x = torch.randn(2, 6, 36)
    expected = attention.self_attention(x)
    if autocast:
        with torch.autocast("cpu", torch.bfloat16):
            found = attention.self_attention(x)
    else:
        found = attention.bfloat16().self_attention(x.bfloat16())
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), expected, rtol=0.1, atol=0.02)


def test_mlp_is_the_quick_gelu():
    mlp = MLP(6)
    x = torch.randn(4, 6)
    wide = mlp.expand(x)
    torch.testing.assert_close(mlp(x), mlp.contract(wide * torch.sigmoid(1.702 * wide)))


def test_alb_takes_its_source_and_its_order_of_steps():
    block = ALB(16, positions=12, head_dim=3, source_channels=5, ratio=4)
    x, source = torch.randn(2, 16, 4, 3), torch.randn(2, 5, 16, 12)
    tokens = block.norm(block.narrow(x).flatten(2))
    guide = block.source_norm(functional.conv2d(
        source, block.source.weight, block.source.bias, stride=4, padding=2
    ).flatten(2))  # fmt: skip
    tokens = tokens + 0.1 * guide
    tokens = tokens + block.attention.guided_attention(guide, tokens)
    tokens = tokens + block.mlp(block.mlp_norm(tokens))
    torch.testing.assert_close(block(x, source), block.broad(tokens.reshape(2, 4, 4, 3)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_gem_value_and_gradient(dtype):
    x = torch.rand(3, 4, 5, 2).to(dtype).requires_grad_()
    with torch.no_grad():
        x[0, 0] = 0  # a dead channel: finite value and gradient
    wide = x.detach().double().requires_grad_()
    expected = (wide.pow(3).mean(dim=(2, 3)) + 1e-12) ** (1 / 3)
    found = GeM.apply(x)
    weights = torch.randn(3, 4)
    found.backward(weights.to(found.dtype))
    expected.backward(weights.double())
    assert found.dtype == torch.promote_types(dtype, torch.float32)
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-8)
    tolerance = 1e-2 if dtype == torch.bfloat16 else 1e-5
    torch.testing.assert_close(x.grad.double(), wide.grad, rtol=tolerance, atol=1e-8)


def test_head_starts_as_documented_and_has_no_trained_bias():
    head = Head(512, 300)
    assert head.neck.weight.mean().item() == pytest.approx(1, abs=2e-3)
    assert head.neck.weight.std().item() == pytest.approx(0.01, rel=0.15)
    assert head.classifier.weight.std().item() == pytest.approx(1e-3, rel=0.05)
    assert head.classifier.bias is None
    assert not head.neck.bias.requires_grad
    assert not head.neck.bias.any()


def test_head_stays_in_float32_under_autocast():
    head = Head(8, 3).eval()
    x = torch.rand(2, 8, 4, 2)
    with torch.autocast("cpu", torch.bfloat16):
        output = head(x)
    for found, expected in zip(output, head(x), strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=0)
