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


@pytest.mark.parametrize("changed", ["data", "device"])
def test_a_state_of_other_data_or_device_is_kept_aside_and_said(tmp_path, changed):
    _folder(tmp_path).save(Place(epoch=1), {})
    lines = []
    assert _folder(tmp_path, **{changed: "other"}).load(lines.append) is None
    (line,) = lines
    assert line.startswith("starting anew") and f"{changed} = " in line and "'other'" in line
    aside = tmp_path / "state.aside"
    assert str(aside) in line and (aside / FILE).is_file()
    assert _folder(tmp_path).load(lines.append) is None  # nothing is gone on with by mistake


def test_what_differs_is_said_by_parameter_and_by_module(tmp_path):
    code = {"mscm_lib.losses.center": "a", "mscm_lib.hardware": "b"}
    parameters = {"seed": 0, "alpha": 0.05}
    _folder(tmp_path, code=code, parameters=parameters).save(Place(), {})
    lines = []
    other = _folder(
        tmp_path,
        code=code | {"mscm_lib.hardware": "c"},
        parameters=parameters | {"alpha": 0.3},
    )
    assert other.load(lines.append) is None
    assert "alpha = 0.05 (here 0.3)" in lines[0] and "another mscm_lib.hardware" in lines[0]
    assert "center" not in lines[0] and "seed" not in lines[0]


def test_a_finished_run_asked_for_more_says_that_it_starts_anew(tmp_path):
    folder = _folder(tmp_path, parameters={"epochs": 10})
    folder.save(Place(), {})
    folder.finish()
    lines = []
    assert folder.load(lines.append) is None and not lines
    assert _folder(tmp_path, parameters={"epochs": 20}).load(lines.append) is None
    assert "the finished run had epochs = 10 (here 20)" in lines[0]


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
    folder.finish()
    assert [path.name for path in folder.path.iterdir()] == ["finished.json"]


def test_random_states_return():
    cpu = torch.device("cpu")
    with torch.random.fork_rng(devices=[]):
        states = random_states(cpu)
        first = torch.rand(3)
        restore_random_states(states, cpu)
        assert torch.equal(torch.rand(3), first)
