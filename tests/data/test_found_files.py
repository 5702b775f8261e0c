"""Files that are there and cannot be taken as they are: copies, other endings, closed or odd ones."""

import io
import os
from pathlib import Path

import pytest
from PIL import Image

from mscm_lib.data import open_dataset
from mscm_lib.data.doctor import diagnose
from mscm_lib.data.layouts import listing
from mscm_lib.errors import DataError

COUNTS = "counts are not the published ones"
BEYOND = str(10**20)


def findings(name, root):
    found = diagnose(name, root, progress=False).findings
    return [f for f in found if COUNTS not in f.message]


# --- copies


@pytest.mark.parametrize(
    "copy",
    ["0001 (1).jpg", "0001(2).jpg", "0001 - Copy.jpg", "0001 - 副本.jpg", "Copy of 0001.jpg"],
)
@pytest.mark.parametrize("folder", ["cam3/0004", "cam1/0002"])
def test_a_copy_that_counts_as_a_picture_is_an_error(tree, forms, folder, copy):
    root = tree("sysu")
    forms.put(root, f"{folder}/{copy}")
    errors = [f for f in findings("sysu", root) if f.path == f"{folder}/{copy}"]
    assert [f.severity for f in errors] == ["error"]
    assert "is a copy of '0001.jpg' by its name" in errors[0].message
    assert "remove it" in errors[0].remedy


@pytest.mark.parametrize("left", ["._0001.jpg", "0001.jpg~", "._0002.jpg"])
def test_what_editors_and_systems_leave_is_a_warning_and_no_picture(tree, forms, left):
    root = tree("sysu")
    before = open_dataset("sysu", root).images.paths
    forms.put(root, f"cam1/0004/{left}", b"no picture")
    (found,) = findings("sysu", root)
    assert (found.severity, found.path) == ("warning", f"cam1/0004/{left}")
    assert "is left out" in found.message and open_dataset("sysu", root).images.paths == before


@pytest.mark.parametrize(
    "name", ["any name 9.jpg", "0001 (1).png", "0100.jpg", ".0001.jpg", "a~.jpg"]
)
def test_a_picture_without_its_original_is_no_copy(name):
    assert not listing.original(f"cam1/0004/{name}", {"cam1/0004/0001.jpg", "cam2/0004/0100.jpg"})


# --- endings


def heic():
    return b"\0\0\0\x18ftypheic" + bytes(64)


@pytest.mark.parametrize(
    ("ending", "content", "kind"),
    [
        (".jfif", None, "which is there;"),
        (".HEIC", heic(), "which is there and is a HEIC or AVIF picture;"),
        (".gif", b"GIF89a" + bytes(64), "which is there and is a GIF picture;"),
    ],
)
@pytest.mark.parametrize("front", ["", "/home/somebody/regdb/", "D:\\regdb\\"])
def test_a_listed_picture_of_another_ending_is_said_to_be_there(
    tree, forms, ending, content, kind, front
):
    root = tree("regdb")
    forms.put(root, f"Visible/3/x{ending}", content or forms.TINY)
    with (root / "idx/train_visible_1.txt").open("a") as stream:
        stream.write(f"{front}Visible/3/x{ending} 0\n")
    (found,) = findings("regdb", root)
    assert kind in found.message and ".png" in found.message and "convert it to PNG" in found.remedy


def test_a_table_names_them_too(tmp_path, forms):
    forms.put(tmp_path, "a.webp", b"RIFF\0\0\0\0WEBP")
    forms.put(tmp_path, "table.csv", "path,identity,camera,modality\na.webp,1,1,visible\n")
    with pytest.raises(
        DataError, match="line 2: names 'a.webp', which is there and is a WebP picture"
    ):
        open_dataset("table", tmp_path)


# --- labels


@pytest.mark.parametrize("label", [BEYOND, "9" * 5000])
def test_a_label_beyond_64_bits_is_one_error(tree, label):
    root = tree("llcm")
    with (root / "idx/train_vis.txt").open("a") as stream:
        stream.write(f"vis/0001/0001_c04_s0_vis.jpg {label}\n")
    fatal = [f for f in findings("llcm", root) if f.severity == "fatal"]
    assert ["its label of up to 18 digits" in f.message for f in fatal] == [True]


@pytest.mark.parametrize(
    ("name", "path"), [("sysu", "exp/test_id.txt"), ("llcm", "idx/test_id.txt")]
)
@pytest.mark.parametrize("identity", [BEYOND, "9" * 5000])
def test_an_identity_beyond_64_bits_is_one_error(tree, forms, name, path, identity):
    root = tree(name)
    forms.put(root, path, f"{(root / path).read_text().strip()},{identity}\n")
    (found,) = [f for f in findings(name, root) if f.severity == "fatal"]
    assert found.path == path and "as numbers of up to 18 digits" in found.message


def test_a_camera_folder_of_many_digits_is_no_camera():
    assert listing.folder_camera(f"vis/cam{BEYOND}/0001/a.jpg") is None
    assert listing.folder_camera("vis/cam7/0001/a.jpg") == 7


# --- permission, and names of no letters


def closed(monkeypatch, path):
    """Make a file unreadable, for root as well."""
    really = io.open

    def opened(file, *options, **more):
        if str(file).endswith(path):
            raise PermissionError(13, "Permission denied", str(file))
        return really(file, *options, **more)

    monkeypatch.setattr("builtins.open", opened)
    monkeypatch.setattr(io, "open", opened)


@pytest.mark.parametrize("path", ["cam1/0004/0003.jpg", "cam2/0005"])
def test_a_link_into_a_closed_folder_asks_for_permission(tree, monkeypatch, path):
    root = tree("sysu")
    really = Path.exists

    def exists(self, **more):
        if "closed" in self.parts:
            raise PermissionError(13, "Permission denied", str(self))
        return really(self, **more)

    (root / path).rename(root.parent / "moved")
    (root / path).symlink_to("/closed/away")
    monkeypatch.setattr(Path, "exists", exists)
    (found,) = [f for f in findings("sysu", root) if f.path == path and f.severity == "error"]
    assert found.message == "cannot be read (Permission denied)"
    assert found.remedy == "give yourself permission to read it"


CLOSED = {
    "cam1/0004/0003.jpg": "sysu",
    "Visible/3/v_0.bmp": "regdb",
    "exp/test_id.txt": "sysu",
    "idx/train_nir.txt": "llcm",
}


@pytest.mark.parametrize(("path", "name"), CLOSED.items())
def test_a_file_that_may_not_be_read_asks_for_permission(tree, monkeypatch, path, name):
    root = tree(name)
    closed(monkeypatch, path)
    (found,) = [f for f in findings(name, root) if f.path == path]
    assert found.message == "cannot be read (Permission denied)"
    assert found.remedy == "give yourself permission to read it"


@pytest.mark.parametrize("bad", [b"cam1/0004/\xff.jpg", b"caf\xe9/0001.jpg", b"cam1/00\xe94/1.jpg"])
def test_names_that_are_no_utf8_are_said_and_left_out(tree, bad):
    root = tree("sysu")
    before = open_dataset("sysu", root).images.paths
    path = root / os.fsdecode(bad)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (12, 24)).save(path, "JPEG")
    (found,) = findings("sysu", root)
    assert "is not UTF-8" in found.message and "\\x" in found.path
    assert open_dataset("sysu", root).images.paths == before
    assert diagnose("sysu", root, progress=False).render().encode("utf-8")


@pytest.mark.parametrize("name", ["sysu", "table"])
def test_a_folder_whose_name_is_no_utf8_is_told_of(tmp_path, name):
    root = Path(tmp_path) / os.fsdecode(b"caf\xe9")
    (root / os.fsdecode(b"\xff")).mkdir(parents=True)
    assert "FATAL" in diagnose(name, root, progress=False).render()
    with pytest.raises(DataError):
        open_dataset(name, root)
