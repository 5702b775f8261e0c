"""Tables for BUPTCampus and RGBNT201, from tiny trees in the layouts that are described."""

import json

import pytest

from mscm_lib.data import open_dataset
from mscm_lib.data.layouts.converters import buptcampus_table, rgbnt201_table
from mscm_lib.errors import ConfigError, DataError


@pytest.fixture
def campus(tmp_path, forms):
    """Two people train, two are tested; each has a pair of tracklets in two cameras."""
    paths, lines = {}, {"train": [], "query": [], "gallery": []}
    for person in (1, 2, 31, 32):
        for camera in ("G25", "LS3"):
            for modality in ("RGB", "IR"):
                frames = [
                    f"DATA/{modality}/{person}/{camera}/1/{shot:02d}.jpg" for shot in range(3)
                ]
                for frame in frames:
                    forms.put(tmp_path, frame)
                tracklets = paths.setdefault(str(person), {}).setdefault(modality, {})
                tracklets.setdefault(camera, {})["1"] = frames
            split = "train" if person < 31 else ("query" if camera == "G25" else "gallery")
            lines[split].append(f"{person} RGB/IR {camera} 1\n")
    lines["query"][0] = "31 RGB G25 1\n"  # the other half of this pair does not query
    (tmp_path / "data_paths.json").write_text(json.dumps(paths))
    for split, text in lines.items():
        (tmp_path / f"{split}.txt").write_text("".join(text))
    return tmp_path


def test_buptcampus_tracklets_become_sequences(campus):
    data = open_dataset("table", campus, buptcampus_table(campus))
    train = data.train()
    assert len(train) == 2 * 2 * 2 * 3 and train.infrared.sum() == len(train) // 2
    forward, back = data.query("visible-to-infrared"), data.query("infrared-to-visible")
    assert forward.ids.tolist() == [31, 32] and back.ids.tolist() == [32]
    assert all(path.endswith("/01.jpg") for path in forward.paths)
    gallery = data.gallery("visible-to-infrared")
    assert gallery.ids.tolist() == [31, 32] and gallery.infrared.all()
    assert set(gallery.cams.tolist()) == {3} and set(forward.cams.tolist()) == {25}


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("query.txt", "31 RGB G25\n", r"query.txt, line 1: is '31 RGB G25'; expected 'pid"),
        ("query.txt", "31 RGB G25 9\n", "data_paths.json has no 31 RGB G25 9"),
        ("data_paths.json", "{", "data_paths.json: not readable as JSON"),
    ],
)
def test_damaged_lists_of_buptcampus_are_named(campus, file, text, message):
    (campus / file).write_text(text)
    with pytest.raises(DataError, match=message):
        buptcampus_table(campus)
    assert not (campus / "table.csv").exists()


def test_a_missing_list_of_buptcampus_is_named(campus):
    (campus / "gallery.txt").unlink()
    with pytest.raises(DataError, match="gallery.txt: the file is missing"):
        buptcampus_table(campus)


@pytest.fixture
def nt(tmp_path, forms):
    """Three people train and two are tested, by two cameras, the same names in all modalities."""
    for folder, people in (("train_171", (1, 2, 3)), ("test", (40, 41))):
        for modality in ("RGB", "NI", "TI"):
            for person in people:
                for camera in (1, 2):
                    name = f"{person:06d}_cam{camera}_0_{camera:02d}.jpg"
                    forms.put(tmp_path, f"{folder}/{modality}/{name}")
    return tmp_path


@pytest.mark.parametrize(("visible", "infrared"), [("RGB", "TI"), ("RGB", "NI"), ("NI", "TI")])
def test_rgbnt201_is_read_for_each_pair(nt, visible, infrared):
    data = open_dataset("table", nt, rgbnt201_table(nt, visible, infrared))
    assert sorted(set(data.train().ids.tolist())) == [1, 2, 3]
    query, gallery = data.query(), data.gallery()
    assert len(query) == len(gallery) == 4 and data.protocol == "images"
    assert all(path.startswith(f"test/{infrared}/") for path in query.paths)
    assert all(path.startswith(f"test/{visible}/") for path in gallery.paths)
    assert sorted(query.cams.tolist()) == [1, 1, 2, 2]


def test_lists_of_rgbnt201_say_which_pictures_count(nt):
    for split, folder, person in (("train", "train_171", 2), ("test", "test", 40)):
        for letter, modality in (("R", "RGB"), ("T", "TI")):
            path = f"{folder}/{modality}/{person:06d}_cam1_0_01.jpg 0\n"
            (nt / "idx").mkdir(exist_ok=True)
            (nt / f"idx/{split}_{letter}.txt").write_text(path)
    data = open_dataset("table", nt, rgbnt201_table(nt))
    assert data.train().ids.tolist() == [2, 2] and data.query().ids.tolist() == [40]
    (nt / "idx/test_R.txt").write_text("test/RGB/000049_cam1_0_01.jpg 0\n")
    with pytest.raises(DataError, match=r"idx/test_R.txt, line 1: .*no such image is there"):
        rgbnt201_table(nt)


def test_other_names_and_one_modality_are_refused(nt, forms):
    with pytest.raises(ConfigError, match="between two modalities"):
        rgbnt201_table(nt, "NI", "NI")
    forms.put(nt, "test/RGB/person.jpg")
    with pytest.raises(DataError, match=r"person.jpg: expected a name such as"):
        rgbnt201_table(nt)
    with pytest.raises(DataError, match="holds no picture"):
        rgbnt201_table(nt / "test")
