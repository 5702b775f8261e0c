"""Every variant trains, saves, loads, embeds and exports, in float32 and in bfloat16."""

import pytest
import torch

from mscm_lib.models import MSCMNet, load_network, save_network
from mscm_lib.models.export import export_program
from mscm_lib.models.variants import VARIANTS

SMALL = {"backbone": "resnet18", "height": 64, "width": 32}


def build(name):
    return MSCMNet(4, **{**SMALL, **VARIANTS[name]})


def two_steps(net, name):
    """Two steps of SGD; the losses before each, and the parameters that got no gradient."""
    count = 2 if name == "baseline" else 4
    generator = torch.Generator().manual_seed(1)
    images = [torch.randn(2, 3, 64, 32, generator=generator) for _ in range(count)]
    images = [image.to(next(net.parameters()).dtype) for image in images]
    optimizer = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], lr=0.01)
    labels = torch.tensor([0, 1] * count)
    losses = []
    for _ in range(2):
        output = net(*images) if count == 4 else net(images[0], i_g=images[1])
        loss = torch.nn.functional.cross_entropy(output.logits.float(), labels)
        loss = loss + output.pooled.float().square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    unused = [n for n, p in net.named_parameters() if p.requires_grad and p.grad is None]
    return losses, unused


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("name", [name for name in VARIANTS if name != "resnet18"])
def test_trains_saves_loads_embeds_exports(name, dtype, tmp_path):
    net = build(name).to(dtype)
    losses, unused = two_steps(net, name)
    assert torch.isfinite(torch.tensor(losses)).all()
    assert unused == []
    net.eval()
    images = torch.randn(2, 3, 64, 32, generator=torch.Generator().manual_seed(2)).to(dtype)
    expected = net.embed(images, "visible")
    assert expected.neck.dtype == torch.float32
    torch.testing.assert_close(expected.neck.norm(dim=1), torch.ones(2))
    save_network(tmp_path / "model.safetensors", net, {"variant": name})
    loaded, metadata = load_network(tmp_path / "model.safetensors", {"variant": name})
    assert metadata["variant"] == name
    torch.testing.assert_close(loaded.embed(images, "visible"), expected, rtol=0, atol=0)
    export_program(net, "infrared")  # checks itself against eager


@pytest.mark.parametrize("name", ["mscmnet", "baseline", "cross-attention", "convnext"])
def test_trains_under_autocast_channels_last(name):
    net = build(name).to(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        losses, unused = two_steps(net, name)
    assert losses[1] < losses[0]
    assert unused == []


def test_every_weight_matrix_moves():
    """Two steps reach every one, those behind the zero-started norms too.

    Biases before a normalisation receive a gradient of zero by their nature, and are left out.
    """
    net = build("mscmnet")
    before = {name: p.detach().clone() for name, p in net.named_parameters() if p.ndim > 1}
    two_steps(net, "mscmnet")
    still = [n for n, p in net.named_parameters() if n in before and torch.equal(p, before[n])]
    assert still == []


def test_variants_differ_in_what_they_compute():
    images = torch.randn(2, 3, 64, 32, generator=torch.Generator().manual_seed(2))
    features = {}
    for name in ("mscmnet", "none", "concatenation", "pyramid", "cross-attention",
                 "self-attention", "alb-1", "alb-reversed"):  # fmt: skip
        features[name] = build(name).eval().embed(images, "visible").neck
    names = list(features)
    for index, one in enumerate(names):
        for other in names[index + 1 :]:
            assert not torch.allclose(features[one], features[other], atol=1e-3), (one, other)
