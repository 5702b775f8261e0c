"""Emulated trees: every published count, complete structure, and no foreign folder touched."""

import hashlib
import threading
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import loadmat

from mscm_lib import cli
from mscm_lib.data.datasets import open_dataset
from mscm_lib.data.emulated import emulate as emulation
from mscm_lib.data.emulated.counts import spread, sysu_plan
from mscm_lib.data.emulated.emulate import MARKER, MAT_HEADER, emulate
from mscm_lib.data.generated import GeneratedSettings, render
from mscm_lib.errors import ConfigError, DataError

NAMES = ("sysu", "regdb", "llcm")


@pytest.fixture(scope="module")
def miniature(tmp_path_factory):
    """The three miniature trees, under a root that contains a space and "cam"."""
    root = tmp_path_factory.mktemp("my cam trees")
    for name in NAMES:
        emulate(name, root / name, height=32, workers=1, progress=False)
    return root


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """The three full-count trees with empty image files: only counts are looked at."""
    root = tmp_path_factory.mktemp("full")

    def touch(part, settings, size, images):
        for image in images:
            (part / image.path).touch()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(emulation, "_write_images", touch)
        for name in NAMES:
            emulate(name, root / name, "full", workers=1, progress=False)
    return root


def test_full_sysu_meets_every_published_count(full):
    data = open_dataset("sysu", full / "sysu")
    train = data.train()
    assert len(set(train.ids.tolist())) == 395
    assert (len(train.visible_images), len(train.infrared_images)) == (22258, 11909)
    assert len(set(data.validation().ids.tolist())) == 99
    query = data.query("all")
    assert Counter(query.cams.tolist()) == {3: 1883, 6: 1920}
    for search, single in (("all", 301), ("indoor", 112)):
        for draw in ("agw", "official"):
            for trial in (0, 9):
                assert len(data.gallery(search, trial, draw, 1)) == single
                assert len(data.gallery(search, trial, draw, 10)) == 10 * single
    assert len(set(query.ids.tolist())) == 96
    files = [p.relative_to(full / "sysu").parts for p in (full / "sysu").glob("cam*/*/*.jpg")]
    infrared = sum(parts[0] in ("cam3", "cam6") for parts in files)
    assert (len(files) - infrared, infrared) == (30071, 15792)
    split = [_numbers(full / "sysu" / f"exp/{n}_id.txt") for n in ("train", "val", "test")]
    assert [len(s) for s in split] == [296, 99, 96]
    assert len(set().union(*split)) == 491


@pytest.mark.parametrize(("search", "valid"), [("all", 3803), ("indoor", 2208)])
def test_full_sysu_valid_queries(full, search, valid):
    """A camera-3 query sees no camera-2 image; who is left without a correct one is not counted."""
    data = open_dataset("sysu", full / "sysu")
    query, gallery = data.query(search), data.gallery(search, 0)
    cells = set(zip(gallery.ids.tolist(), gallery.cams.tolist(), strict=True))
    cameras = {1, 2} if search == "indoor" else {1, 2, 4, 5}
    count = sum(
        any((identity, other) in cells for other in cameras - ({2} if camera == 3 else set()))
        for identity, camera in zip(query.ids.tolist(), query.cams.tolist(), strict=True)
    )
    assert count == valid


def test_full_regdb_meets_every_published_count(full):
    data = open_dataset("regdb", full / "regdb")
    for trial in range(1, 11):
        train = data.train(trial=trial)
        assert len(set(train.ids.tolist())) == 206
        assert (len(train.visible_images), len(train.infrared_images)) == (2060, 2060)
        for search in data.searches:
            assert len(data.query(search, trial)) == len(data.gallery(search, trial)) == 2060


def test_full_llcm_meets_every_published_count(full):
    data = open_dataset("llcm", full / "llcm")
    train = data.train()
    assert len(set(train.ids.tolist())) == 713
    assert (len(train.visible_images), len(train.infrared_images)) == (16946, 13975)
    assert len(data.query("visible-to-infrared")) == 8680
    query = data.query("infrared-to-visible")
    assert len(query) == 7166
    assert len(set(query.ids.tolist())) == 351
    assert set(query.cams.tolist()) == {1, 2, 4, 5, 6, 7, 8, 9}
    assert set(data.query("visible-to-infrared").cams.tolist()) == set(range(1, 10))
    assert sum(1 for _ in (full / "llcm").rglob("*.jpg")) == 46767


@pytest.mark.parametrize("name", NAMES)
def test_miniature_has_all_structure(miniature, name):
    data = open_dataset(name, miniature / name)
    trial = data.trials[0]
    assert set(data.train().visible_images.ids) == set(data.train().infrared_images.ids)
    for search in data.searches:
        query, gallery = data.query(search, trial), data.gallery(search, trial)
        assert len(query)
        assert set(gallery.ids.tolist()) <= set(query.ids.tolist())
        for table in (query, gallery):
            with Image.open(data.root / table.paths[0]) as image:
                assert (image.mode, image.size) == ("RGB", (16, 32))


def test_miniature_sysu_exercises_the_camera_rule(miniature):
    """Somebody is indoors in camera 2 alone, so that a camera-3 query has nothing left to find."""
    data = open_dataset("sysu", miniature / "sysu")
    gallery = data.gallery("indoor", 0)
    second = set(gallery.ids[gallery.cams == 2]) - set(gallery.ids[gallery.cams == 1])
    query = data.query("indoor")
    assert second & set(query.ids[query.cams == 3])
    assert len(data.gallery("all", 0, shots=10)) == 10 * len(data.gallery("all", 0))


def test_files_hold_the_people_they_name(miniature):
    path = sorted((miniature / "sysu" / "cam4").rglob("0003.jpg"))[2]
    with Image.open(path) as image:
        stored = np.asarray(image).astype(float)
    drawn = render(GeneratedSettings(), int(path.parent.name), 4, 2, 32, 16)
    assert np.abs(stored - drawn).mean() < 12  # JPEG of a tiny image
    thermal = miniature / "regdb" / "Thermal" / "5" / "person_t_00004_5.bmp"
    settings = GeneratedSettings(layout="regdb", infrared_sensor="thermal", shared=0.55)
    with Image.open(thermal) as image:
        assert np.array_equal(np.asarray(image), render(settings, 5, 2, 3, 32, 16))


def test_permutations_have_the_official_structure(miniature):
    cells = loadmat(miniature / "sysu" / "exp" / "rand_perm_cam.mat")["rand_perm_cam"]
    assert cells.shape == (6, 1)
    people = _numbers(miniature / "sysu" / "exp" / "test_id.txt")
    for camera in (1, 2, 4, 5):
        inner = cells[camera - 1, 0]
        for identity in people:
            folder = miniature / "sysu" / f"cam{camera}" / f"{identity:04d}"
            count = len(list(folder.glob("*.jpg"))) if folder.is_dir() else 0
            matrix = inner[identity - 1, 0]
            assert matrix.shape == ((10, count) if count else (0, 0))
            assert (np.sort(matrix, axis=1) == np.arange(1, count + 1)).all()
            if count > 4:
                assert len({tuple(row) for row in matrix.tolist()}) == 10


def test_no_date_in_the_permutations(miniature):
    header = (miniature / "sysu" / "exp" / "rand_perm_cam.mat").read_bytes()[:116]
    assert (
        header.rstrip() == MAT_HEADER
    )  # MATLAB's own names the date, and so would the fingerprint


def test_same_seed_same_tree(tmp_path):
    def digest(root: Path, seed: int, workers: int):
        emulate("regdb", root, height=16, seed=seed, workers=workers, progress=False)
        files = sorted(p for p in root.rglob("*") if p.is_file())
        return hashlib.sha256(b"".join(p.name.encode() + p.read_bytes() for p in files)).hexdigest()

    first = digest(tmp_path / "a", 0, 1)
    assert digest(tmp_path / "b", 0, 2) == first  # other processes, other folder
    assert digest(tmp_path / "a", 1, 1) != first  # an emulated tree may be replaced


def test_foreign_folder_is_refused(tmp_path):
    (tmp_path / "exp").mkdir()
    (tmp_path / "exp" / "train_id.txt").write_text("1,2,3\n")
    with pytest.raises(DataError, match="no emulated tree"):
        emulate("sysu", tmp_path, progress=False)
    assert (tmp_path / "exp" / "train_id.txt").read_text() == "1,2,3\n"
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="is a file"):
        emulate("sysu", tmp_path / "file", progress=False)


def test_a_failure_leaves_nothing(tmp_path, monkeypatch):
    def fail(*_):
        raise RuntimeError("killed")

    monkeypatch.setattr(emulation, "_write_images", fail)
    with pytest.raises(RuntimeError, match="killed"):
        emulate("regdb", tmp_path / "tree", workers=1, progress=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("thread", "told"),
    [("ExecutorManagerThread", []), ("another", ["Exception in thread another:"])],
)
def test_who_stops_it_reads_one_line(tmp_path, monkeypatch, capsys, thread, told):
    def fail():
        raise KeyError(5)

    def stopped(*_, **__):
        failing = threading.Thread(target=fail, name=thread)  # as joblib's, whose work is gone
        failing.start()
        failing.join()
        raise KeyboardInterrupt

    monkeypatch.setattr(threading, "excepthook", threading.__excepthook__)
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")
    monkeypatch.setattr(emulation, "in_order", stopped)
    assert cli.main(["emulate", "regdb", str(tmp_path / "tree")]) == 130
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1] == f"stopped; {tmp_path / 'tree'} is as it was" and lines[:-1][:1] == told
    assert list(tmp_path.iterdir()) == []


def test_empty_folder_is_filled(tmp_path):
    (tmp_path / "tree").mkdir()
    tree = emulate("regdb", tmp_path / "tree", height=16, workers=1, progress=False)
    assert (tree.root / MARKER).is_file()
    assert (tree.identities, tree.images) == (16, 320)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("market", "x"), "unknown dataset 'market'"),
        (("sysu", "x", "huge"), "unknown scale 'huge'"),
    ],
)
def test_mistakes_are_named(arguments, message):
    with pytest.raises(ConfigError, match=message):
        emulate(*arguments)


def test_spread_is_exact_and_even():
    cells = [(p, 1) for p in range(7)]
    counts = spread(40, cells)
    assert sum(counts.values()) == 40
    assert max(counts.values()) - min(counts.values()) == 1


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_counts_do_not_depend_on_the_seed(seed):
    plan = sysu_plan(True, seed)
    assert len(plan.images) == 30071 + 15792
    assert len({image.path for image in plan.images}) == len(plan.images)


def _numbers(path: Path) -> list[int]:
    return [int(n) for n in path.read_text().split(",")]
