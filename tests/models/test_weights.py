"""Weights on disk: a network and its description, refused where they do not belong."""

import pytest
import torch
from safetensors.torch import save_file

from mscm_lib.errors import CheckpointError
from mscm_lib.models import MSCMNet, load_network, save_network
from mscm_lib.models.weights import read_metadata

METADATA = {"dataset": "sysu", "trial": "0", "fingerprint": "ab" * 32, "config": "{}"}


@pytest.fixture(scope="module")
def net():
    return MSCMNet(
        3, "resnet18", streams="dual", alb_sources=("layer3", "stem"), height=32, width=16
    )


def test_same_network_same_bytes_in_any_memory_format(net, tmp_path):
    one, two = tmp_path / "one.safetensors", tmp_path / "two.safetensors"
    save_network(one, net, METADATA)
    shuffled = dict(reversed(METADATA.items()))
    save_network(two, net.to(memory_format=torch.channels_last), shuffled)
    assert one.read_bytes() == two.read_bytes()
    loaded = load_network(one, METADATA)
    assert loaded.metadata.items() >= METADATA.items()
    assert loaded.metadata["identities"] == "3"
    assert loaded.net.config == net.config
    assert not loaded.net.training
    for name, value in net.state_dict().items():
        assert torch.equal(value, loaded.net.state_dict()[name])


@pytest.mark.parametrize(
    ("key", "wanted", "found"),
    [("dataset", "regdb", "'sysu'"), ("trial", "4", "'0'"), ("identities", "395", "'3'"),
     ("seed", "1", "None")],
)  # fmt: skip
def test_weights_of_another_run_are_refused(net, tmp_path, key, wanted, found):
    path = tmp_path / "model.safetensors"
    save_network(path, net, METADATA)
    with pytest.raises(CheckpointError, match=f"{key} is {found}, wanted '{wanted}'"):
        load_network(path, {key: wanted})


def test_unreadable_files_are_named(net, tmp_path):
    path = tmp_path / "model.safetensors"
    with pytest.raises(CheckpointError, match="no such file"):
        load_network(path)
    save_network(path, net, METADATA)
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(CheckpointError, match="damaged"):
        load_network(path)
    save_file({"x": torch.zeros(1)}, path)
    with pytest.raises(CheckpointError, match="'mscmnet' entry"):
        read_metadata(path)


def test_tensors_that_do_not_fit_are_named(net, tmp_path, monkeypatch):
    path = tmp_path / "model.safetensors"
    described = net.architecture() | {"alb_sources": ["stem"]}
    monkeypatch.setattr(net, "architecture", lambda: described)
    save_network(path, net, METADATA)
    with pytest.raises(CheckpointError, match=r"blocks\.layer3"):
        load_network(path)
