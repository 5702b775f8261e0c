"""The packed benchmark: format, ledger, resumption, and the dataset read from it."""

import hashlib
import json

import numpy as np
import pandas as pd
import pytest

from mscm_lib.data.datasets import dataset_from_manifest, open_dataset
from mscm_lib.data.generated import (
    GeneratedSettings,
    build,
    generate,
    ledger,
    render,
    shot_table,
)
from mscm_lib.data.packed.opened import open_packed
from mscm_lib.errors import ConfigError, DataError

SMALL = GeneratedSettings(train_identities=5, test_identities=3, shots=2)
FILES = ["attributes.csv", "images.npy", "index.csv", "ledger.csv", "manifest.json", "shots.csv"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("generated") / "small"
    generate(SMALL, folder, 32, 16, workers=1, progress=False)
    return folder


def digests(folder):
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.iterdir())}


def test_packed_rows_are_the_rendered_images(folder):
    packed = open_packed(folder)
    assert sorted(p.name for p in folder.iterdir()) == FILES
    assert packed.images.images.shape == (8 * 6 * 2, 32, 16, 3)
    shots = pd.read_csv(folder / "shots.csv", keep_default_na=False)
    assert tuple(shots["path"]) == packed.images.paths == packed.dataset.images.paths
    for row in (0, 17, 50, 95):
        one = shots.iloc[row]
        image = render(SMALL, int(one["identity"]), int(one["camera"]), int(one["shot"]), 32, 16)
        assert np.array_equal(packed.images.images[row], image)


def test_ledger_files_hold_the_ledger(folder):
    pd.testing.assert_frame_equal(
        pd.read_csv(folder / "ledger.csv", keep_default_na=False), ledger(SMALL)
    )
    pd.testing.assert_frame_equal(
        pd.read_csv(folder / "shots.csv", keep_default_na=False), shot_table(SMALL)
    )
    assert list(ledger(SMALL)["split"]) == ["train"] * 5 + ["test"] * 3


def test_worker_processes_give_the_same_bytes(folder, tmp_path):
    generate(SMALL, tmp_path / "two", 32, 16, workers=2, progress=False)
    assert digests(tmp_path / "two") == digests(folder)


def test_a_complete_folder_is_left_alone(folder, monkeypatch):
    monkeypatch.setattr(build, "_draw", None)  # nothing may be drawn
    before = (folder / "images.npy").stat().st_mtime_ns
    generate(SMALL, folder, 32, 16, progress=False)
    assert (folder / "images.npy").stat().st_mtime_ns == before


def test_other_settings_or_sizes_replace_a_folder(folder, tmp_path):
    target = tmp_path / "again"
    generate(SMALL.replace(seed=1), target, 32, 16, workers=1, progress=False)
    first = digests(target)
    generate(SMALL, target, 32, 16, workers=1, progress=False)
    assert digests(target) == digests(folder) != first
    assert generate(SMALL, target, 16, 8, workers=1, progress=False).height == 16


def test_an_interrupted_call_leaves_no_folder_and_goes_on(folder, tmp_path, monkeypatch):
    def stop(settings, height, width, keys):
        if keys[0][0] > 3:
            raise KeyboardInterrupt
        return draw(settings, height, width, keys)

    draw = build._draw
    target = tmp_path / "stopped"
    monkeypatch.setattr(build, "_draw", stop)
    with pytest.raises(KeyboardInterrupt):
        generate(SMALL, target, 32, 16, workers=1, progress=False)
    assert not target.exists()
    monkeypatch.setattr(build, "_draw", draw)
    generate(SMALL, target, 32, 16, workers=1, progress=False)
    assert digests(target) == digests(folder)


def test_dataset_follows_the_sysu_protocol(folder):
    data = open_dataset("generated", folder)
    assert (data.name, data.protocol, data.searches) == ("generated", "sysu", ("all", "indoor"))
    train = data.train()
    assert set(train.ids.tolist()) == {1, 2, 3, 4, 5}
    assert (len(train.visible_images), len(train.infrared_images)) == (5 * 4 * 2, 5 * 2 * 2)
    kept, held = data.train("held-out"), data.validation()
    assert set(kept.ids) | set(held.ids) == {1, 2, 3, 4, 5}
    assert not set(kept.ids) & set(held.ids)
    query = data.query("indoor")
    assert set(query.ids.tolist()) == {6, 7, 8}
    assert set(query.cams.tolist()) == {3, 6}
    for draw in ("agw", "official"):
        assert len(data.gallery("all", 0, draw)) == 3 * 4
        indoor = data.gallery("indoor", 9, draw)
        assert set(indoor.cams.tolist()) == {1, 2}
        assert not indoor.infrared.any()
    drawn = {data.gallery("all", trial, "official").paths for trial in data.trials}
    assert len(drawn) > 5
    with pytest.raises(ConfigError, match="search = 'outdoor'"):
        data.gallery("outdoor")


def test_manifest_rebuilds_the_dataset(folder):
    data = open_dataset("generated", folder)
    manifest = json.loads(json.dumps(data.manifest()))
    again = dataset_from_manifest(manifest, "/nowhere")
    assert again.fingerprint() == data.fingerprint() == manifest["fingerprint"]
    assert again.images.paths == data.images.paths
    assert again.gallery("all", 3, "official").paths == data.gallery("all", 3, "official").paths


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "sysu"}, "does not hold a generated benchmark"),
        ({"drawing": 0}, "drawn by version 0 of the generator"),
        ({"settings": {"sharde": 1}}, "did you mean 'shared'"),
    ],
)
def test_a_wrong_manifest_is_named(folder, tmp_path, change, message):
    manifest = json.loads((folder / "manifest.json").read_text()) | change
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(DataError, match=message):
        open_dataset("generated", tmp_path)


def test_mistakes_are_named_before_any_work(tmp_path):
    with pytest.raises(DataError, match=r"no such file"):
        open_dataset("generated", tmp_path)
    with pytest.raises(ConfigError, match="height = 8"):
        generate(SMALL, tmp_path / "tiny", 8, 4, progress=False)
    with pytest.raises(ConfigError, match="'sysu' layout"):
        dataset_from_manifest(
            {**open_manifest(), "settings": SMALL.replace(layout="llcm").as_dict()}, tmp_path
        )
    assert list(tmp_path.iterdir()) == []


def open_manifest():
    from mscm_lib.data.generated.listing import manifest

    return manifest(SMALL)
