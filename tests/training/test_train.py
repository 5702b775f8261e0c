import itertools
import json
import os
import signal

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from mscm_lib.errors import ConfigError, DataError, ProtocolError, TrainingError
from mscm_lib.files import file_digest, read_json
from mscm_lib.models.weights import load_network
from mscm_lib.training import train
from mscm_lib.training import trainer as trainer_module
from mscm_lib.training.trainer import Trainer

SAME = ("model.safetensors", "history.csv")


def _digests(folder):
    return [file_digest(folder / name) for name in SAME]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """Trains a configuration once and keeps the digests of what it wrote."""
    known = {}

    def digests(config):
        if config not in known:
            folder = tmp_path_factory.mktemp("undisturbed")
            train(config, folder / "out", folder / "state", log=lambda line: None)
            known[config] = _digests(folder / "out")
        return known[config]

    return digests


class Crash(Exception):
    """Stands in for a kill: nothing after it runs."""


def _crash_at(monkeypatch, step, action):
    """Do ``action`` when the trainer has done ``step`` steps, counted over epochs."""
    done = 0
    plain = Trainer.train_step

    def counted(self, *arguments):
        nonlocal done
        plain(self, *arguments)
        done += 1
        if done == step:
            action()

    monkeypatch.setattr(Trainer, "train_step", counted)


def _raise_crash():
    raise Crash


def test_what_a_run_leaves(tiny, tmp_path):
    lines = []
    torch.manual_seed(3)
    before = torch.get_rng_state()
    result = train(tiny, tmp_path / "out", tmp_path / "state", log=lines.append)
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.are_deterministic_algorithms_enabled()
    assert sorted(p.name for p in result.folder.iterdir()) == [
        "history.csv", "model.safetensors", "run.json", "timing.csv",
    ]  # fmt: skip
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["finished.json"]
    assert list(result.history["epoch"]) == [0, 1]
    assert list(result.history["rate"]) == pytest.approx([0.001, 0.01])
    assert np.allclose(result.history["loss"],
                       result.history["identity_loss"] + result.history["metric_loss"])  # fmt: skip
    assert result.history.drop(columns="epoch").notna().all().all()
    network, metadata = load_network(result.weights)
    assert network.identities == 10
    assert json.loads(metadata["config"]) == tiny.training()
    assert {k: metadata[k] for k in ("dataset", "trial", "epoch", "selection")} == {
        "dataset": "tiny", "trial": "0", "epoch": "1", "selection": "last",
    }  # fmt: skip
    record = read_json(result.folder / "run.json")
    assert record["parameters"] == tiny.training()
    assert record["dataset_fingerprint"] == metadata["dataset_fingerprint"]
    assert record["seed"] == 0 and record["steps_per_epoch"] == 4
    assert len([line for line in lines if line.startswith("epoch")]) == 2
    assert "32 images a step, 4 steps an epoch, 2 epochs" in lines[0]


def test_same_parameters_same_bytes_other_seed_other_bytes(tiny, tmp_path, undisturbed):
    train(tiny, tmp_path / "again", tmp_path / "state")
    train(tiny.replace(seed=1), tmp_path / "other", tmp_path / "state")
    assert _digests(tmp_path / "again") == undisturbed(tiny)
    assert all(a != b for a, b in zip(_digests(tmp_path / "other"), undisturbed(tiny), strict=True))


def test_no_epochs_writes_the_untrained_network(tiny, tmp_path):
    result = train(tiny.replace(epochs=0), tmp_path / "out", tmp_path / "state")
    assert len(result.history) == 0 and "identity_loss" in result.history
    assert result.record["selected_epoch"] == -1 and "untrained" in result.summary
    again = train(tiny.replace(epochs=0), tmp_path / "again", tmp_path / "state")
    assert file_digest(result.weights) == file_digest(again.weights)


def test_training_moves_every_part_and_lowers_the_loss(tiny, tmp_path):
    config = tiny.replace(epochs=3, steps_per_epoch=8)
    start = load_file(train(config.replace(epochs=0), tmp_path / "start").weights)
    result = train(config, tmp_path / "out", tmp_path / "state")
    end = load_file(result.weights)
    fixed = {"head.neck.bias"}
    assert {n for n in start if torch.equal(start[n], end[n])} - fixed == set()
    assert result.history["loss"].iloc[-1] < 0.9 * result.history["loss"].iloc[0]


@pytest.mark.parametrize("step", [2, 4, 7])
def test_a_run_killed_anywhere_ends_the_same(tiny, tmp_path, monkeypatch, undisturbed, step):
    monkeypatch.setattr(trainer_module, "SAVE_SECONDS", 0.0)  # a state after every step
    with monkeypatch.context() as patch:
        _crash_at(patch, step, _raise_crash)
        with pytest.raises(Crash):
            train(tiny, tmp_path / "out", tmp_path / "state")
    lines = []
    train(tiny, tmp_path / "out", tmp_path / "state", log=lines.append)
    assert f"going on from epoch {(step - 1) // 4}, step {(step - 1) % 4}" in lines
    assert _digests(tmp_path / "out") == undisturbed(tiny)


@pytest.mark.parametrize(
    ("number", "error"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)]
)
def test_a_signal_saves_inside_the_epoch(tiny, tmp_path, monkeypatch, undisturbed, number, error):
    with monkeypatch.context() as patch:
        _crash_at(patch, 6, lambda: os.kill(os.getpid(), number))
        with pytest.raises(error):
            train(tiny, tmp_path / "out", tmp_path / "state")
    lines = []
    train(tiny, tmp_path / "out", tmp_path / "state", log=lines.append)
    assert "going on from epoch 1, step 2" in lines
    assert _digests(tmp_path / "out") == undisturbed(tiny)


def test_learned_centers_and_two_views_resume_too(tiny, tmp_path, monkeypatch, undisturbed):
    config = tiny.replace(metric_loss="center", streams="dual", views=2, multi_scale="none",
                          metric_weight=0.01)  # fmt: skip
    with monkeypatch.context() as patch:
        _crash_at(patch, 5, _raise_crash)
        with pytest.raises(Crash):
            train(config, tmp_path / "out", tmp_path / "state")
    result = train(config, tmp_path / "out", tmp_path / "state")
    assert _digests(tmp_path / "out") == undisturbed(config)
    assert result.history["cka_pooled_visible"].isna().all()
    assert "gradient_multi_scale" not in result.history


def test_a_state_of_another_run_is_kept_aside(tiny, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        _crash_at(patch, 5, _raise_crash)
        with pytest.raises(Crash):
            train(tiny, tmp_path / "out", tmp_path / "state")
    lines = []
    train(tiny.replace(alpha=0.1), tmp_path / "out", tmp_path / "state", log=lines.append)
    assert any("alpha = 0.05 (here 0.1)" in line for line in lines)
    assert (tmp_path / "state.aside/state.safetensors").is_file()


def test_a_loss_that_is_not_finite_stops_the_run(tiny, tmp_path, monkeypatch):
    calls = 0
    plain = trainer_module.build_metric_loss

    def build(*arguments):
        loss = plain(*arguments)

        def poison(_module, _inputs, output):
            nonlocal calls
            calls += 1
            return output * (float("nan") if calls == 7 else 1)

        loss.register_forward_hook(poison)
        return loss

    monkeypatch.setattr(trainer_module, "build_metric_loss", build)
    with pytest.raises(TrainingError) as caught:
        train(tiny, tmp_path / "out", tmp_path / "state")
    message = str(caught.value)
    assert "epoch 1, step 2" in message
    assert str(tmp_path / "state" / "state.safetensors") in message
    from mscm_lib.data import open_packed
    from mscm_lib.data.batches.sampler import IdentitySampler

    table = open_packed(tiny.data_folder).dataset.train()
    sampler = IdentitySampler(table, 4, 2, seed=0, steps=4)
    drawn = sorted({int(sampler.identities[label]) for label in sampler.batch(1, 2).labels})
    assert len(drawn) == 4 and f"identities {drawn}" in message
    weights = load_file(tmp_path / "state" / "state.safetensors")
    assert all(torch.isfinite(t).all() for n, t in weights.items() if n.startswith("network."))


def test_held_out_identities_choose_the_epoch(tiny, tmp_path, monkeypatch):
    config = tiny.replace(validation="held-out", validate_every=1, selection="best-validation",
                          epochs=3, non_local=False)  # fmt: skip
    scores = itertools.cycle([0.25, 0.75, 0.5])
    monkeypatch.setattr(trainer_module.Retrieval, "score", lambda self, figures: next(scores))
    result = train(config, tmp_path / "out", tmp_path / "state")
    assert result.record["selected_epoch"] == 1
    assert "weights of epoch 2 in" in result.summary  # counted as in "epoch 3/3"
    assert result.record["identities"] == 8  # two of the ten are held out
    assert result.history["validation_rank1"].between(0, 1).all()
    kept = load_file(result.weights)
    last = train(config.replace(selection="last"), tmp_path / "last", tmp_path / "state")
    assert any(not torch.equal(kept[n], t) for n, t in load_file(last.weights).items())
    assert list(last.history["validation_map"]) == list(result.history["validation_map"])


def test_selection_on_the_test_gallery_is_labelled(tiny, tmp_path):
    config = tiny.replace(validate_every=2, selection="best-test", epochs=3, non_local=False)
    result = train(config, tmp_path / "out", tmp_path / "state")
    assert result.record["selection"] == "best-test"
    assert list(result.history["test_rank1"].notna()) == [False, True, True]
    assert load_network(result.weights).metadata["selection"] == "best-test"


def test_features_that_are_not_finite_yet_are_said_and_left_out(tiny, tmp_path, monkeypatch):
    def overflown(*_, **__):
        raise ProtocolError("the pooled feature of a.png is not finite")

    monkeypatch.setattr("mscm_lib.training.retrieval.embed_table", overflown)
    config = tiny.replace(validation="held-out", validate_every=1, epochs=1, steps_per_epoch=1)
    lines = []
    result = train(config, tmp_path / "out", tmp_path / "state", log=lines.append)
    assert any(line.startswith("no retrieval after epoch 1: the pooled feature") for line in lines)
    assert "validation_rank1" not in result.history
    with pytest.raises(TrainingError, match="no epoch gave finite features"):
        train(config.replace(selection="best-validation"), tmp_path / "other", tmp_path / "state")


@pytest.mark.parametrize(
    ("change", "error", "named"),
    [
        ({"height": 48, "head_dim": 0}, ConfigError, "height = 48"),
        ({"identities_per_batch": 11}, ConfigError, "identities_per_batch = 11"),
        ({"steps_per_epoch": 0, "images_per_identity": 40}, ConfigError, "images_per_identity"),
        ({"trial": 4}, ConfigError, "trial"),
        ({"validate_every": 1}, ConfigError, "validate_every = 1"),
        ({"data_folder": "/nowhere"}, DataError, "/nowhere"),
    ],
)
def test_what_cannot_be_is_said_before_any_work(tiny, tmp_path, change, error, named, monkeypatch):
    monkeypatch.setattr(trainer_module.MSCMNet, "from_config", None)  # nothing is built
    with pytest.raises(error, match=named):
        train(tiny.replace(**change), tmp_path / "out", tmp_path / "state")
    assert not (tmp_path / "out").exists()
