"""Readers: what the three layouts mean, wherever they lie."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from mscm_lib.data import dataset_from_manifest, open_dataset
from mscm_lib.data.emulated.counts import sysu_plan
from mscm_lib.data.faults import Findings
from mscm_lib.data.layouts import sysu as sysu_module
from mscm_lib.data.layouts.listing import Tree
from mscm_lib.data.published_counts import dataset_counts
from mscm_lib.errors import ConfigError, DataError

NAMES = ("sysu", "regdb", "llcm")


def tables(data):
    """Every table that a dataset gives, by what it is."""
    found = {"train": data.train(), "held-out": data.train("held-out"), "val": data.validation()}
    for search in data.searches:
        for trial in data.trials:
            found[search, trial, "query"] = data.query(search, trial)
            for draw in data.draws:
                found[search, trial, draw] = data.gallery(search, trial, draw)
    return {
        key: (t.paths, t.ids.tolist(), t.cams.tolist(), t.infrared.tolist())
        for key, t in found.items()
    }


def test_sysu_tables(tree):
    root = tree("sysu")
    data = open_dataset("sysu", root)
    train = data.train()
    assert sorted(set(train.ids.tolist())) == [1, 2, 3, 12]
    assert (len(train.visible_images), len(train.infrared_images)) == (4 * 4 * 2, 4 * 2 * 2)
    held = data.train(validation="held-out")
    assert sorted(set(held.ids.tolist())) == [1, 2, 12]
    assert set(data.validation().ids.tolist()) == {3}
    query = data.query(search="indoor")
    assert query.paths == data.query(search="all").paths
    assert query.cams.tolist() == [3, 3, 6, 6] * 2 and query.infrared.all()
    for table in (train, query, data.gallery()):
        for path, identity, camera in zip(table.paths, table.ids, table.cams, strict=True):
            assert path.startswith(f"cam{camera}/{identity:04d}/")
            assert (root / path).is_file()
    assert Image.open(data.root / data.query().paths[0]).size == (12, 24)


def test_regdb_tables(tree):
    root = tree("regdb")
    data = open_dataset("regdb", root)
    assert list(data.trials) == list(range(1, 11))
    assert data.train().paths == data.train(trial=1).paths
    for trial in data.trials:
        lines = {
            key: [
                line.split()
                for line in (root / f"idx/{key}_{trial}.txt").read_text().split("\n")
                if line
            ]
            for key in ("train_visible", "train_thermal", "test_visible", "test_thermal")
        }
        train = data.train(trial=trial)
        expected = lines["train_visible"] + lines["train_thermal"]
        assert list(train.paths) == [path for path, _ in expected]
        assert train.ids.tolist() == [int(label) for _, label in expected]
        forward = data.query("visible-to-thermal", trial), data.gallery("visible-to-thermal", trial)
        back = data.query("thermal-to-visible", trial), data.gallery("thermal-to-visible", trial)
        assert [t.paths for t in forward] == [t.paths for t in reversed(back)]
        assert list(forward[0].paths) == [path for path, _ in lines["test_visible"]]
        assert forward[1].infrared.all() and not forward[0].infrared.any()
        official = data.gallery("visible-to-thermal", trial, draw="official")
        assert official.paths == forward[1].paths


def test_regdb_images_have_one_number_a_person(tree):
    data = open_dataset("regdb", tree("regdb"))
    people = {path: path.split("/")[1] for path in data.images.paths}
    pairs = {(people[p], i) for p, i in zip(data.images.paths, data.images.ids, strict=True)}
    assert len(pairs) == 4 == len({number for _, number in pairs})


def test_llcm_tables(tree):
    data = open_dataset("llcm", tree("llcm"))
    train = data.train()
    assert train.ids.tolist() == [0, 0, 1, 1] * 2 and train.cams.tolist() == [4] * 8
    assert train.infrared.tolist() == [False] * 4 + [True] * 4
    infrared = data.query(search="infrared-to-visible")
    assert len(infrared) == 2 * 8 * 3 and set(infrared.cams.tolist()) == {1, 2, 4, 5, 6, 7, 8, 9}
    visible = data.query(search="visible-to-infrared")
    assert len(visible) == 2 * 9 * 3 and set(visible.ids.tolist()) == {3, 14}
    assert data.scorings["visible-to-infrared"] == ("direct", "swapped")


def test_published_counts_are_counted_as_published(tmp_path, monkeypatch):
    plan = sysu_plan(True, 0)
    for file, text in plan.texts.items():
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text(text)
    files = Tree(tmp_path, sorted(image.path for image in plan.images))
    monkeypatch.setattr(sysu_module, "scan", lambda root, findings: files)
    data = sysu_module.SysuDataset.read(tmp_path, Findings())
    counts = dataset_counts(data)
    assert [(count.what, count.found) for count in counts if not count.agrees] == []
    assert sum(count.published is not None for count in counts) == 14


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("folder", ["plain", "webcam 1/cam2", "wo rt/ein Ördner/人", "cam3/0004"])
def test_a_root_may_be_called_anything(tree, tmp_path, name, folder):
    here = open_dataset(name, tree(name, folder))
    there = open_dataset(name, shutil.copytree(here.root, tmp_path / "other"))
    assert tables(here) == tables(there)
    assert here.fingerprint() == there.fingerprint()


@pytest.mark.parametrize("name", NAMES)
def test_a_relative_root_and_text_work(tree, name, monkeypatch):
    root = tree(name)
    monkeypatch.chdir(root.parent)
    assert tables(open_dataset(name, root.name)) == tables(open_dataset(name, str(root)))


@pytest.mark.parametrize("name", NAMES)
def test_a_manifest_gives_the_same_dataset(tree, name):
    data = open_dataset(name, tree(name))
    manifest = json.loads(json.dumps(data.manifest()))
    shutil.rmtree(data.root)
    again = dataset_from_manifest(manifest, data.root)
    assert type(again) is type(data) and tables(again) == tables(data)
    assert again.fingerprint() == data.fingerprint() == manifest["fingerprint"]


@pytest.mark.parametrize("damage", ["images", "subsets", "permutations", "split_files", "name"])
def test_a_damaged_manifest_is_one_error(tree, damage):
    manifest = open_dataset("sysu", tree("sysu")).manifest()
    del manifest[damage]
    with pytest.raises(DataError, match="manifest is damaged"):
        dataset_from_manifest(manifest, "somewhere")


def test_validation_elsewhere_is_a_fixed_share(tree, forms):
    data = open_dataset("regdb", forms.write_regdb(tree("llcm").parent / "many", people=40))
    held = set(data.validation(trial=2).ids.tolist())
    assert len(held) == 4  # a fifth of 20
    assert held == set(data.validation(trial=2).ids.tolist())
    rest = data.train("held-out", trial=2)
    assert held.isdisjoint(rest.ids.tolist()) and len(set(rest.ids.tolist())) == 16
    assert len(rest) + len(data.validation(trial=2)) == len(data.train(trial=2))


def test_text_files_may_come_from_windows(tree):
    for name in NAMES:
        root = tree(name, name)
        before = tables(open_dataset(name, root))
        for path in root.rglob("*.txt"):
            text = path.read_text().replace("\n", "\r\n")
            path.write_bytes(b"\xef\xbb\xbf" + text.encode() + b"\r\n")
        assert tables(open_dataset(name, root)) == before


def test_listed_paths_may_contain_spaces_and_upper_case(tree, forms):
    root = tree("regdb")
    forms.put(root, "Visible/2/a b.JPG")
    old = (root / "idx/train_visible_1.txt").read_text()
    (root / "idx/train_visible_1.txt").write_text(old + "Visible/3/../3/v_0.bmp 0\n")
    assert list(open_dataset("regdb", root).trials) == list(range(2, 11))
    label = old.split("Visible/3/v_0.bmp ")[1].split("\n")[0]
    forms.put(root, "Visible/3/a b.JPG")
    (root / "idx/train_visible_1.txt").write_text(old + f"./Visible/3/a b.JPG {label}\n")
    assert "Visible/3/a b.JPG" in open_dataset("regdb", root).train().paths


def test_other_files_and_unlisted_people_change_nothing(tree, forms):
    root = tree("sysu")
    data = open_dataset("sysu", root)
    before, mark = tables(data), data.fingerprint()
    for path in (
        "cam1/0077/0001.jpg",
        "cam9/0004/0001.jpg",
        ".DS_Store",
        "notes.txt",
        "cam1/0004/deeper/0001.jpg",
        "exp/other.jpg",
        "cam1/.hidden.jpg",
    ):
        forms.put(root, path)
    again = open_dataset("sysu", root)
    assert tables(again) == before and again.fingerprint() == mark


def test_fingerprint_follows_what_matters(tree, forms):
    root = tree("sysu")
    first = open_dataset("sysu", root)
    marks, contents = [first.fingerprint()], first.fingerprint(contents=True)
    path = root / "cam1/0004/0003.jpg"
    same_length = bytes([*path.read_bytes()[:-3], 1, 2, 3])
    path.write_bytes(same_length)
    assert open_dataset("sysu", root).fingerprint() == marks[0]
    assert open_dataset("sysu", root).fingerprint(contents=True) != contents
    path.write_bytes(same_length + b"longer")
    marks.append(open_dataset("sysu", root).fingerprint())
    path.rename(root / "cam1/0004/0099.jpg")
    marks.append(open_dataset("sysu", root).fingerprint())
    (root / "exp/train_id.txt").write_text("1,3,12\n")
    (root / "exp/val_id.txt").write_text("2\n")
    marks.append(open_dataset("sysu", root).fingerprint())
    forms.save_permutations(root, forms.permutations(root, seed=9))
    marks.append(open_dataset("sysu", root).fingerprint())
    assert len(set(marks)) == len(marks) and all(len(mark) == 64 for mark in marks)


def test_fingerprint_of_a_vanished_image_is_an_error(tree):
    root = tree("llcm")
    data = open_dataset("llcm", root)
    (root / data.query().paths[0]).unlink()
    with pytest.raises(DataError, match=r"is gone or cannot be read .*mscm doctor llcm"):
        data.fingerprint()


def test_linked_folders_are_followed(tree, tmp_path):
    root = tree("sysu")
    before = tables(open_dataset("sysu", root))
    (root / "cam4").rename(tmp_path / "elsewhere")
    (root / "cam4").symlink_to(tmp_path / "elsewhere")
    assert tables(open_dataset("sysu", root)) == before


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda data: data.train("none"), "validation = 'none': expected one of 'merged', 'held-"),
        (lambda data: data.train(trial=1), "trial = 1: expected one of 0"),
        (lambda data: data.query("night"), "search = 'night': expected one of 'all', 'indoor'"),
        (lambda data: data.query(trial=-1), "trial = -1: expected one of 0, 1"),
        (lambda data: data.gallery_pool("x"), "search = 'x'"),
        (
            lambda data: open_dataset("sisu", data.root),
            "unknown dataset 'sisu'; did you mean 'sysu'",
        ),
    ],
)
def test_mistakes_name_what_is_allowed(tree, call, message):
    data = open_dataset("sysu", tree("sysu"))
    with pytest.raises(ConfigError) as caught:
        call(data)
    assert message in str(caught.value)


def test_numpy_numbers_are_trials(tree):
    data = open_dataset("sysu", tree("sysu"))
    assert data.gallery(trial=np.int64(3)).paths == data.gallery(trial=3).paths


def test_a_table_without_images_is_an_error(tree):
    root = tree("sysu")
    for camera in (3, 6):
        shutil.rmtree(root / f"cam{camera}/0004")
        shutil.rmtree(root / f"cam{camera}/0005")
    with pytest.raises(DataError, match="no infrared test image is there.*mscm doctor sysu"):
        open_dataset("sysu", root).query()
