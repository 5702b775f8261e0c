"""Initial weights: what is loaded, what is refused, and what is recorded."""

import urllib.error

import pytest
import timm
import torch
import torchvision
from safetensors.torch import save_file

from mscm_lib.errors import CheckpointError, ConfigError
from mscm_lib.files import file_digest
from mscm_lib.models import MSCMNet

SMALL = {"backbone": "resnet18", "height": 32, "width": 16, "multi_scale": "none"}


@pytest.fixture(scope="module")
def state():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(9)
        return torchvision.models.resnet18().state_dict()


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_local_file_reaches_stems_and_trunk(state, tmp_path, suffix):
    path = tmp_path / f"resnet18{suffix}"
    (save_file if suffix == ".safetensors" else torch.save)(state, path)
    net = MSCMNet(3, weights=str(path), **SMALL)
    for stem in net.streams.stems.values():
        assert torch.equal(stem.conv1.weight, state["conv1.weight"])
    assert torch.equal(net.trunk.layer4.block1.bn2.weight, state["layer4.1.bn2.weight"])
    assert net.initialisation.sha256 == file_digest(path)
    assert set(net.initialisation.dropped) == {"fc.weight", "fc.bias"}
    record = net.initialisation.as_dict()
    assert record["weights"] == str(path)
    assert record["used"] == len(state) - 2
    assert MSCMNet(3, **SMALL).initialisation.as_dict()["source"] == "random"


def test_timm_weights_from_a_file(tmp_path):
    path = tmp_path / "atto.pth"
    state = timm.create_model("convnext_atto", pretrained=False).state_dict()
    torch.save(state, path)
    arguments = SMALL | {"backbone": "timm:convnext_atto"}
    net = MSCMNet(3, weights=str(path), **arguments)
    stem = next(iter(net.streams.stems.values()))
    assert torch.equal(stem[0].weight, state["stem.0.weight"])
    assert (net(*torch.rand(4, 1, 3, 32, 16)).pooled >= 0).all()


def test_unfit_files_are_named(state, tmp_path):
    path = tmp_path / "weights.pth"
    for content, message in (
        (
            {k: v for k, v in state.items() if k != "layer2.0.conv1.weight"},
            "lacks the tensor 'layer2",
        ),
        (state | {"conv1.weight": torch.zeros(1)}, r"has shape \(1,\), expected \(64, 3, 7, 7\)"),
        ({"state": state}, "expected a state dict"),
    ):
        torch.save(content, path)
        with pytest.raises(CheckpointError, match=message):
            MSCMNet(3, weights=str(path), **SMALL)
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(CheckpointError, match="not readable"):
        MSCMNet(3, weights=str(path), **SMALL)
    with pytest.raises(ConfigError, match="no file at"):
        MSCMNet(3, weights=str(tmp_path / "absent.pth"), **SMALL)


@pytest.mark.parametrize("backbone", ["resnet18", "timm:convnext_atto"])
def test_unreachable_imagenet_weights_say_what_to_do(monkeypatch, backbone):
    def refuse(*args, **kwargs):
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(torchvision.models.ResNet18_Weights, "get_state_dict", refuse)
    monkeypatch.setattr(timm, "create_model", refuse_when_pretrained(timm.create_model, refuse))
    with pytest.raises(ConfigError, match=r"no route to host.* local state dict"):
        MSCMNet(3, weights="imagenet", **(SMALL | {"backbone": backbone}))


def refuse_when_pretrained(create, refuse):
    return lambda *a, pretrained=False, **k: refuse() if pretrained else create(*a, **k)


def test_imagenet_weights_are_torchvision_s_first(monkeypatch, state):
    asked = []
    monkeypatch.setattr(
        torchvision.models.ResNet18_Weights, "get_state_dict",
        lambda self, **options: asked.append(str(self)) or state,
    )  # fmt: skip
    net = MSCMNet(3, weights="imagenet", **SMALL)
    assert asked == ["ResNet18_Weights.IMAGENET1K_V1"]
    assert net.initialisation.source == "torchvision ResNet18_Weights.IMAGENET1K_V1"
