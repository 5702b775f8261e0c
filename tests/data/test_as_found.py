"""Trees as they are found on disks: what is meant is read and said once, what is not is named."""

import shutil
import unicodedata
from pathlib import Path

import pytest
from scipy.io import savemat

from mscm_lib.data import open_dataset
from mscm_lib.data.doctor import diagnose
from mscm_lib.data.emulated.emulate import emulate
from mscm_lib.data.layouts import recognise
from mscm_lib.errors import DataError

MAT = "exp/rand_perm_cam.mat"
COUNTS = "counts are not the published ones"


def findings(name, root, **options):
    found = diagnose(name, root, progress=False, **options).findings
    return [f for f in found if COUNTS not in f.message]


def rewrite(root, change):
    """Every label list with each of its lines changed."""
    for path in [*root.glob("idx/*_visible_*.txt"), *root.glob("idx/*_thermal_*.txt"),
                 *root.glob("idx/train_???.txt")]:  # fmt: skip
        lines = [change(line) for line in path.read_text().splitlines()]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def tables(name, root):
    data = open_dataset(name, root)
    train, query, gallery = data.train(), data.query(), data.gallery()
    return [(t.paths, t.ids.tolist()) for t in (train, query, gallery)]


def upper_suffix(root):
    for path in [*root.rglob("*.bmp"), *root.glob("vis/*/*.jpg"), *root.glob("nir/*/*.jpg")]:
        path.rename(path.with_suffix(path.suffix.upper()))


# how lists or files came to be written otherwise, and what is said of it
WRITTEN = {
    "backslashes": (lambda line: line.replace("/", "\\"), "write backslashes"),
    "mixed separators": (lambda line: line.replace("/", "\\", 1), "write backslashes"),
    "doubled separators": (lambda line: line.replace("/", "//"), ""),
    "blanks and empty lines": (lambda line: f"  {line} \t\n\n", ""),
    "folder in front": (lambda line: f"RegDB/data/{line}", "put 'RegDB/data/' in front"),
    "absolute": (lambda line: f"/home/me/set/{line}", "put '/home/me/set/' in front"),
    "from the root on": (lambda line: f"/{line}", "put '/' in front"),
    "drive": (lambda line: "D:\\set\\" + line.replace("/", "\\"), "put 'D:/set/' in front"),
    "lower case": (lambda line: line.lower(), "another case"),
    "upper case": (lambda line: line.upper(), "another case"),
}


@pytest.mark.parametrize("name", ["regdb", "llcm"])
@pytest.mark.parametrize("form", WRITTEN)
def test_lists_written_otherwise_are_read_and_said_once(tree, name, form):
    root = tree(name)
    before = tables(name, root)
    change, said = WRITTEN[form]
    rewrite(root, change)
    assert tables(name, root) == before
    found = findings(name, root)
    if name == "llcm" and form == "lower case":
        said = ""  # its paths are in lower case as they are
    assert [f.severity for f in found if f.path == "idx" and said in f.message] == (
        ["warning"] if said else []
    )
    assert all(f.path == "idx" and f.severity == "warning" for f in found)
    assert len(found) <= 2  # a drive comes with backslashes


@pytest.mark.parametrize("name", ["regdb", "llcm"])
def test_files_written_otherwise_are_read_and_said_once(tree, name):
    root = tree(name)
    before = [len(paths) for paths, _ in tables(name, root)]
    upper_suffix(root)
    assert [len(paths) for paths, _ in tables(name, root)] == before
    (found,) = findings(name, root)
    assert found.severity == "warning" and "another case" in found.message


def test_composed_and_decomposed_letters_are_one_name(tree, forms):
    root = tree("regdb")
    forms.put(root, unicodedata.normalize("NFD", "Visible/3/é.bmp"))
    label = (root / "idx/train_visible_1.txt").read_text().split("Visible/3/v_0.bmp ")[1][0]
    with (root / "idx/train_visible_1.txt").open("a", encoding="utf-8") as stream:
        stream.write(unicodedata.normalize("NFC", f"Visible/3/é.bmp {label}\n"))
    assert len(open_dataset("regdb", root).train(trial=1)) == 4 * 2 + 1


def other_ending(root):
    for path in root.rglob("*.bmp"):
        path.rename(path.with_suffix(".png"))


def moved_down(root):
    for folder in ("Visible", "Thermal"):
        (root / "pictures").mkdir(exist_ok=True)
        (root / folder).rename(root / "pictures" / folder)


def padded(root):
    for path in [*root.glob("Visible/*"), *root.glob("Thermal/*")]:
        path.rename(path.with_name(f"{int(path.name):04d}"))


def gone(root):
    for folder in ("Visible", "Thermal"):
        shutil.rmtree(root / folder)


# why nothing that is listed is there, and what is said of it
MISSING = {
    "other ending": (other_ending, "png' is there: the files have another ending"),
    "moved down": (moved_down, "is there: it lies in a folder further down"),
    "padded": (padded, "other leading zeros"),
    "gone": (gone, "but no such image is there (and"),
    "lists without labels": (
        lambda root: rewrite(root, lambda line: line.split()[0]),
        "expected 'relative/path label' (and",
    ),
    "lists with commas": (
        lambda root: rewrite(root, lambda line: line.replace(" ", ",")),
        "expected 'relative/path label' (and",
    ),
    "lists leading out": (
        lambda root: rewrite(root, lambda line: f"../elsewhere/{line}"),
        "leads out of its folder by '..' (and",
    ),
}


@pytest.mark.parametrize("cause", MISSING)
def test_one_cause_is_one_finding(tree, forms, cause):
    root = forms.write_regdb(tree("llcm").parent / "many", people=12, shots=3)
    damage, message = MISSING[cause]
    damage(root)
    first, last = findings("regdb", root)
    assert first.severity == "fatal" and message in first.message
    assert "no split is complete" in last.message
    with pytest.raises(DataError, match="cannot be read as regdb. idx/train_visible_1.txt, line 1"):
        open_dataset("regdb", root)


def test_an_unreadable_line_makes_no_label_seem_missing(tree):
    root = tree("llcm")
    path = root / "idx/train_nir.txt"
    path.write_text(path.read_text().replace("nir/0002/0002_c04_s0", "nir/0002/0002_c04_s7"))
    (root / "idx/train_vis.txt").write_text("vis/0001/0001_c04_s0_vis.jpg 0\n")
    assert [f.severity for f in findings("llcm", root)] == ["fatal"]


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("sysu", "exp/train_id.txt"),
        ("regdb", "idx/test_thermal_4.txt"),
        ("llcm", "idx/test_id.txt"),
    ],
)
def test_a_web_page_in_a_list_s_place_is_called_one(tree, forms, name, path):
    root = tree(name)
    forms.put(root, path, "<!DOCTYPE html><html><body>404: Not Found</body></html>\n")
    found = [f for f in findings(name, root) if f.path == path]
    assert [f.message for f in found] == ["is a web page, no list"]


@pytest.mark.parametrize(
    ("name", "path", "other"),
    [
        ("sysu", "exp/test_id.txt", "exp/test_id.txt.txt"),
        ("sysu", "exp/test_id.txt", "exp/Test_ID.txt"),
        ("llcm", "idx/train_nir.txt", "idx/train_nir"),
    ],
)
def test_a_list_of_another_name_is_shown(tree, name, path, other):
    root = tree(name)
    (root / path).rename(root / other)
    (found,) = [f for f in findings(name, root) if f.path == path]
    assert found.message == f"the file is missing; {Path(other).name!r} is there"


# --- identity and camera folders


@pytest.mark.parametrize(
    ("name", "pattern"), [("sysu", "cam1/*"), ("sysu", "cam?/*"), ("llcm", "test_*/cam*/*")]
)
def test_unpadded_identity_folders_are_named(tree, name, pattern):
    root = tree(name)
    for path in sorted(root.glob(pattern)):
        path.rename(path.with_name(str(int(path.name))))
    found = [f for f in findings(name, root) if "identity folders have four digits" in f.message]
    assert found and {f.severity for f in found} == {"error"}
    assert "rename it, for example to 00" in found[0].remedy
    assert len([f for f in findings(name, root) if "in any camera" in f.message]) <= 8


def test_many_unpadded_folders_are_one_finding_a_camera(tree):
    root = tree("sysu")
    for identity in range(20, 40):
        (root / f"cam2/{identity}").mkdir()
    (found,) = [f for f in findings("sysu", root) if "four digits" in f.message]
    assert "(and 19 more like this)" in found.message


@pytest.mark.parametrize(
    ("name", "folder", "other"),
    [
        ("sysu", "cam4", "cam04"),
        ("sysu", "cam4", "Cam4"),
        ("sysu", "cam4", "pictures/cam4"),
        ("llcm", "test_nir/cam6", "test_nir/CAM6"),
    ],
)
def test_a_camera_folder_of_another_name_is_shown(tree, name, folder, other):
    root = tree(name)
    (root / other).parent.mkdir(exist_ok=True)
    (root / folder).rename(root / other)
    (found,) = [f for f in findings(name, root) if f.path == folder]
    assert f"{other!r} is there" in found.message and folder in found.remedy


# --- the folder


@pytest.mark.parametrize("name", ["sysu", "regdb", "llcm"])
def test_a_folder_of_other_things_is_no_dataset(tmp_path, forms, name):
    for path in ("exp/run1/log.txt", "idx/notes.txt", "cam1/holiday.jpg", "a.png", "b/c/d.bmp"):
        forms.put(tmp_path, path, b"")
    diagnosis = diagnose(name, tmp_path, progress=False)
    (found,) = diagnosis.findings
    title = {"sysu": "SYSU-MM01", "regdb": "RegDB", "llcm": "LLCM"}[name]
    assert found.severity == "fatal" and f"is no {title}: expected" in found.message
    assert not diagnosis.counts and not diagnosis.checked
    assert "found a.png, b, cam1, exp, idx" in found.message
    with pytest.raises(DataError, match=f"is no {title}"):
        open_dataset(name, tmp_path)


@pytest.mark.parametrize("name", ["sysu", "regdb", "llcm"])
def test_an_empty_folder_is_no_dataset(tmp_path, name):
    (found,) = diagnose(name, tmp_path, progress=False).findings
    assert "found nothing" in found.message


@pytest.mark.parametrize("name", ["sysu", "regdb", "llcm"])
@pytest.mark.parametrize("above", [1, 2])
def test_the_folder_above_is_told_where_the_dataset_is(tree, tmp_path, name, above):
    root = tree(name, "data/unpacked/it")
    (found,) = diagnose(name, root.parents[above - 1], progress=False).findings
    assert f"{root} has one: give that folder" in found.remedy


@pytest.mark.parametrize(
    ("name", "inside"), [("sysu", "exp"), ("sysu", "cam1/0001"), ("regdb", "Visible"),
                         ("llcm", "test_vis/cam1")]
)  # fmt: skip
def test_a_folder_within_is_told_the_whole(tree, name, inside):
    root = tree(name)
    (found,) = diagnose(name, root / inside, progress=False).findings
    assert found.severity == "fatal" and found.remedy == f"give the whole: {root.resolve()}"


@pytest.mark.parametrize(
    ("asked", "held", "title"),
    [("sysu", "llcm", "LLCM"), ("regdb", "sysu", "SYSU-MM01"), ("llcm", "regdb", "RegDB")],
)
def test_another_dataset_is_called_by_its_name(tree, asked, held, title):
    (found,) = diagnose(asked, tree(held), progress=False).findings
    assert f"but {title}" in found.message and f"mscm doctor {held}" in found.remedy


def test_packed_arrays_are_no_generated_benchmark(tree, tmp_path, forms):
    forms.put(tmp_path, "manifest.json", '{"name": "sysu"}')
    diagnosis = diagnose("generated", tmp_path, progress=False)
    assert [f.severity for f in diagnosis.findings] == ["fatal"] and not diagnosis.counts


@pytest.mark.parametrize("name", ["regdb", "llcm"])
def test_an_emulated_tree_is_called_emulated(tmp_path, name):
    written = emulate(name, tmp_path / "tree", height=16, workers=1, progress=False)
    diagnosis = diagnose(name, tmp_path / "tree", progress=False)
    (found,) = diagnosis.findings
    assert found.severity == "warning" and "is an emulated tree" in found.message
    text = diagnosis.render()
    assert "emulated (miniature)" in text and "complete the dataset" not in text
    assert f"{written.images:,} drawn images" in str(written) and f"mscm doctor {name}" in str(
        written
    )


# --- what no study uses


def page(root, forms):
    forms.put(root, MAT, "<html><head><title>Sign in</title></head></html>")


def version_73(root, forms):
    savemat(root / MAT, {"rand_perm_cam": 1})
    content = bytearray((root / MAT).read_bytes())
    content[:116] = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(116)
    content[124:126] = b"\x00\x02"
    (root / MAT).write_bytes(content)


PERMUTATIONS = {
    "missing": (lambda root, forms: (root / MAT).unlink(), "the file is missing"),
    "folder": (lambda root, forms: ((root / MAT).unlink(), (root / MAT).mkdir()), "not readable"),
    "web page": (page, "it is a web page"),
    "pointer": (
        lambda root, forms: forms.put(root, MAT, "version https://git-lfs.github.com/spec/v1\n"),
        "it is a Git LFS pointer",
    ),
    "version 7.3": (version_73, "it is a MATLAB 7.3 file"),
    "other numbers": (
        lambda root, forms: forms.save_permutations(root, forms.permutations(root, trials=3)),
        "has 3 trials; expected 10",
    ),
}


@pytest.mark.parametrize("case", PERMUTATIONS)
def test_permutations_that_no_study_draws_by_are_a_warning(tree, forms, case):
    root = tree("sysu")
    damage, message = PERMUTATIONS[case]
    damage(root, forms)
    found = findings("sysu", root, uses={"draw": {"agw"}})
    assert found and all(f.severity == "warning" and message in f.message for f in found)
    assert all(f.message.endswith("; only draw official needs it") for f in found)
    assert len(open_dataset("sysu", root).gallery()) > 0
    drawn = findings("sysu", root, uses={"draw": {"agw", "official"}})
    assert {f.severity for f in drawn} == {"error"}


def test_splits_that_no_study_trains_on_are_warnings(tree, forms):
    root = tree("regdb")
    (root / "idx/train_thermal_7.txt").unlink()
    forms.put(root, "idx/test_visible_9.txt", "no label\n")
    found = findings("regdb", root, uses={"trial": {1, 2}})
    assert [f.severity for f in found] == ["warning", "warning"]
    assert {f.message.rpartition("; ")[2] for f in found} == {
        "only trial 7 needs it",
        "only trial 9 needs it",
    }
    assert len(open_dataset("regdb", root).train(trial=2)) > 0
    (used,) = [f for f in findings("regdb", root, uses={"trial": {9}}) if f.severity == "error"]
    assert used.path == "idx/test_visible_9.txt, line 1"


def test_a_folder_that_may_not_be_listed_is_one_finding(tree, monkeypatch):
    def refused(folder):
        raise PermissionError(13, "Permission denied")

    root = tree("sysu")
    monkeypatch.setattr(recognise, "held_by", refused)
    (found,) = diagnose("sysu", root, progress=False).findings
    assert found.message == "cannot be listed (Permission denied)"
