"""A run with a block and a loss of one's own resumes like any other, and notices their edits."""

import pytest

from mscm_lib.files import file_digest
from mscm_lib.paths import project_root
from mscm_lib.training import train
from mscm_lib.training.trainer import Trainer

SAME = ("model.safetensors", "history.csv")


class Crash(Exception):
    """Stands in for a kill: nothing after it runs."""


@pytest.fixture
def own(tiny, tmp_path):
    """The run, and the file of its parts, which may be edited."""
    path = tmp_path / "my_parts.py"
    path.write_text((project_root() / "studies/your_own/my_parts.py").read_text())
    parts = {"multi_scale": f"{path}:GatedSum", "metric_loss": f"{path}:Contrastive"}
    return tiny.replace(**parts), path


def test_a_killed_run_with_own_parts_ends_the_same(own, tmp_path, monkeypatch):
    config, path = own
    whole = train(config, tmp_path / "whole", tmp_path / "other", log=lambda line: None)
    _kill(config, tmp_path, monkeypatch)
    lines = []
    result = train(config, tmp_path / "out", tmp_path / "state", log=lines.append)
    assert "going on from epoch 1, step 0" in lines
    for name in SAME:
        assert file_digest(result.folder / name) == file_digest(whole.folder / name)
    assert result.record["own_parts"] == {str(path): file_digest(path)}


def test_a_state_of_an_edited_part_does_not_count(own, tmp_path, monkeypatch):
    config, path = own
    _kill(config, tmp_path, monkeypatch)
    path.write_text(path.read_text().replace("temperature=0.2", "temperature=0.1"))
    lines = []
    train(config, tmp_path / "out", tmp_path / "state", log=lines.append)
    assert not [line for line in lines if "going on" in line]


def _kill(config, folder, monkeypatch):
    """Train into ``folder`` up to the second epoch's first step."""
    plain, done = Trainer.train_step, []

    def counted(self, *arguments):
        plain(self, *arguments)
        done.append(None)
        if len(done) == 5:
            raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "train_step", counted)
        with pytest.raises(Crash):
            train(config, folder / "out", folder / "state", log=lambda line: None)
