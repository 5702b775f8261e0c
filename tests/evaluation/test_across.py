"""Weights are taken to another dataset where that is asked for, and nowhere else."""

import pandas as pd
import pytest

from mscm_lib import cli
from mscm_lib.commands import scoring
from mscm_lib.data import open_packed, pack_dataset
from mscm_lib.data.generated import GeneratedSettings, generate
from mscm_lib.errors import CheckpointError, DataError
from mscm_lib.evaluation import embed_table, evaluate_run
from mscm_lib.evaluation.across import evaluate_across, matrix
from mscm_lib.evaluation.rankings import rank_all
from mscm_lib.study import plan


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """Another world of other people; a test set with the same sizes."""
    folder = tmp_path_factory.mktemp("packed") / "other"
    settings = GeneratedSettings(train_identities=3, test_identities=5, shots=2, seed=9)
    generate(settings, folder, 32, 16, workers=1, progress=False)
    return open_packed(folder)


def test_a_network_is_ranked_at_home_and_away(config, weights, packed, other, network, tmp_path):
    runs = {"mine": (config, weights())}
    places = {each.dataset.root.name: each.dataset.root for each in (packed, other)}
    found = evaluate_across(runs, places, progress=False)
    assert found["home"].tolist() == [True, True, False, False]
    assert set(found["trained_on"]) == {"tiny"} and found["tested_on"].unique().tolist() == [
        *places
    ]
    home = evaluate_run(config, weights(), tmp_path / "out", progress=False)
    expected = pd.DataFrame([row for row in home.rows if row["feature"] == "neck"])
    assert found["mean_ap"][:2].tolist() == expected["mean_ap"].tolist()
    embedded = embed_table(network, other.images, other.dataset.images, progress=False)
    away = rank_all(other.dataset, config, embedded, ("neck",), {})
    for row, plain in zip(found.to_dict("records")[2:], away.rows, strict=True):
        assert row["search"] == plain["search"]
        assert row["mean_ap"] == pytest.approx(plain["mean_ap"], abs=1e-3)
    shown = matrix(found, "mean_ap")
    assert shown.loc["tiny"].tolist() == found["mean_ap"].tolist()
    assert shown.columns.tolist() == ["tiny all", "tiny indoor", "other all", "other indoor"]


def test_elsewhere_such_weights_stay_refused(config, weights, other, tmp_path):
    away = config.replace(data_folder=str(other.dataset.root))
    with pytest.raises(CheckpointError, match="belong to another"):
        evaluate_run(away, weights(), tmp_path / "out", progress=False)


def test_people_that_were_trained_on_are_not_tested(config, weights, packed):
    held_out = config.replace(validation="held-out")
    with pytest.raises(CheckpointError, match="identities is '4', wanted '3'"):
        evaluate_across({"mine": (held_out, weights())}, {"tiny": packed.dataset.root}, False)


def test_a_dataset_of_splits_is_tested_in_its_first_one(config, weights, trees, tmp_path):
    folder = tmp_path / "regdb"
    pack_dataset(trees["regdb"], folder, 32, 16, progress=False)
    found = evaluate_across({"mine": (config, weights())}, {"regdb": folder}, progress=False)
    assert found["search"].tolist() == list(trees["regdb"].searches)
    assert not found["home"].any()


def test_images_of_another_size_are_refused(config, weights, trees, tmp_path):
    pack_dataset(trees["regdb"], tmp_path / "regdb", 48, 16, progress=False)
    with pytest.raises(CheckpointError, match="takes images of 32x16"):
        evaluate_across(
            {"mine": (config, weights())}, {"regdb": tmp_path / "regdb"}, progress=False
        )
    with pytest.raises(DataError, match="holds no packed dataset"):
        evaluate_across({"mine": (config, weights())}, {"nowhere": tmp_path}, progress=False)


def test_the_command_tests_planned_runs_and_keeps_the_table(
    config, weights, packed, other, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    planned = {"mine": (config.as_dict(), weights())}
    monkeypatch.setattr(plan, "planned", lambda name, stage: planned[name][0])
    monkeypatch.setattr(scoring, "resolve", lambda path: planned["mine"][1])
    places = [str(packed.dataset.root), str(other.dataset.root)]
    assert cli.main(["across", "mine", "--on", *places, "--out", "all.csv"]) == 0
    told, table = capsys.readouterr().out, pd.read_csv("all.csv")
    assert table["tested_on"].unique().tolist() == places and len(table) == 4
    assert told.count("trained on (row)") == 2
    assert f"{100 * table['rank1'][3]:.2f}" in told and f"{100 * table['mean_ap'][3]:.2f}" in told
    with pytest.raises(SystemExit):
        cli.main(["across", "mine", "--on", "nowhere"])
    assert "nor is it packed: unknown dataset of the plan 'nowhere'" in capsys.readouterr().err
