"""A dataset of one's own: read, looked over, packed, guarded, emulated like the official ones."""

import csv
import dataclasses
import json
import re
import shutil

import numpy as np
import pytest
import yaml
from PIL import Image

from mscm_lib.data import dataset_from_manifest, open_dataset, open_packed, pack_dataset
from mscm_lib.data.doctor import diagnose
from mscm_lib.data.emulated.emulate import emulate
from mscm_lib.data.layouts import table_protocol
from mscm_lib.data.layouts.table_protocol import TableProtocol
from mscm_lib.errors import ConfigError, DataError
from mscm_lib.paths import project_root

HEAD = ["path", "identity", "camera", "modality", "split"]
SPLITS = {1: "train", 2: "train", 3: "train", 4: "val", 5: "test", 6: "test", 7: "test"}
CAMERAS = {1: "visible", 2: "visible", 3: "infrared", 4: "infrared"}
SHOTS = 3


def lines():
    for person, split in SPLITS.items():
        for camera, modality in CAMERAS.items():
            for shot in range(SHOTS):
                yield [f"{modality}/{camera}_{person}_{shot}.jpg", person, camera, modality, split]


def save(root, rows, head=HEAD, delimiter=",", start="", name="table.csv"):
    with (root / name).open("w", encoding="utf-8", newline="") as stream:
        stream.write(start)
        csv.writer(stream, delimiter=delimiter).writerows([head, *rows])


@pytest.fixture
def root(tmp_path, forms):
    for path, *_ in lines():
        forms.put(tmp_path / "own", path)
    save(tmp_path / "own", lines())
    return tmp_path / "own"


def findings(root, **settings):
    return diagnose("table", root, progress=False, settings=settings).findings


def opened(root, **settings):
    return open_dataset("table", root, settings)


def tables(data):
    found = [data.train(), data.train("held-out"), data.validation()]
    for search in data.searches:
        for trial in data.trials:
            found += [data.query(search, trial), data.gallery(search, trial, shots=data.shots[-1])]
    return [(t.paths, t.ids.tolist(), t.cams.tolist(), t.infrared.tolist()) for t in found]


def test_tables_follow_the_csv(root):
    data = opened(root)
    train = data.train()
    assert sorted(set(train.ids.tolist())) == [1, 2, 3, 4] and len(train) == 4 * 4 * SHOTS
    assert set(data.validation().ids.tolist()) == {4}
    assert set(data.train("held-out").ids.tolist()) == {1, 2, 3}
    assert data.searches == ("infrared-to-visible", "visible-to-infrared")
    query, gallery = data.query(), data.gallery(trial=3)
    assert query.infrared.all() and len(query) == 3 * 2 * SHOTS
    assert not gallery.infrared.any() and len(gallery) == 3 * 2
    assert {*gallery.cams.tolist()} == {1, 2} and {*gallery.ids.tolist()} == {5, 6, 7}
    assert data.gallery(trial=3).paths == gallery.paths
    assert len({data.gallery(trial=t).paths for t in data.trials}) > 1
    assert not findings(root)


def test_searches_shots_and_rules_are_the_study_s(root):
    settings = {
        "searches": {
            "indoor": {"query": "infrared", "gallery": "visible", "gallery_cameras": [2]},
            "back": {"query": "visible", "gallery": "infrared", "query_cameras": [1]},
        },
        "shots": [1, 10],
        "trials": 4,
        "cmc": "identities",
        "places": [[3, 1], [4, 2]],
        "own_camera": True,
    }
    data = opened(root, **settings)
    assert data.searches == ("indoor", "back") and list(data.trials) == [0, 1, 2, 3]
    assert set(data.gallery().cams.tolist()) == {2} and len(data.gallery(shots=10)) == 3 * SHOTS
    assert set(data.query("back").cams.tolist()) == {1}
    assert data.protocol == "identities - own camera - 3>1 - 4>2"
    with pytest.raises(ConfigError, match="shots = 10: expected one of 1"):
        opened(root).gallery(shots=10)


def test_a_whole_gallery_is_not_drawn(root):
    data = opened(root, gallery="whole")
    assert len(data.gallery(trial=2)) == 3 * 2 * SHOTS == len(data.gallery_pool())


def test_trials_are_splits_of_their_own(root):
    rows = []
    for trial in (1, 2):
        for path, person, camera, modality, _ in lines():
            split = "train" if (person + trial) % 2 else "test"
            rows.append([path, person, camera, modality, split, trial])
    save(root, rows, [*HEAD, "trial"])
    data = opened(root, trials=[1, 2])
    assert list(data.training_trials) == [1, 2]
    assert set(data.train(trial=1).ids.tolist()) == {2, 4, 6} == set(data.query(trial=2).ids)
    assert set(data.train(trial=2).ids.tolist()) == {1, 3, 5, 7} == set(data.query(trial=1).ids)
    assert len(data.images) == 7 * 4 * SHOTS
    with pytest.raises(DataError, match="a number of galleries"):
        opened(root)


def test_rows_without_a_trial_belong_to_every_one(root):
    rows = [[*line, "" if line[1] != 7 else 2] for line in lines()]
    save(root, rows, [*HEAD, "trial"])
    data = opened(root, trials=[1, 2])
    assert set(data.query(trial=1).ids.tolist()) == {5, 6}
    assert set(data.query(trial=2).ids.tolist()) == {5, 6, 7}
    assert data.train(trial=1).paths == data.train(trial=2).paths


def test_sequences_give_one_query_and_one_gallery_image_each(root):
    rows = [[*line, f"walk{line[0][-5]}" if line[1] == 5 else "a"] for line in lines()]
    save(root, rows, [*HEAD, "sequence"])
    data = opened(root, queries="sequences")
    query = data.query()
    assert sorted(query.ids.tolist()) == [5] * 6 + [6] * 2 + [7] * 2
    assert all(path.endswith("_1.jpg") for path in query[query.ids == 6].paths)  # the middle one
    assert sorted(data.gallery().ids.tolist()) == [5] * 6 + [6] * 2 + [7] * 2
    save(root, lines())
    with pytest.raises(DataError, match="no column for the sequence"):
        opened(root, queries="sequences")


def test_without_splits_a_share_of_the_people_is_tested(root):
    save(root, (line[:4] for line in lines()), HEAD[:4])
    data = opened(root, test_share=0.4)
    tested, trained = set(data.query().ids.tolist()), set(data.train().ids.tolist())
    assert len(tested) == 3 and len(trained) == 4 and not tested & trained
    assert tables(data) == tables(opened(root, test_share=0.4))


def test_query_and_gallery_may_be_told_apart(root):
    rows = [
        [
            *line[:4],
            ("query" if line[0].endswith("_0.jpg") else "gallery") if line[1] > 4 else line[4],
        ]
        for line in lines()
    ]
    save(root, rows)
    data = opened(root, gallery="whole")
    assert all(path.endswith("_0.jpg") for path in data.query().paths)
    assert not any(path.endswith("_0.jpg") for path in data.gallery().paths)


# how CSVs come out of people's tools
WRITTEN = {
    "semicolons": {"delimiter": ";"},
    "tabs": {"delimiter": "\t"},
    "byte order mark": {"start": "\ufeff"},
    "capital head": {"head": ["Path", "IDENTITY", " Camera ", "modality", "Split"]},
    "floats": {"rows": lambda r: [r[0], float(r[1]), float(r[2]), *r[3:]]},
    "zeros": {"rows": lambda r: [r[0], f"{r[1]:04d}", f"{r[2]:02d}", *r[3:]]},
    "camera words": {"rows": lambda r: [r[0], r[1], f"cam_{r[2]:02d}", *r[3:]]},
    "blanks": {"rows": lambda r: [f" {cell} " for cell in r]},
    "capital words": {"rows": lambda r: [*r[:3], r[3].upper(), r[4].title()]},
    "empty lines": {"start": "\n \n"},
    "other columns": {"head": ["path", "identity", "camera", "modality", "split", "note"],
                      "rows": lambda r: [*r, "seen, twice"]},
}  # fmt: skip


@pytest.mark.parametrize("form", WRITTEN)
def test_csvs_as_tools_write_them(root, form):
    before = tables(opened(root))
    options = dict(WRITTEN[form])
    change = options.pop("rows", lambda row: row)
    save(root, map(change, lines()), **options)
    assert tables(opened(root)) == before
    assert not findings(root)


def test_paths_from_windows_or_with_a_folder_in_front_are_said_once(root):
    before = tables(opened(root))
    save(root, (["D:\\pictures\\" + line[0].replace("/", "\\"), *line[1:]] for line in lines()))
    assert tables(opened(root)) == before
    assert {f.severity for f in findings(root)} == {"warning"} and len(findings(root)) == 2


def test_names_are_numbered(root):
    names = {1: "ada", 2: "bob", 3: "cy", 4: "dan", 5: "eve", 6: "fay", 7: "guy"}
    before = tables(opened(root))
    save(root, ([line[0], names[line[1]], *line[2:]] for line in lines()))
    assert tables(opened(root)) == before


def test_columns_and_words_may_have_other_names(root):
    head = ["file", "pid", "cam", "kind", "set"]
    words = {"visible": "RGB", "infrared": "TIR"}
    save(root, ([*line[:3], words[line[3]], line[4]] for line in lines()), head, name="list.csv")
    data = opened(
        root,
        table="list.csv",
        columns=dict(zip(HEAD, head, strict=True)),
        modalities={"visible": "rgb", "infrared": ["NIR", "TIR"]},
    )
    assert data.query().infrared.all() and len(data.query()) == 3 * 2 * SHOTS


@pytest.mark.parametrize("mode", ["L", "P"])
def test_pictures_of_other_sizes_and_channels_are_packed(root, tmp_path, mode):
    for person in (1, 5):
        Image.new(mode, (31, 40 + person), 7).save(root / f"visible/1_{person}_0.jpg", "PNG")
    data = opened(root)
    packed = pack_dataset(data, tmp_path / "packed", 32, 16, progress=False)
    assert not [f for f in findings(root) if f.severity != "warning"]
    again = open_packed(tmp_path / "packed")
    assert tables(again.dataset) == tables(data)
    assert again.dataset.protocol == data.protocol
    assert again.dataset.fingerprint() == data.fingerprint() == packed.fingerprint


def test_a_turned_picture_is_packed_upright(root, tmp_path):
    exif = Image.Exif()
    exif[274] = 3
    pixels = np.zeros((32, 16, 3), dtype=np.uint8)
    pixels[:16] = 255
    Image.fromarray(pixels).save(root / "visible/1_1_0.jpg", "PNG", exif=exif)
    packed = pack_dataset(opened(root), tmp_path / "packed", 32, 16, progress=False)
    shown = packed.read(packed.rows(["visible/1_1_0.jpg"]))[0]
    np.testing.assert_array_equal(shown, pixels[::-1])
    (found,) = findings(root)
    assert found.severity == "warning" and "packed as it is shown" in found.message


def test_the_fingerprint_follows_files_and_protocol(root):
    marks = {opened(root).fingerprint(), opened(root, cmc="identities").fingerprint()}
    marks.add(
        opened(root, modalities={"visible": ["infrared"], "infrared": ["visible"]}).fingerprint()
    )
    (root / "visible/1_1_0.jpg").write_bytes((root / "visible/1_1_0.jpg").read_bytes() + b"more")
    marks.add(opened(root).fingerprint())
    save(root, [line for line in lines() if line[1] != 2])
    marks.add(opened(root).fingerprint())
    assert len(marks) == 5
    assert opened(root, trials=10).fingerprint() == opened(root).fingerprint()


def test_a_manifest_gives_the_same_dataset(root):
    data = opened(root, shots=[1, 10], places=[[3, 1]])
    manifest = json.loads(json.dumps(data.manifest()))
    shutil.rmtree(root)
    again = dataset_from_manifest(manifest, root)
    assert tables(again) == tables(data) and again.protocol == data.protocol
    del manifest["settings"]
    with pytest.raises(DataError, match="manifest is damaged"):
        dataset_from_manifest(manifest, root)


def test_the_doctor_counts_and_looks_into_the_listed_pictures_alone(root, forms):
    forms.put(root, "elsewhere/broken.jpg", b"x")
    forms.put(root, "visible/1_1_0.jpg", b"<html>")
    diagnosis = diagnose("table", root, progress=False)
    (found,) = diagnosis.findings
    assert (found.severity, found.path) == ("error", "visible/1_1_0.jpg")
    assert diagnosis.checked == 7 * 4 * SHOTS
    counts = {count.what: count.found for count in diagnosis.counts}
    assert counts["training identities"] == 4 and counts["cameras"] == 4
    assert counts["queries, infrared-to-visible"] == 18
    assert counts["gallery, infrared-to-visible, 1 drawn"] == 6


@pytest.mark.parametrize(
    ("table", "settings"),
    [
        ("table.csv", None),
        ("people.csv", None),
        ("people.csv", {"trials": 3}),  # a study's, which names no table
        ("people.csv", {"table": "table.csv"}),  # another than the study reads
        ("lists/people.csv", {"table": "lists/people.csv"}),
    ],
)
def test_the_doctor_takes_the_table_for_its_folder(root, table, settings):
    (root / table).parent.mkdir(exist_ok=True)
    (root / "table.csv").rename(root / table)
    diagnosis = diagnose("table", root / table, progress=False, settings=settings)
    assert diagnosis.healthy and not diagnosis.findings
    assert diagnosis.root == root and diagnosis.checked == 7 * 4 * SHOTS


def test_a_release_has_no_table_to_be_given(tmp_path):
    (tmp_path / "table.csv").write_text("path\n")
    (found,) = diagnose("sysu", tmp_path / "table.csv", progress=False).findings
    assert found.message == "is not a folder"


# settings that cannot be meant, and the words of the error
# fmt: off
WRONG_SETTINGS = {
    "unknown key": ({"shot": 1}, "unknown key in settings 'shot'; did you mean 'shots'"),
    "null": ({"trials": None}, "settings.trials = None: expected how many galleries"),
    "text for number": ({"trials": "10"}, "settings.trials = '10'"),
    "no galleries": ({"trials": 0}, "settings.trials = 0"),
    "true for a number": ({"trials": True}, "settings.trials = True"),
    "splits twice": ({"trials": [1, 1]}, "settings.trials = .*different whole numbers"),
    "unknown modality": ({"searches": {"a": {"query": "IR", "gallery": "visible"}}},
        "settings.searches.a.query = 'IR': expected one of 'visible', 'infrared'"),
    "one modality": ({"searches": {"a": {"query": "visible", "gallery": "visible"}}},
        "both visible"),
    "half a search": ({"searches": {"a": {"query": "visible"}}}, "searches.a: lacks gallery"),
    "search of another key": ({"searches": {"a": {"querry": "visible"}}}, "did you mean 'query'"),
    "no searches": ({"searches": {}}, "expected searches by name"),
    "list of searches": ({"searches": ["a"]}, "expected searches by name"),
    "cameras as text": ({"searches": {"a": {"query": "visible", "gallery": "infrared",
        "query_cameras": ["1"]}}}, "searches.a.query_cameras"),
    "pair of one": ({"places": [[3]]}, "expected pairs of cameras"),
    "pair alone": ({"places": [3, 2]}, "expected pairs of cameras"),
    "pair of words": ({"places": [["a", "b"]]}, "cameras are whole numbers"),
    "rule as text": ({"own_camera": "yes"}, "own_camera = 'yes': expected one of true, false"),
    "one as true": ({"own_camera": 1}, "own_camera = 1: expected one of true, false"),
    "column twice": ({"columns": {"identity": "camera"}}, "two meanings take the column 'camera'"),
    "unknown column": ({"columns": {"identiy": "pid"}}, "did you mean 'identity'"),
    "modality of both": ({"modalities": {"visible": ["a"], "infrared": ["A"]}}, "both modalities"),
    "modality missing": ({"modalities": {"visible": ["a"]}}, "lacks infrared"),
    "modality as number": ({"modalities": {"visible": [0], "infrared": [1]}}, "put quotes around"),
    "table outside": ({"table": "../t.csv"}, "expected a path below the dataset's folder"),
    "all tested": ({"test_share": 1}, "expected a number between 0 and 1"),
    "shots of nothing": ({"shots": [0]}, "settings.shots"),
    "five shots": ({"shots": 5}, r"expected 1 \(single-shot\), 10"),
    "drawn and whole": ({"shots": [1], "gallery": "whole"}, "a whole gallery is not drawn"),
    "unknown count": ({"cmc": "people"}, "expected one of 'identities', 'images'"),
}
# fmt: on


@pytest.mark.parametrize("case", WRONG_SETTINGS)
def test_wrong_settings_are_one_error(root, case):
    settings, message = WRONG_SETTINGS[case]
    with pytest.raises(ConfigError, match=message):
        opened(root, **settings)


def test_settings_belong_to_tables_alone(tree):
    with pytest.raises(ConfigError, match="the reader 'sysu' has none"):
        open_dataset("sysu", tree("sysu"), {"shots": 1})


def changed(where, value, of=lambda row: True):
    return lambda: [
        [value if k == where and of(row) else cell for k, cell in enumerate(row)] for row in lines()
    ]


def one(row):
    return row[0] == "visible/1_1_0.jpg"


# CSVs that cannot be meant: rows, severity, words
# fmt: off
WRONG_ROWS = {
    "no such picture": (changed(0, "visible/none.jpg", one), "fatal", "no such image is there"),
    "other ending": (lambda: [[row[0].replace(".jpg", ".png"), *row[1:]] for row in lines()],
        "fatal", "another ending"),
    "no path": (changed(0, "", one), "fatal", "has no path"),
    "no identity": (changed(1, "", one), "fatal", "has no identity"),
    "a name among numbers": (changed(1, "ada", one), "fatal", "the others are whole numbers"),
    "junk identity": (changed(1, "-1", one), "fatal", "has the identity '-1'"),
    "camera a word": (changed(2, "hall", one), "fatal", "such as 3 or cam3"),
    "cameras alike": (changed(2, "b1", lambda row: row[2] == 2), "fatal", "another camera has"),
    "unknown modality": (changed(3, "thermal", one), "fatal",
        "expected one of 'visible', 'infrared'"),
    "unknown split": (changed(4, "testing", one), "fatal", "expected one of train, val, test"),
    "no split": (changed(4, "", one), "fatal", "has the split ''"),
    "two meanings": (lambda: [*lines(), ["visible/1_1_0.jpg", 2, 1, "visible", "train"]], "fatal",
        "another meaning than an earlier line"),
    "repeated": (lambda: [*lines(), *lines()], "warning", "84 lines repeat earlier ones"),
    "two ways": (changed(1, "0005", lambda row: row[1] == 5 and row[2] == 1), "warning",
        "read as one"),
    "trains and is tested": (changed(4, "train", lambda row: row[1] == 6 and row[2] == 1),
        "fatal", "identity 6 trains and is tested"),
    "nobody trains": (changed(4, "test", lambda row: row[1] < 5), "fatal", "no image trains"),
    "nobody tested": (changed(4, "train", lambda row: row[1] > 4), "fatal", "has no query"),
    "one modality tested": (lambda: [row for row in lines() if row[1] < 5 or row[2] < 3], "fatal",
        "has no query or no gallery image"),
    "nobody to find": (lambda: [row for row in lines() if row[1] < 5
        or (row[1] == 5) == (row[2] < 3)], "fatal", "none of its 12 queries has a right answer"),
    "absent in one modality": (lambda: [row for row in lines() if row[1] != 2 or row[2] < 3],
        "warning", "identity 2 has no infrared image, so it is never drawn"),
    "absent where tested": (lambda: [row for row in lines() if row[1] != 6 or row[2] > 2],
        "warning", "6 of 18 queries have no right answer"),
    "short line": (lambda: [*lines(), ["visible/1_1_0.jpg", 1]], "fatal", "has 2 columns"),
    "no rows": (list, "fatal", "no image trains"),
}
# fmt: on


@pytest.mark.parametrize("case", WRONG_ROWS)
def test_wrong_rows_are_findings(root, case):
    rows, severity, message = WRONG_ROWS[case]
    save(root, rows())
    found = [f for f in findings(root) if message in f.message]
    assert found, diagnose("table", root, progress=False).render()
    assert {f.severity for f in found} == {severity} and all(f.remedy for f in found)
    if severity == "fatal":
        with pytest.raises(DataError, match="cannot be read as table"):
            opened(root)
    else:
        assert len(opened(root).train())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("<html>404</html>", "is a web page, no list"),
        ("version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer"),
        ("file,identity,camera,modality\n", "for the path, which is not in its first line"),
        ("path,identity,camera,modality,camera\n", "has the column 'camera' twice"),
    ],
)
def test_a_csv_that_is_none_is_one_finding(root, text, message):
    (root / "table.csv").write_text(text)
    found = [f for f in findings(root) if message in f.message]
    assert [f.severity for f in found] == ["fatal"]


def test_a_missing_table_or_folder_is_named(root):
    (root / "table.csv").rename(root / "Table.csv")
    with pytest.raises(DataError, match=r"table.csv: the file is missing; 'Table.csv' is there"):
        opened(root)
    with pytest.raises(DataError, match="there is no such folder"):
        opened(root / "nowhere")


def test_who_is_absent_in_one_modality_does_not_train(root):
    save(root, [row for row in lines() if row[1] != 2 or row[2] < 3])
    assert sorted(set(opened(root).train().ids.tolist())) == [1, 3, 4]


def test_rules_that_leave_nothing_are_refused(root):
    rules = [[3, 1], [3, 2], [4, 1], [4, 2]]
    with pytest.raises(DataError, match="none of its 18 queries has a right answer"):
        opened(root, places=rules)
    with pytest.raises(DataError, match="has no image of camera 9, which the settings name"):
        opened(root, places=[[9, 1]])


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {
            "table": "lists/all.csv",
            "columns": {"identity": "pid", "path": "file"},
            "modalities": {"visible": ["RGB"], "infrared": ["TIR"]},
            "searches": {"s": {"query": "infrared", "gallery": "visible", "query_cameras": [7]}},
            "places": [[7, 3]],
            "own_camera": True,
            "queries": "sequences",
            "shots": [1, 10],
        },
        {"trials": [1, 2, 3], "gallery": "whole"},
    ],
)
def test_a_miniature_is_emulated_under_any_protocol(tmp_path, settings):
    written = emulate(
        "table", tmp_path / "t", height=32, workers=1, progress=False, settings=settings
    )
    diagnosis = diagnose("table", written.root, progress=False, settings=settings)
    (found,) = diagnosis.findings
    assert "is an emulated tree" in found.message and "emulated (miniature)" in diagnosis.render()
    data = opened(written.root, **settings)
    assert len(data.images) == written.images
    for trial in data.trials:
        split = trial if len(data.training_trials) > 1 else None
        assert len(set(data.train(trial=split).ids.tolist())) == 16
        for search in data.searches:
            assert set(data.query(search, trial).ids) == set(data.gallery(search, trial).ids)


def test_a_miniature_has_no_full_scale(tmp_path):
    with pytest.raises(ConfigError, match="has no published counts"):
        emulate("table", tmp_path / "t", "full", progress=False)


def test_the_documented_settings_are_read():
    page = (project_root() / "book/own_data.md").read_text(encoding="utf-8")
    text = re.findall(r"```yaml\n(.*?)```", page, re.S)[0]
    written = yaml.safe_load(text)["settings"]
    known = {field.name for field in dataclasses.fields(TableProtocol)}
    assert set(written) == known
    protocol = TableProtocol.from_mapping(written)
    assert TableProtocol.from_mapping(protocol.as_dict()) == protocol
    (example,) = re.findall(r"```yaml\n(.*?)```", table_protocol.__doc__, re.S)
    assert set(yaml.safe_load(example)["settings"]) == known
    TableProtocol.from_mapping(yaml.safe_load(example)["settings"])
