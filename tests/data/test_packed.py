"""Packed arrays: the same pixels, atomic, resumable, and never stale or half-written."""

import json
import os
import pickle
import resource
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
from PIL import Image

from mscm_lib.data import PackedImages, open_dataset, open_packed, pack_dataset
from mscm_lib.data.packed import decoding as images
from mscm_lib.data.packed import opened as packed_module
from mscm_lib.data.packed import writing as packing
from mscm_lib.data.packed.arrays import IMAGES, INDEX, MANIFEST
from mscm_lib.data.tables import ImageTable
from mscm_lib.errors import ConfigError, DataError, StorageError

HEIGHT, WIDTH = 20, 10
COLOURED, GRAY = "cam1/0004/0001.jpg", "cam3/0004/0002.jpg"


@pytest.fixture
def data(tree, forms):
    """A SYSU-MM01 tree in which every image differs; one is gray, one has the packed size."""
    root = tree("sysu")
    for seed, path in enumerate(sorted(root.glob("cam*/*/*.jpg"))):
        path.write_bytes(forms.encoded(seed=seed))
    forms.put(root, GRAY, forms.encoded("L", seed=900))
    forms.put(root, COLOURED, forms.encoded(size=(WIDTH, HEIGHT), kind="PNG", seed=901))
    return open_dataset("sysu", root)


def pack(data, folder, height=HEIGHT, width=WIDTH, **options):
    return pack_dataset(data, folder, height, width, progress=False, **options)


def part_of(folder):
    return folder.with_name(f".{folder.name}.part")


@pytest.mark.parametrize("name", ["sysu", "regdb", "llcm"])
def test_pixels_are_pillows(tree, tmp_path, name):
    dataset = open_dataset(name, tree(name))
    found = pack(dataset, tmp_path / "packed")
    assert found.images.shape == (len(dataset.images), HEIGHT, WIDTH, 3)
    for row in (0, len(found) // 2, len(found) - 1):
        with Image.open(dataset.root / found.paths[row]) as image:
            expected = image.convert("RGB").resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
        np.testing.assert_array_equal(found.images[row], np.asarray(expected))


def test_gray_becomes_three_equal_channels_and_the_right_size_is_untouched(data, tmp_path):
    found = pack(data, tmp_path / "packed")
    gray, coloured = found.read(found.rows([GRAY, COLOURED]))
    assert (gray == gray[..., :1]).all() and gray.std() > 0
    with Image.open(data.root / COLOURED) as image:
        np.testing.assert_array_equal(coloured, np.asarray(image))


def test_open_packed_gives_the_dataset_without_its_tree(data, tmp_path):
    pack(data, tmp_path / "packed")
    shutil.rmtree(data.root)
    again = open_packed(tmp_path / "packed", data.fingerprint())
    for draw in data.draws:
        assert (
            again.dataset.gallery("indoor", 3, draw).paths == data.gallery("indoor", 3, draw).paths
        )
    assert again.dataset.train("held-out").paths == data.train("held-out").paths
    rows = again.images.rows(data.query().paths)
    assert [again.images.paths[row] for row in rows] == list(data.query().paths)
    assert (again.images.height, again.images.width) == (HEIGHT, WIDTH)


def test_read_keeps_order_and_repeats(data, tmp_path):
    found = pack(data, tmp_path / "packed")
    rows = np.random.default_rng(0).integers(0, len(found), 40)
    np.testing.assert_array_equal(found.read(rows), found.images[rows])
    assert found.read([]).shape == (0, HEIGHT, WIDTH, 3)
    with ThreadPoolExecutor(4) as pool:
        for batch in pool.map(found.read, [rows] * 8):
            np.testing.assert_array_equal(batch, found.images[rows])
    for wrong in ([-1], [len(found)]):
        with pytest.raises(DataError, match=r"rows .* were asked for, 0 to \d+ are there"):
            found.read(wrong)
    with pytest.raises(DataError, match="has no image 'cam9/0001.jpg'; it was packed from another"):
        found.rows(["cam9/0001.jpg"])


def test_a_copy_in_another_process_opens_the_files_itself(data, tmp_path):
    found = pack(data, tmp_path / "packed")
    text = pickle.dumps(found)
    assert len(text) < 1000
    np.testing.assert_array_equal(pickle.loads(text).read([5, 2]), found.images[[5, 2]])


@pytest.mark.parametrize("workers", [1, 5])
def test_workers_change_no_byte(data, tmp_path, workers):
    pack(data, tmp_path / "one", workers=1)
    pack(data, tmp_path / "more", workers=workers)
    for file in (IMAGES, INDEX, MANIFEST):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "more" / file).read_bytes()
    assert {path.name for path in (tmp_path / "one").iterdir()} == {IMAGES, INDEX, MANIFEST}
    assert not part_of(tmp_path / "one").exists()


def test_a_current_folder_is_left_alone_and_any_other_replaced(data, tmp_path, forms, monkeypatch):
    folder = tmp_path / "packed"
    decoded = counted(monkeypatch)
    pack(data, folder)
    assert len(decoded) == len(data.images)
    pack(data, folder)
    assert len(decoded) == len(data.images)
    assert pack(data, folder, height=24).height == 24  # another size
    assert len(decoded) == 2 * len(data.images)
    forms.put(data.root, COLOURED, forms.encoded(seed=77))
    changed = open_dataset("sysu", data.root)
    with pytest.raises(DataError, match="is stale: packed from fingerprint"):
        open_packed(folder, changed.fingerprint())
    assert pack(changed, folder).fingerprint == changed.fingerprint() != data.fingerprint()


def counted(monkeypatch, stop_after=None, error=KeyboardInterrupt):
    """The files that are decoded from now on; ``error`` after some of them."""
    decoded = []

    def load(path, height, width):
        if stop_after is not None and len(decoded) >= stop_after:
            raise error
        decoded.append(path)
        return images.load_pixels(path, height, width)

    monkeypatch.setattr(packed_module, "load_pixels", load)
    return decoded


def test_an_interrupted_pack_goes_on_where_it_was(data, tmp_path, monkeypatch):
    folder = tmp_path / "packed"
    monkeypatch.setattr(packing, "SYNC_BYTES", 1)
    with pytest.raises(KeyboardInterrupt):
        counted(monkeypatch, stop_after=100)
        pack(data, folder, workers=1)
    with pytest.raises(DataError, match="holds no packed dataset"):
        open_packed(folder)
    assert not folder.exists()
    decoded = counted(monkeypatch)
    found = pack(data, folder)
    assert len(decoded) == len(data.images) - 96  # whole chunks of 16 were safe
    pack(data, tmp_path / "whole")
    np.testing.assert_array_equal(found.images, open_packed(tmp_path / "whole").images.images)


@pytest.mark.parametrize("change", ["size", "source", "journal", "pixels"])
def test_an_attempt_at_something_else_is_not_continued(data, tmp_path, forms, monkeypatch, change):
    folder = tmp_path / "packed"
    monkeypatch.setattr(packing, "SYNC_BYTES", 1)
    with pytest.raises(KeyboardInterrupt):
        counted(monkeypatch, stop_after=100)
        pack(data, folder, workers=1)
    if change == "source":
        forms.put(data.root, COLOURED, forms.encoded(seed=77))
    elif change == "journal":
        (part_of(folder) / packing.JOURNAL).write_text("{")
    elif change == "pixels":
        os.truncate(part_of(folder) / IMAGES, 1000)
    decoded = counted(monkeypatch)
    data = open_dataset("sysu", data.root)
    found = pack(data, folder, height=HEIGHT + 4 * (change == "size"))
    assert len(decoded) == len(data.images)
    np.testing.assert_array_equal(
        found.read([7])[0], images.load_pixels(data.root / found.paths[7], found.height, WIDTH)
    )


@pytest.mark.parametrize("step", ["replacing the old folder", "moving the new one"])
def test_a_kill_while_finishing_loses_nothing(data, tmp_path, monkeypatch, step):
    def killed(*arguments):
        raise KeyboardInterrupt

    folder = tmp_path / "packed"
    pack(data, folder, height=HEIGHT + 4)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        owner, name = (shutil, "rmtree") if step.startswith("replacing") else (Path, "rename")
        patch.setattr(owner, name, killed)
        pack(data, folder)
    decoded = counted(monkeypatch)
    assert pack(data, folder).height == HEIGHT
    assert decoded == []
    assert {path.name for path in folder.iterdir()} == {IMAGES, INDEX, MANIFEST}


def test_a_killed_process_leaves_a_journal(data, tmp_path):
    code = """
import sys, time
from mscm_lib.data import open_dataset, pack_dataset
from mscm_lib.data.packed import decoding as images
from mscm_lib.data.packed import opened as packed
from mscm_lib.data.packed import writing as packing
packing.SYNC_BYTES = 1
def load(path, height, width):
    time.sleep(0.02)
    return images.load_pixels(path, height, width)
packed.load_pixels = load
pack_dataset(open_dataset("sysu", sys.argv[1]), sys.argv[2], 20, 10, workers=1, progress=False)
"""
    folder = tmp_path / "packed"
    child = subprocess.Popen([sys.executable, "-c", code, str(data.root), str(folder)])
    journal = part_of(folder) / packing.JOURNAL
    deadline = time.monotonic() + 120
    while not journal.exists():
        assert child.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    with pytest.raises(StorageError, match="another process is packing it"):
        pack(data, folder)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert not folder.exists()
    assert 0 < json.loads(journal.read_text())["done"] < len(data.images)
    found = pack(data, folder)
    np.testing.assert_array_equal(
        found.read([0])[0], images.load_pixels(data.root / found.paths[0], HEIGHT, WIDTH)
    )


def cut(path, length=-1):
    def act(folder):
        os.truncate(folder / path, (folder / path).stat().st_size + length)

    return act


def edit(path, old, new):
    def act(folder):
        text = (folder / path).read_text()
        assert old in text
        (folder / path).write_text(text.replace(old, new, 1))

    return act


def resave(array):
    return lambda folder: np.save(folder / IMAGES, array)


COUNT = 160
DAMAGES = {
    "no folder": (shutil.rmtree, "holds no packed dataset"),
    "no manifest": (lambda f: (f / MANIFEST).unlink(), "holds no packed dataset"),
    "no index": (lambda f: (f / INDEX).unlink(), "index.csv: is missing"),
    "no pixels": (lambda f: (f / IMAGES).unlink(), "images.npy: is no packed array"),
    "manifest cut": (cut(MANIFEST, -50), "not readable as JSON"),
    "manifest a list": (lambda f: (f / MANIFEST).write_text("[]"), "has no valid 'name'"),
    "no height": (edit(MANIFEST, '"height": 20', '"tall": 20'), "has no valid 'height'"),
    "another height": (edit(MANIFEST, '"height": 20', '"height": 24'), "speak of uint8 (160, 24,"),
    "pixels cut": (cut(IMAGES), "it was cut off"),
    "pixels empty": (lambda f: os.truncate(f / IMAGES, 0), "is no packed array"),
    "pixels of floats": (resave(np.zeros((COUNT, 20, 10, 3), np.float32)), "holds float32"),
    "fewer pixels": (resave(np.zeros((9, 20, 10, 3), np.uint8)), "holds uint8 (9, 20, 10, 3)"),
    "columns swapped": (
        lambda f: np.save(f / IMAGES, np.asfortranarray(np.zeros((COUNT, 20, 10, 3), np.uint8))),
        "holds uint8",
    ),
    "index cut": (cut(INDEX, -8), "index.csv: is damaged"),
    "index line gone": (edit(INDEX, "cam1/0001/0001.jpg,1,1,0\n", ""), "speak of uint8 (159"),
    "index header": (edit(INDEX, "path,id,cam", "file,id,cam"), "its columns are"),
    "index path twice": (edit(INDEX, "cam1/0001/0001.jpg", "cam1/0001/0002.jpg"), "an image twice"),
    "index of others": (edit(INDEX, "cam1/0001/0001.jpg", "cam1/0001/x.jpg"), "name other images"),
    "another reader": (edit(MANIFEST, '"name": "sysu"', '"name": "market"'), "unknown dataset"),
}


@pytest.mark.parametrize("case", DAMAGES)
def test_a_damaged_folder_is_never_read(data, tmp_path, case):
    damage, message = DAMAGES[case]
    folder = tmp_path / "packed"
    pack(data, folder)
    assert len(open_packed(folder).images) == COUNT
    damage(folder)
    with pytest.raises((DataError, ConfigError)) as caught:
        open_packed(folder)
    assert message in str(caught.value)


def test_a_file_cut_after_opening_is_an_error(data, tmp_path):
    found = pack(data, tmp_path / "packed")
    os.truncate(tmp_path / "packed" / IMAGES, 500)
    with pytest.raises(DataError, match=r"ends within row \d+; pack it again"):
        found.read([5])


def test_a_full_disk_is_one_clear_error(data, tmp_path, monkeypatch):
    full = SimpleNamespace(free=100)
    monkeypatch.setattr(packing.shutil, "disk_usage", lambda path: full)
    with pytest.raises(StorageError, match=r"are still to be written, 0.00 GB are free"):
        pack(data, tmp_path / "packed")
    monkeypatch.undo()
    assert len(pack(data, tmp_path / "packed")) == COUNT


def test_a_disk_that_fills_up_keeps_what_is_packed(data, tmp_path, monkeypatch):
    monkeypatch.setattr(packing, "SYNC_BYTES", 1)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
    try:
        with pytest.raises(StorageError, match=r"row \d+ of 160 could not be written"):
            pack(data, tmp_path / "packed")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not (tmp_path / "packed").exists()
    decoded = counted(monkeypatch)
    assert len(pack(data, tmp_path / "packed")) == COUNT
    assert 0 < len(decoded) < COUNT


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "has zero bytes"),
        (b"no image", "is no JPEG, PNG, BMP, TIFF file"),
        (None, "is missing"),
    ],
)
def test_a_broken_image_stops_the_pack_by_name(data, tmp_path, content, message):
    data.fingerprint()
    (data.root / GRAY).unlink()
    if content is not None:
        (data.root / GRAY).write_bytes(content)
    with pytest.raises(DataError) as caught:
        pack(data, tmp_path / "packed")
    assert f"{data.root / GRAY}: {message}" in str(caught.value)
    assert not (tmp_path / "packed").exists()


def test_foreign_folders_are_not_touched(data, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.tex").write_text("years of work")
    (tmp_path / "file").write_text("a file")
    for folder, message in (("mine", "holds files that are no packed"), ("file", "is a file")):
        with pytest.raises(DataError, match=message):
            pack(data, tmp_path / folder)
    assert (tmp_path / "mine/thesis.tex").read_text() == "years of work"


@pytest.mark.parametrize("mistake", [{"height": 0}, {"width": -1}, {"workers": 0}])
def test_impossible_sizes_are_named(data, tmp_path, mistake):
    with pytest.raises(ConfigError, match="expected 1 or more"):
        pack(data, tmp_path / "packed", **mistake)


def test_reading_an_epoch_takes_no_memory(tmp_path):
    """A gibibyte of (sparse) pixels goes by, and the process does not grow by a tenth of that."""
    count, height, width = 5000, 384, 192
    rows = [(f"cam1/0001/{row}.jpg", 1, 1, False) for row in range(count)]
    packing.write_index(tmp_path / INDEX, ImageTable.from_rows(rows))
    about = {"name": "sysu", "fingerprint": "", "height": height, "width": width}
    (tmp_path / MANIFEST).write_text(json.dumps(about))
    with (tmp_path / IMAGES).open("wb") as stream:
        header = {"descr": "|u1", "fortran_order": False, "shape": (count, height, width, 3)}
        np.lib.format.write_array_header_1_0(stream, header)
        stream.truncate(stream.tell() + count * height * width * 3)
    found = PackedImages.open(tmp_path)
    order = np.random.default_rng(0).permutation(count)
    found.read(order[:48])
    before = psutil.Process().memory_info().rss
    for start in range(0, count, 48):
        found.read(order[start : start + 48])
    assert psutil.Process().memory_info().rss - before < 100 * 2**20
