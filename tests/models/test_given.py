"""Files of weights from elsewhere: nests, endings and permissions are told in one line each."""

import pathlib

import pytest
import torch
from safetensors.torch import save_file

from mscm_lib.cli import main
from mscm_lib.errors import CheckpointError
from mscm_lib.models import MSCMNet, load_released
from mscm_lib.models.given import check_kind, check_state_dict, unnested
from mscm_lib.models.released import released_state

TENSORS = {"a.weight": torch.zeros(2), "b.bias": torch.ones(1)}


@pytest.mark.parametrize("key", ["state_dict", "model", "model_state_dict", "anything"])
def test_tensors_are_found_under_whichever_key(key):
    record = {"epoch": 3, key: TENSORS, "optimizer": {"state": {0: TENSORS}, "param_groups": []}}
    said = []
    assert unnested(record, "there.pth", said.append) is TENSORS
    assert said == [f"there.pth: its tensors lie under {key!r}; read from there"]


@pytest.mark.parametrize("content", [TENSORS, {"epoch": 3}, {}])
def test_what_has_no_such_key_stays_as_it_is(content):
    assert unnested(content, "there.pth", pytest.fail) is content


def test_tensors_under_several_keys_are_one_error():
    with pytest.raises(
        CheckpointError, match=r"under each of 'net', 'ema'; save those .*\['net'\]"
    ):
        unnested({"net": TENSORS, "ema": TENSORS}, "there.pth")


@pytest.mark.parametrize("keys", [("model",), ("net", "state_dict")])
def test_the_release_is_read_from_a_nest(keys):
    net, said = MSCMNet(5, height=96, width=48, seed=3), []
    content = released_state(net)
    for key in reversed(keys):
        content = {key: content, "epoch": 60}
    again = load_released(content, log=said.append)
    assert all(torch.equal(v, again.state_dict()[k]) for k, v in net.state_dict().items())
    assert f"its tensors lie under {keys[-1]!r}" in said[0]


@pytest.mark.parametrize("key", ["state_dict", "model"])
def test_a_backbone_s_nest_is_named_before_training(tmp_path, key):
    torch.save({key: TENSORS, "epoch": 3}, tmp_path / "w.pth")
    with pytest.raises(CheckpointError, match=rf"under '{key}'; save them alone"):
        check_state_dict(tmp_path / "w.pth")
    torch.save(TENSORS, tmp_path / "w.pth")
    check_state_dict(tmp_path / "w.pth")


def written(folder, name, former=False):
    """A file of one kind under any name."""
    (folder / name).parent.mkdir(exist_ok=True)
    if "safe" in name.partition(".")[0]:
        save_file(TENSORS, folder / name)
    else:
        torch.save(TENSORS, folder / name, _use_new_zipfile_serialization=not former)
    return folder / name


@pytest.mark.parametrize(
    ("name", "former", "message"),
    [
        ("torch.safetensors", False, "is a file of torch.save; rename it, to end in .pth"),
        ("torch.safetensors", True, "is a file of torch.save; rename it, to end in .pth"),
        ("safe.pth", False, "is a safetensors file; rename it, to end in .safetensors"),
        ("safe", False, "is a safetensors file; rename it"),
    ],
)
def test_a_wrong_ending_is_named(tmp_path, name, former, message):
    path = written(tmp_path, name, former)
    for read in (check_kind, load_released, check_state_dict):
        with pytest.raises(CheckpointError, match=message):
            read(path)


@pytest.mark.parametrize("name", ["torch.pth", "torch", "safe.safetensors"])
def test_a_right_ending_is_none(tmp_path, name):
    check_kind(written(tmp_path, name))


@pytest.mark.parametrize("name", ["torch.pth", "safe.safetensors"])
def test_a_closed_file_asks_for_permission(tmp_path, monkeypatch, name):
    path = written(tmp_path, name)

    def refused(self, *options, **more):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(pathlib.Path, "open", refused)
    for read in (check_kind, load_released, check_state_dict):
        with pytest.raises(CheckpointError, match=r"cannot be opened \(Permission denied\); ask"):
            read(path)


@pytest.mark.parametrize(
    ("name", "message"),
    [("torch.pth", "no model.safetensors"), ("safe.bin", "rename it, to end in .safetensors")],
)
def test_export_takes_what_training_wrote(tmp_path, capsys, name, message):
    assert main(["export", str(written(tmp_path, name)), str(tmp_path / "out")]) == 2
    assert message in capsys.readouterr().err
