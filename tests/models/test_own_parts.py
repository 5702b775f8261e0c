"""A block, a loss and a backbone of one's own: they serve as the library's do, or are refused."""

import textwrap
from pathlib import Path

import pytest
import torch

from mscm_lib import own_parts
from mscm_lib.config import RunConfig
from mscm_lib.errors import CheckpointError, ConfigError
from mscm_lib.files import file_digest
from mscm_lib.losses import build_metric_loss
from mscm_lib.models import MSCMNet, load_network, save_network
from mscm_lib.models.backbones import RATIOS, build_backbone
from mscm_lib.models.cost import cost
from mscm_lib.models.export import InferenceNetwork, export_onnx, export_program
from mscm_lib.models.mimb import Scales
from mscm_lib.models.multi_scale import build_multi_scale
from mscm_lib.paths import project_root

SMALL = {"backbone": "resnet18", "weights": "none", "height": 64, "width": 32}
EXAMPLE = "studies/your_own/my_parts.py"
BLOCK, LOSS = f"{EXAMPLE}:GatedSum", f"{EXAMPLE}:Contrastive"

HEAD = """
    import torch
    from torch import nn
    from torch.nn import functional

    """
BACKBONE = """
    def part(old, new, stride):
        return nn.Sequential(nn.Conv2d(old, new, 3, stride, 1), nn.BatchNorm2d(new), nn.ReLU())

    class Mine(nn.Module):
        def __init__(self, height, width):
            super().__init__()
            self.stem = part(3, 8, 4)
            self.layer1, self.layer2 = part(8, 8, 1), part(8, 16, 2)
            self.layer3, self.layer4 = part(16, 32, 2), part(32, 64, 1)
            self.unused = nn.Linear(2, 2)
    """
BLOCK_TEXT = """
    class Mine(nn.Module):
        def __init__(self, scales):
            super().__init__()
            width = scales.channels["layer3"]
            self.mix = nn.Conv2d(width, width, 1)
            self.hidden = float(torch.rand(()))

        def forward(self, maps):
            x = maps["layer3"]
            return self.mix(x) + x
    """
SCALES = Scales({"stem": 4, "layer1": 4, "layer2": 8, "layer3": 256}, RATIOS, 4, 2)
LOSS_TEXT = """
    class Mine(nn.Module):
        def __init__(self, identities, dim):
            super().__init__()
            self.centers = nn.Parameter(torch.zeros(identities, dim))

        def forward(self, pooled, labels):
            return (pooled - self.centers[labels]).square().mean()
    """


@pytest.fixture
def write(tmp_path):
    def write(text, name="my_parts.py"):
        path = tmp_path / name
        path.write_text(textwrap.dedent(HEAD + text))
        return f"{path}:Mine"

    return write


def config(**changes):
    return RunConfig.from_mapping(SMALL, changes)


def pictures(count, dtype=torch.float32):
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(2, 3, 64, 32, generator=generator).to(dtype) for _ in range(count)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_network_of_own_parts_trains_saves_loads_and_exports(dtype, write, tmp_path):
    parts = {"multi_scale": BLOCK, "backbone": write(BACKBONE)}
    net = MSCMNet.from_config(config(**parts), 4).to(dtype)
    output = net(*pictures(4, dtype))
    torch.nn.functional.cross_entropy(output.logits.float(), torch.tensor([0, 1] * 4)).backward()
    trained = [p for p in net.parameters() if p.requires_grad]
    assert all(p.grad is not None for p in trained)
    torch.optim.SGD(trained, lr=0.001).step()
    (images,) = pictures(1, dtype)
    expected = net.eval().embed(images, "visible")
    save_network(tmp_path / "net.safetensors", net, {})
    loaded, _ = load_network(tmp_path / "net.safetensors")
    torch.testing.assert_close(loaded.embed(images, "visible"), expected, rtol=0, atol=0)
    export_program(InferenceNetwork(net, "infrared"))  # checks itself against eager


def test_an_own_block_exports_to_onnx(tmp_path):
    net = MSCMNet.from_config(config(multi_scale=BLOCK, non_local=False), 4)
    export_onnx(tmp_path / "net.onnx", InferenceNetwork(net, "visible"))  # checks itself


def test_an_own_block_counts_in_the_costs():
    plain, own = (MSCMNet.from_config(config(multi_scale=m), 4) for m in ("none", BLOCK))
    added = 256 * (64 + 64 + 128) + 3 * 256 + 3  # weights, biases, gates
    less, more = cost(plain), cost(own)
    assert more.parameters - less.parameters == added
    assert more.embed_flops - less.embed_flops == 2 * 256 * (64 + 64 + 128) * 4 * 2
    assert more.activation_bytes > less.activation_bytes


def test_the_rest_of_the_network_starts_as_it_does_without_the_checks(write):
    state = torch.get_rng_state()
    parts = {"multi_scale": write(BLOCK_TEXT), "metric_loss": LOSS}
    net, twin = (MSCMNet.from_config(config(seed=3, **parts), 4) for _ in range(2))
    assert build_metric_loss(net.config.replace(**parts), 4, net.channels) is not None
    assert torch.equal(torch.get_rng_state(), state)
    for name, tensor in net.state_dict().items():
        assert torch.equal(tensor, twin.state_dict()[name]), name
    assert not net.multi_scale.mix.weight.grad
    plain = MSCMNet.from_config(config(seed=3, multi_scale="none"), 4)
    assert torch.equal(net.trunk.layer3[0].conv1.weight, plain.trunk.layer3[0].conv1.weight)


def test_own_weights_are_read_from_a_file_and_never_downloaded(write, tmp_path):
    value = write(BACKBONE)
    with pytest.raises(ConfigError, match="imagenet"):
        MSCMNet.from_config(config(backbone=value, weights="imagenet"), 4)
    made = own_parts.load("backbone", value).make(64, 32)
    torch.save(made.state_dict(), tmp_path / "mine.pth")
    net = MSCMNet.from_config(config(backbone=value, weights=str(tmp_path / "mine.pth")), 4)
    assert torch.equal(net.streams.stems["i_c"][0].weight, made.stem[0].weight)
    assert net.initialisation.sha256 == file_digest(tmp_path / "mine.pth")
    made.layer2 = torch.nn.Identity()
    torch.save(made.state_dict(), tmp_path / "less.pth")
    with pytest.raises(CheckpointError, match="layer2"):
        MSCMNet.from_config(config(backbone=value, weights=str(tmp_path / "less.pth")), 4)


@pytest.mark.parametrize("views", [2, 4])
def test_an_own_loss_is_built_for_the_run(views, write):
    run = config(metric_loss=write(LOSS_TEXT), views=views, streams="dual")
    loss = build_metric_loss(run, identities=5, dim=7)
    assert loss.centers.shape == (5, 7)
    assert not loss.centers.grad


def test_the_example_loss_follows_its_formula():
    loss = build_metric_loss(config(metric_loss=LOSS), 3, 6)
    features = torch.randn(12, 6, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 0, 1, 1, 2, 2] * 2)
    unit = (features / features.norm(dim=1, keepdim=True)).double()
    rows = []
    for i in range(12):
        others = [j for j in range(12) if j != i]
        total = sum(torch.exp(unit[i] @ unit[j] / 0.2) for j in others)
        near = [j for j in others if labels[j] == labels[i]]
        rows.append(-sum(unit[i] @ unit[j] / 0.2 - total.log() for j in near) / len(near))
    assert float(loss(features, labels)) == pytest.approx(float(sum(rows) / 12), rel=1e-5)


# --- what is refused, each with its rule in the message

WRONG_FILES = {
    "no file": ("nowhere/my_parts.py:Mine", "no file at"),
    "no such name": ("class Yours: pass", r"has no class or function 'Mine'; it has \['Yours'\]"),
    "does not run": ("import no_such_package", "no_such_package"),
    "does not parse": ("class Mine(:", "SyntaxError"),
    "not to be called": ("Mine = 3", "no class or function"),
}


@pytest.mark.parametrize("case", WRONG_FILES)
@pytest.mark.parametrize("key", own_parts.KEYS)
def test_a_file_that_does_not_serve_is_refused(case, key, write):
    text, message = WRONG_FILES[case]
    value = text if text.endswith(":Mine") else write(text)
    run = config(**{key: value})
    with pytest.raises(ConfigError, match=message) as caught:
        build_metric_loss(run, 4, 8) if key == "metric_loss" else MSCMNet.from_config(run, 4)
    assert key in str(caught.value) and value in str(caught.value)


WRONG_BLOCKS = {
    "not a tensor": ("return None", "NoneType"),
    "raises": ("return maps['layer9']", "KeyError"),
    "shape": ("return functional.avg_pool2d(self.mix(x), 2)", r"expected shape \(2, 256, 4, 2\)"),
    "dtype": ("return self.mix(x).double()", "float64"),
    "only one format": (
        "return self.mix(x) + x.float().index_add(0, torch.arange(len(x), device=x.device), x)",
        "maps in bfloat16 under autocast raised",
    ),
    "detached": ("return self.mix(maps['layer3'].detach())", "its input got no gradient"),
    "unused parameter": ("return x + 1", "mix.weight got no gradient"),
    "without gradient": ("with torch.no_grad(): return self.mix(x)", "has no gradient"),
    "in place": ("maps['layer2'].relu_(); return self.mix(x)", "leave them as they are"),
    "not finite": ("return self.mix(x) / 0", "not finite"),
    "gradient not finite": ("return self.mix(x) + (x - x).sqrt()", "square root"),
    "rows mixed": ("return self.mix(x) + x.mean(0)", "images beside it"),
    "hidden state": ("return self.mix(x) * self.hidden", "an object built anew"),
    "random at test": ("return self.mix(x) * torch.rand(1, device=x.device)", "built anew|beside"),
    "device of a new tensor": ("return self.mix(x) * torch.ones(1, 1, 4, 2)", "on a GPU"),
}


@pytest.mark.parametrize("case", WRONG_BLOCKS)
def test_a_block_that_breaks_a_rule_is_refused(case, write):
    body, message = WRONG_BLOCKS[case]
    text = BLOCK_TEXT.replace("return self.mix(x) + x", body)
    assert text != BLOCK_TEXT
    with pytest.raises(ConfigError, match=message):
        build_multi_scale(write(text), SCALES, (), 0)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("self, scales", "self, scales, width", r"called as Mine\(scales\).*width"),
        ('channels["layer3"]', 'channels["layer5"]', "KeyError"),
        ("class Mine", "def Mine(scales): return 3\n\n    class Other", "gave int"),
        ("class Mine", "x = = 3\n    class Mine", "SyntaxError"),
    ],
)
def test_a_block_that_cannot_be_built_is_refused(old, new, message, write):
    with pytest.raises(ConfigError, match=message):
        build_multi_scale(write(BLOCK_TEXT.replace(old, new)), SCALES, (), 0)


WRONG_LOSSES = {
    "signature": ("self, identities, dim", "self, identities", r"Mine\(identities, dim\)"),
    "number": (".mean()", ".mean().item()", "returned float"),
    "a value a row": (".mean()", ".mean(dim=1)", r"expected torch.float32 of shape \(\)"),
    "dtype": ("pooled - ", "pooled.double() - ", "float64"),
    "detached": ("pooled - ", "pooled.detach() - ", "its input got no gradient"),
    "without gradient": ("return ", "with torch.no_grad(): return ", "has no gradient"),
    "unused parameter": ("self.centers[labels]", "1", "centers got no gradient"),
    "infinite": ("return ", "return 1 / pooled.sum() + ", "features that coincide is inf"),
    "gradient not finite": ("return ", "return pooled.norm(dim=1).sum().sqrt() + ",
                            "gradient by its input is not finite for features that coincide"),
    "in place": ("return ", "pooled += 1; return ", "changes its inputs"),
    "raises": ("return ", "return pooled @ pooled + ", "RuntimeError"),
    "hidden state": ("self.centers =", "self.scale = float(torch.rand(())); self.centers =",
                     "object built anew"),
    "device": ("return ", "return torch.ones(len(pooled)).mean() * torch.ones(pooled.shape[1:]) @ "
                          "pooled.mean(0) * 0 + ", "on a GPU"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG_LOSSES)
def test_a_loss_that_breaks_a_rule_is_refused(case, write):
    old, new, message = WRONG_LOSSES[case]
    text = LOSS_TEXT.replace(old, new, 1)
    assert text != LOSS_TEXT
    if case == "hidden state":
        text = text.replace("return ", "return self.scale * ")
    with pytest.raises(ConfigError, match=message):
        build_metric_loss(config(metric_loss=write(text)), 4, 8)


WRONG_BACKBONES = {
    "signature": ("self, height, width", "self", r"called as Mine\(height, width\)"),
    "a part missing": ("self.layer3, self", "self.layer5, self", "its layer3 is NoneType"),
    "size": ("part(8, 16, 2)", "part(8, 16, 1)", r"layer2 gave .*expected shape \(2, 16, 8, 4\)"),
    "raises": ("part(8, 16, 2)", "part(9, 16, 2)", "a pass through its parts raised RuntimeError"),
    "negative": ("nn.ReLU()", "nn.Tanh()", "end with a ReLU"),
    "no map": ("self.unused", "self.layer4 = nn.Flatten(0); self.unused", "layer4 gave"),
}


@pytest.mark.parametrize("case", WRONG_BACKBONES)
def test_a_backbone_that_breaks_a_rule_is_refused(case, write):
    old, new, message = WRONG_BACKBONES[case]
    text = BACKBONE.replace(old, new)
    assert text != BACKBONE
    with pytest.raises(ConfigError, match=message):
        build_backbone(write(text), "none", 64, 32)


# --- how a part is named, and what a result depends on


def test_a_study_names_the_files_beside_it_and_a_run_their_paths():
    folder = project_root() / "studies/your_own"
    values = {"backbone": "timm:convnext_atto", "multi_scale": "my_parts:GatedSum", "alpha": 0.1}
    placed = own_parts.beside({**values, "metric_loss": "qct"}, folder)
    assert placed == {**values, "multi_scale": BLOCK, "metric_loss": "qct"}
    run = config(multi_scale=BLOCK, metric_loss=LOSS)
    assert own_parts.sources(run) == (project_root() / EXAMPLE,)
    assert own_parts.digests(run) == {EXAMPLE: file_digest(project_root() / EXAMPLE)}
    assert own_parts.sources(config()) == ()
    assert own_parts.beside({"metric_loss": "a.b:C"}, folder.parents[2])["metric_loss"].endswith(
        "/a/b.py:C"
    )


@pytest.mark.parametrize("key", ["multi_scale", "metric_loss"])
@pytest.mark.parametrize("value", ["my_parts:MyBlock", "Mimb", "my_parts.py"])
def test_a_name_that_is_neither_known_nor_a_file_is_refused(key, value):
    with pytest.raises(ConfigError, match=f"{key} = .*studies/mine/my_parts.py:MyPart"):
        config(**{key: value})


def test_a_file_may_hold_what_looks_its_module_up(write):
    text = """
    from __future__ import annotations
    from dataclasses import dataclass

    @dataclass
    class Sizes:
        width: int
    """
    path = Path(write(BLOCK_TEXT).rpartition(":")[0])
    path.write_text(textwrap.dedent(text) + path.read_text())
    assert own_parts.load("multi_scale", f"{path}:Sizes").make(3).width == 3
    assert build_multi_scale(f"{path}:Mine", SCALES, (), 0) is not None


def test_an_edited_file_counts_at_once(write):
    first = MSCMNet.from_config(config(multi_scale=write(BLOCK_TEXT)), 4)
    second = MSCMNet.from_config(
        config(multi_scale=write(BLOCK_TEXT.replace("self.mix", "self.mixed"))), 4
    )
    assert hasattr(first.multi_scale, "mix") and hasattr(second.multi_scale, "mixed")
