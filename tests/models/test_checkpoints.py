"""Whatever lies where weights were expected is told in one line, and runs no code."""

import argparse
import collections
import pathlib
import pickle
import zipfile

import pytest
import torch
import torchvision
from safetensors.torch import save_file

from mscm_lib.errors import CheckpointError
from mscm_lib.models import MSCMNet, load_network, load_released, save_network
from mscm_lib.models.checkpoints import unwrapped
from mscm_lib.models.pretrained import read_state
from mscm_lib.models.released import read_released, released_state

WEIGHTS = {"conv.weight": torch.ones(2, 3)}
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 3\n"


def zipped(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("resnet50.pth", "weights")


FOREIGN = {
    "network": (lambda p: torch.save(torch.nn.Linear(2, 2), p), "a whole pickled network"),
    "options": (
        lambda p: torch.save({"state_dict": WEIGHTS, "args": argparse.Namespace(lr=1)}, p),
        "argparse.Namespace",
    ),
    "options, old format": (
        lambda p: torch.save(
            {**WEIGHTS, "args": argparse.Namespace(lr=1)}, p, _use_new_zipfile_serialization=False
        ),
        "argparse.Namespace",
    ),
    "path": (lambda p: torch.save({"log": pathlib.PurePosixPath("x")}, p), "PurePosixPath"),
    "program": (lambda p: torch.jit.save(torch.jit.script(torch.nn.ReLU()), p), "TorchScript"),
    "web page": (lambda p: p.write_text("\n<!DOCTYPE html><html>sign in"), "a web page"),
    "answer": (lambda p: p.write_text('{"error": "quota"}'), "a JSON document"),
    "pointer": (lambda p: p.write_bytes(LFS), "git lfs pull"),
    "archive": (zipped, "a zip archive, not a file of weights; unpack it"),
    "compressed": (lambda p: p.write_bytes(b"\x1f\x8b\x08rest"), "a gzip archive"),
    "empty": (lambda p: p.write_bytes(b""), "0 bytes"),
    "cut short": (lambda p: p.write_bytes(b"PK\x03\x04 cut"), "cut short"),
    "folder": (lambda p: p.mkdir(), "is a folder"),
    "pickle": (lambda p: p.write_bytes(pickle.dumps([collections.deque()])), "weights"),
}


@pytest.mark.parametrize("kind", FOREIGN)
@pytest.mark.parametrize("read", [read_state, read_released])
def test_a_file_of_another_kind_is_told_in_one_line(kind, read, tmp_path, recwarn):
    path = tmp_path / "resnet.pth"
    write, told = FOREIGN[kind]
    write(path)
    recwarn.clear()
    with pytest.raises(CheckpointError) as caught:
        read(path)
    said = str(caught.value)
    assert str(path) in said and told in said
    assert "\n" not in said and "\x1b" not in said and "weights_only" not in said
    assert len(said) < 400 and not recwarn.list


@pytest.mark.parametrize("kind", ["web page", "pointer", "empty", "folder", "answer"])
@pytest.mark.parametrize("read", [read_state, load_network])
def test_so_it_is_under_the_name_of_safetensors(kind, read, tmp_path):
    path = tmp_path / "model.safetensors"
    FOREIGN[kind][0](path)
    with pytest.raises(CheckpointError) as caught:
        read(path)
    assert FOREIGN[kind][1] in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod.", "module.module."])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_what_a_wrapper_puts_before_names_is_taken_off_and_said(prefix, suffix, tmp_path, capsys):
    path = tmp_path / f"w{suffix}"
    state = {f"{prefix}{name}": value for name, value in WEIGHTS.items()}
    (save_file if suffix == ".safetensors" else torch.save)(state, path)
    assert list(read_state(path)) == list(WEIGHTS)
    said = capsys.readouterr().out.splitlines()
    assert len(said) == prefix.count(".") and all(str(path) in line for line in said)


def test_names_that_only_partly_begin_so_are_left(capsys):
    state = {"module.a": 1, "b": 2}
    assert unwrapped(state, "w") == state and unwrapped({}, "w") == {}
    assert not capsys.readouterr().out


def test_a_release_saved_from_several_gpus_is_read():
    net, said = MSCMNet(5, height=96, width=48, seed=3), []
    state = {f"module.{name}": value for name, value in released_state(net).items()}
    again = load_released({"net": state}, log=said.append)
    assert "'module.'" in said[0]
    for name, value in net.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("name", ["head.neck.running_var", "trunk.layer4.block1.conv2.weight"])
def test_weights_that_are_not_finite_are_refused(value, name, tmp_path):
    net = MSCMNet(3, "resnet18", height=32, width=16, multi_scale="none")
    net.state_dict()[name].view(-1)[-1] = value
    save_network(tmp_path / "model.safetensors", net, {})
    with pytest.raises(CheckpointError, match=rf"'{name}' holds 1 numbers that are NaN or inf"):
        load_network(tmp_path / "model.safetensors")


def test_released_and_initial_weights_that_are_not_finite_are_refused(tmp_path):
    state = released_state(MSCMNet(3, height=96, width=48))
    state["bottleneck.running_mean"][7] = float("nan")
    with pytest.raises(CheckpointError, match=r"'bottleneck\.running_mean' holds 1"):
        load_released(state, log=str)
    state = torchvision.models.resnet18().state_dict()
    state["fc.bias"][0] = float("nan")  # takes no part
    torch.save(state, tmp_path / "w.pth")
    small = {"backbone": "resnet18", "height": 32, "width": 16, "multi_scale": "none"}
    MSCMNet(3, weights=str(tmp_path / "w.pth"), **small)
    state["layer2.0.bn1.weight"][0] = float("-inf")
    torch.save(state, tmp_path / "w.pth")
    with pytest.raises(CheckpointError, match=r"w\.pth: 'layer2\.0\.bn1\.weight' holds 1"):
        MSCMNet(3, weights=str(tmp_path / "w.pth"), **small)
