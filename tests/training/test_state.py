import json

import pytest
import torch
from safetensors import safe_open

from mscm_lib.errors import CheckpointError
from mscm_lib.training.state import FILE, Place, StateFolder, random_states, restore_random_states

IDENTITY = {
    "parameters": {"seed": 0, "alpha": 0.05},
    "code": "a",
    "data": "b",
    "device": "NVIDIA H200",
}


def _folder(path, **changes):
    return StateFolder(path / "state", IDENTITY | changes)


def test_what_is_saved_comes_back(tmp_path):
    place = Place(epoch=2, step=3, history=[{"epoch": 0.0, "loss": 0.1 + 0.2}], best_epoch=1)
    tensors = {"weight": torch.rand(2, 3, 4, 5).to(memory_format=torch.channels_last),
               "count": torch.tensor(7)}  # fmt: skip
    _folder(tmp_path).save(place, tensors)
    found, loaded = _folder(tmp_path).load()
    assert found == place
    assert loaded.keys() == tensors.keys()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in tensors.items())


def test_the_file_is_json_and_tensors(tmp_path):
    _folder(tmp_path).save(Place(), {"weight": torch.zeros(1)})
    with safe_open(tmp_path / "state" / FILE, framework="pt") as stored:
        assert json.loads(stored.metadata()["state"])["identity"] == IDENTITY


def test_no_state_no_resumption(tmp_path):
    assert _folder(tmp_path).load() is None


@pytest.mark.parametrize("changed", ["code", "data", "device"])
def test_a_state_of_other_code_data_or_device_does_not_count(tmp_path, changed):
    _folder(tmp_path).save(Place(epoch=1), {})
    lines = []
    assert _folder(tmp_path, **{changed: "other"}).load(lines.append) is None
    assert lines == [f"starting over: {tmp_path / 'state' / FILE} was left with another {changed}"]
    assert _folder(tmp_path).load() is not None


def test_a_state_of_another_run_is_refused_by_name(tmp_path):
    _folder(tmp_path).save(Place(), {})
    other = _folder(tmp_path, parameters={"seed": 1, "alpha": 0.05})
    with pytest.raises(CheckpointError, match=r"seed = 0 there, 1 here"):
        other.load()


def test_a_damaged_state_is_refused(tmp_path):
    folder = _folder(tmp_path)
    folder.save(Place(), {"weight": torch.zeros(100)})
    file = folder.path / FILE
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(CheckpointError, match="not a readable training state"):
        folder.load()


def test_what_a_kill_left_half_written_is_swept_away(tmp_path):
    folder = _folder(tmp_path)
    folder.save(Place(epoch=4), {})
    leftover = folder.path / f".{FILE}.x.part"
    leftover.write_bytes(b"half")
    assert folder.load()[0].epoch == 4
    assert not leftover.exists()
    folder.remove()
    assert not folder.path.exists()


def test_random_states_return():
    cpu = torch.device("cpu")
    with torch.random.fork_rng(devices=[]):
        states = random_states(cpu)
        first = torch.rand(3)
        restore_random_states(states, cpu)
        assert torch.equal(torch.rand(3), first)
