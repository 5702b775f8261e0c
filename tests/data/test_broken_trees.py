"""A list of broken trees, each with what the doctor says of it, alone and all at once."""

import io
import os
import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mscm_lib.data import open_dataset
from mscm_lib.data.doctor import diagnose
from mscm_lib.errors import DataError

NAMES = ("sysu", "regdb", "llcm")
IMAGE, OTHER = "cam1/0004/0003.jpg", "cam1/0005/0001.jpg"
MAT = "exp/rand_perm_cam.mat"
CELL = MAT + ", rand_perm_cam{1}{4}"


def saved(image, kind="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def png_header(width, height):
    """A PNG that claims a size and has no pixels."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    header = struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return b"\x89PNG\r\n\x1a\n" + header + b"\0\0\0\4IDATabcd"


def write(path, content):
    """A break that replaces or adds a file."""
    return lambda root, forms: forms.put(root, path, content)


def append(path, line):
    def act(root, forms):
        forms.put(root, path, (root / path).read_text() + line + "\n")

    return act


def swap(path, old, new):
    def act(root, forms):
        text = (root / path).read_text()
        assert old in text
        forms.put(root, path, text.replace(old, new))

    return act


def remove(*patterns):
    def act(root, forms):
        for pattern in patterns:
            for path in [root] if pattern == "." else list(root.glob(pattern)):
                (shutil.rmtree if path.is_dir() else Path.unlink)(path)

    return act


def cut(path):
    return lambda root, forms: forms.put(root, path, forms.TINY[:-60])


def link(path, target):
    """A link at ``path``; a target that starts with "outside" is put beside the tree."""

    def act(root, forms):
        if target.startswith("outside"):
            forms.put(root.parent, target)
        goal = root.parent / target if target.startswith("outside") else root / target
        if (root / path).exists():
            (root / path).unlink()
        (root / path).symlink_to(goal)

    return act


def mat(change):
    """A break of the permutations: ``change(cells)`` may edit them or give others."""

    def act(root, forms):
        cells = forms.permutations(root)
        changed = change(cells)
        forms.save_permutations(root, cells if changed is None else changed)

    return act


def cell(change):
    """A break of one cell: camera 1, identity 4, eleven images."""

    def act(cells):
        cells[0, 0][3, 0] = change(cells[0, 0][3, 0])

    return mat(act)


def other_variable(root, forms):
    forms.save_permutations(root, forms.permutations(root), "perm")


def nine_images(root, forms):
    remove("cam1/0004/0001.jpg", "cam1/0004/0002.jpg")(root, forms)
    forms.save_permutations(root, forms.permutations(root))


def list_as_folder(root, forms):
    (root / "exp/val_id.txt").unlink()
    (root / "exp/val_id.txt").mkdir()


def person_in_both_halves(root, forms):
    forms.put(root, "Visible/3/v_2.bmp")
    swap(TEST1, "Visible/4/v_0.bmp 0\nVisible/4/v_1.bmp 0", "Visible/3/v_2.bmp 0")(root, forms)


def empty_camera(root, forms):
    shutil.rmtree(root / "cam5")
    (root / "cam5").mkdir()


def rename(old, new):
    return lambda root, forms: (root / old).rename(root / new)


def repeat_row(rows):
    rows[2] = 1
    return rows


def nest(root, forms):
    (root.parent / "inner").mkdir()
    for path in list(root.iterdir()):
        path.rename(root.parent / "inner" / path.name)
    (root.parent / "inner").rename(root / "SYSU-MM01")


def broken_name(root, forms):
    forms.put(root, os.fsdecode(b"cam1/0004/\xff.jpg"))


def half_as_file(root, forms):
    shutil.rmtree(root)
    root.write_text("an archive, say")


V1, T1, TEST1 = "idx/train_visible_1.txt", "idx/train_thermal_1.txt", "idx/test_visible_1.txt"

# layout, what is broken, severity, where (start of the finding's path), part of its message
# fmt: off
BROKEN = {
    # --- the folder
    "no root": ("sysu", remove("."), "fatal", ".", "there is no such folder"),
    "root is a file": ("regdb", half_as_file, "fatal", ".", "is not a folder"),
    "the folder above": ("sysu", nest, "fatal", ".", "has no folder 'exp'"),
    "no split folder": ("sysu", remove("exp"), "fatal", "exp/train_id.txt", "the file is missing"),
    # --- SYSU-MM01's identity lists
    "no test list": ("sysu", remove("exp/test_id.txt"), "fatal", "exp/test_id", "file is missing"),
    "empty list": ("sysu", write("exp/train_id.txt", " \n"), "fatal", "exp/train_id", "is empty"),
    "utf-16 list": ("sysu", write("exp/val_id.txt", "3\n".encode("utf-16")), "fatal",
        "exp/val_id.txt", "is not UTF-8 text"),
    "word in list": ("sysu", write("exp/test_id.txt", "4,five"), "fatal", "exp/test_id",
        "names 'five'; expected identities from 1"),
    "gap in list": ("sysu", write("exp/test_id.txt", "4,,5"), "fatal", "exp/test_id", "names ''"),
    "identity zero": ("sysu", write("exp/test_id.txt", "0,4,5"), "fatal", "exp/test_id",
        "names '0'; expected identities from 1"),
    "list of lines": ("sysu", write("exp/test_id.txt", "4\n5\n"), "fatal", "exp/test_id",
        "has 2 lines; expected one line of comma-separated"),
    "list is a folder": ("sysu", list_as_folder, "fatal", "exp/val_id", "cannot be read"),
    "repeated identity": ("sysu", write("exp/train_id.txt", "1,2,2,12"), "warning",
        "exp/train_id", "names identity 2 2 times"),
    "trained and tested": ("sysu", write("exp/train_id.txt", "1,2,5,12"), "fatal", "exp/test_id",
        "identity 5 is also in exp/train_id.txt"),
    "validated and tested": ("sysu", write("exp/val_id.txt", "3,4"), "fatal", "exp/test_id",
        "identity 4 is also in exp/val_id.txt"),
    "trained and validated": ("sysu", write("exp/train_id.txt", "1,2,3,12"), "fatal",
        "exp/val_id.txt", "identity 3 is also in exp/train_id.txt"),
    "identity without images": ("sysu", write("exp/test_id.txt", "4,5,9"), "fatal",
        "exp/test_id.txt, identity 9", "has no image in any camera"),
    "no infrared to train": ("sysu", remove("cam3/0002", "cam6/0002"), "warning",
        "exp/train_id.txt, identity 2", "has no infrared image"),
    "no visible to find": ("sysu", remove(*(f"cam{c}/0005" for c in (1, 2, 4, 5))), "warning",
        "exp/test_id.txt, identity 5", "has no visible image"),
    # --- SYSU-MM01's folders
    "camera missing": ("sysu", remove("cam4"), "error", "cam4", "the camera's folder is missing"),
    "camera empty": ("sysu", empty_camera, "error", "cam5", "the camera has no image"),
    "short identity folder": ("sysu", rename("cam1/0001", "cam1/1"), "error", "cam1/1",
        "identity folders have four digits"),
    "identity folder empty": ("sysu", lambda root, forms: (root / "cam2/0066").mkdir(), "warning",
        "cam2/0066", "holds no image"),
    "file of another kind": ("sysu", write("cam1/0004/Thumbs.db", "x"), "warning",
        "cam1/0004/Thumbs.db", "is no image and left out"),
    "nine images": ("sysu", nine_images, "warning", "cam1/0004",
        "has 9 images; a multi-shot gallery draws 10"),
    "name not UTF-8": ("sysu", broken_name, "error", "cam1/0004/\\xff.jpg", "is not UTF-8"),
    "link to nothing": ("sysu", link(IMAGE, "nowhere.jpg"), "error", IMAGE, "points to nothing"),
    "link to outside": ("sysu", link(IMAGE, "outside.jpg"), "error", IMAGE, "a file outside"),
    "link in a circle": ("sysu", link("cam1/0004/loop", "cam1"), "error", "cam1/0004/loop",
        "leads back to a folder above"),
    # --- image files
    "zero bytes": ("sysu", write(IMAGE, b""), "error", IMAGE, "has zero bytes"),
    "cut off": ("sysu", cut(IMAGE), "error", IMAGE, "cannot be decoded (image file is truncated"),
    "text as image": ("sysu", write(IMAGE, "<html>404</html>"), "error", IMAGE, "is no JPEG, PNG"),
    "damaged PNG": ("sysu", write(IMAGE, saved(Image.new("RGB", (12, 24)))[:-30]), "error", IMAGE,
        "cannot be decoded"),
    "four channels": ("sysu", write(IMAGE, saved(Image.new("RGBA", (12, 24)))), "error", IMAGE,
        "has mode RGBA (4 channels); expected RGB"),
    "printing inks": ("sysu", write(IMAGE, saved(Image.new("CMYK", (12, 24)), "JPEG")), "error",
        IMAGE, "has mode CMYK (4 channels)"),
    "palette": ("sysu", write(IMAGE, saved(Image.new("P", (12, 24)))), "error", IMAGE,
        "has mode P"),
    "gray with alpha": ("sysu", write("cam3/0004/0001.jpg", saved(Image.new("LA", (12, 24)))),
        "error", "cam3/0004/0001.jpg", "has mode LA (2 channels)"),
    "sixteen bits": ("sysu", write("cam3/0004/0001.jpg", saved(Image.fromarray(np.zeros((24, 12),
        np.uint16)))), "error", "cam3/0004/0001.jpg", "has mode I;16"),
    "gray where colour": ("sysu", write(IMAGE, saved(Image.new("L", (12, 24)), "JPEG")), "error",
        IMAGE, "has one channel; visible images have three"),
    "one pixel": ("sysu", write(IMAGE, saved(Image.new("RGB", (1, 1)))), "error", IMAGE,
        "absurd size of 1 x 1"),
    "too wide": ("sysu", write(IMAGE, png_header(9000, 24)), "error", IMAGE, "size of 24 x 9000"),
    "bomb": ("sysu", write(IMAGE, png_header(60000, 60000)), "error", IMAGE, "has an absurd size"),
    "damaged but unused": ("sysu", write("cam1/0088/0001.jpg", b""), "warning",
        "cam1/0088/0001.jpg", "has zero bytes, but no split names it"),
    # --- SYSU-MM01's permutations
    "no permutations": ("sysu", remove(MAT), "error", MAT,
        "file is missing: no 'official' gallery"),
    "permutations garbled": ("sysu", write(MAT, "nothing like MATLAB" * 20), "error", MAT,
        "is not readable as a MATLAB file"),
    "permutations empty": ("sysu", write(MAT, b""), "error", MAT, "is not readable as a MATLAB"),
    "another variable": ("sysu", other_variable, "error", MAT, "has no variable 'rand_perm_cam'"),
    "numbers for cells": ("sysu", mat(lambda cells: np.ones((6, 10))), "error", MAT,
        "is not one cell"),
    "four cameras": ("sysu", mat(lambda cells: cells[:4]), "error", MAT,
        "not one cell for each cam"),
    "few people": ("sysu", mat(lambda cells: cells[0, 0].resize((3, 1), refcheck=False)), "error",
        CELL, "has no permutation of the 11 images"),
    "nine trials": ("sysu", cell(lambda rows: rows[:9]), "error", CELL,
        "has 9 trials; expected 10"),
    "other length": ("sysu", cell(lambda rows: rows[:, :8]), "error", CELL,
        "permutes 8 images, but 11 are there"),
    "no permutation": ("sysu", cell(repeat_row), "error", CELL,
        "a row that is no permutation of 1 to 11"),
    "counted from zero": ("sysu", cell(lambda rows: rows - 1), "error", CELL,
        "no permutation of 1 to 11"),
    "words for numbers": ("sysu", cell(lambda rows: "abc"), "error", CELL,
        "is no matrix of numbers"),
    # --- RegDB's lists
    "split 3 incomplete": ("regdb", remove("idx/test_thermal_3.txt"), "error",
        "idx/test_thermal_3.txt", "split 3 cannot be used"),
    "no split": ("regdb", remove("idx/*"), "fatal", "idx", "no split is complete"),
    "line without label": ("regdb", append(V1, "Visible/3/v_0.bmp"), "error", V1 + ", line 5",
        "expected 'relative/path label'"),
    "label is a word": ("regdb", append(V1, "Visible/3/v_0.bmp two"), "error", V1,
        "expected 'rel"),
    "negative label": ("regdb", append(V1, "Visible/3/v_0.bmp -1"), "error", V1, "expected 'rel"),
    "label alone": ("regdb", append(V1, "7"), "error", V1,
        "is '7'; expected 'relative/path label'"),
    "listed but gone": ("regdb", remove("Visible/2/v_1.bmp"), "fatal", "idx/",
        "names 'Visible/2/v_1.bmp', but no such image"),
    "path upwards": ("regdb", append(V1, "../tree/Visible/3/v_0.bmp 0"), "error", V1,
        "leads out of its folder by '..'"),
    "absolute path": ("regdb", append(V1, "/etc/passwd.bmp 0"), "error", V1, "an absolute path"),
    "drive letter": ("regdb", append(V1, "C:/v_0.bmp 0"), "error", V1, "an absolute path"),
    "latin-1 list": ("regdb", write(V1, "Visible/é.bmp 0".encode("latin-1")), "error", V1,
        "is not UTF-8 text"),
    "list without lines": ("regdb", write(T1, ""), "error", T1, "is empty"),
    "line twice": ("regdb", append(V1, "Visible/3/v_0.bmp 1"), "warning", V1 + ", line 5",
        "repeats 'Visible/3/v_0.bmp', which so counts 2 times"),
    "two labels": ("regdb", append(V1, "Visible/3/v_0.bmp 0"), "error", V1 + ", line 5",
        "gives 'Visible/3/v_0.bmp' the label 0, an earlier line 1"),
    "image in both halves": ("regdb", append(TEST1, "Visible/3/v_0.bmp 9"), "error", TEST1,
        "'Visible/3/v_0.bmp' is also in the training list"),
    "person in both halves": ("regdb", person_in_both_halves, "error", TEST1, "person of folder '3'"),
    "image of both modalities": ("regdb", append(T1, "Visible/3/v_0.bmp 0"), "error", T1,
        "'Visible/3/v_0.bmp' is also in the visible list"),
    "label without thermal": ("regdb", swap(T1, "Thermal/3/t_0.bmp 1\nThermal/3/t_1.bmp 1\n", ""),
        "warning", V1, "label 1 has no thermal image"),
    "labels at odds": ("regdb", write(T1, "Thermal/2/t_0.bmp 1\nThermal/3/t_0.bmp 0\n"), "error",
        T1, "folder '2' has label 1, but 0 in the visible list"),
    # --- LLCM
    "no infrared list": ("llcm", remove("idx/train_nir.txt"), "fatal", "idx/train_nir",
        "is missing"),
    "no test identities": ("llcm", remove("idx/test_id.txt"), "fatal", "idx/test_id",
        "is missing"),
    "test camera empty": ("llcm", remove("test_vis/cam7"), "error", "test_vis/cam7",
        "has no image"),
    "infrared camera empty": ("llcm", remove("test_nir/cam9"), "error", "test_nir/cam9",
        "has no im"),
    "infrared camera 3": ("llcm", write("test_nir/cam3/0003/a.jpg", b""), "warning",
        "test_nir/cam3", "the release has none there"),
    "test person without images": ("llcm", write("idx/test_id.txt", "3,14,20"), "fatal",
        "idx/test_id.txt, identity 20", "has no test image"),
    "test person of one modality": ("llcm", remove(*(f"test_vis/cam{c}/0003" for c in range(1,
        10))), "warning", "idx/test_id.txt, identity 3", "no visible test"),
    "tested person trained on": ("llcm", write("idx/test_id.txt", "2,3,14"), "fatal",
        "idx/train_vis.txt", "folder of identity 2, which idx/test_id.txt"),
    "label without infrared": ("llcm", swap("idx/train_nir.txt", " 1\n", " 0\n"), "warning",
        "idx/train_vis.txt", "label 1 is not in idx/train_nir.txt"),
    "listed link to outside": ("llcm", link("vis/0001/0001_c04_s0_vis.jpg", "outside/a.jpg"),
        "error", "vis/0001/0001_c04_s0_vis.jpg", "a link to a file outside"),
    "training image cut off": ("llcm", cut("nir/0002/0002_c04_s1_nir.jpg"), "error", "nir/0002",
        "cannot be decoded"),
}
# fmt: on


@pytest.mark.parametrize("case", BROKEN)
def test_broken_tree(tree, forms, case):
    name, damage, severity, where, message = BROKEN[case]
    root = tree(name)
    damage(root, forms)
    diagnosis = diagnose(name, root, progress=False)
    found = [
        finding
        for finding in diagnosis.findings
        if finding.path.startswith(where) and message in finding.message
    ]
    assert found, diagnosis.render()
    assert {finding.severity for finding in found} == {severity}
    assert all(finding.remedy for finding in found)
    assert diagnosis.healthy == (severity == "warning")
    if severity == "fatal":
        with pytest.raises(DataError, match=f"cannot be read as {name}.*mscm doctor {name}"):
            open_dataset(name, root)
    else:
        assert len(open_dataset(name, root).train()) > 0


def test_there_are_forty_broken_trees():
    assert len(BROKEN) >= 80 and len({tuple(case[3:]) for case in BROKEN.values()}) >= 75


def test_everything_in_one_pass(tree, forms):
    cases = (
        "trained and tested",
        "camera missing",
        "nine trials",
        "zero bytes",
        "cut off",
        "file of another kind",
        "link in a circle",
        "utf-16 list",
        "short identity folder",
    )
    root = tree("sysu")
    for case in cases:
        BROKEN[case][1](root, forms)
        if case == "zero bytes":
            (root / IMAGE).rename(root / OTHER)  # "cut off" breaks the same image
    findings = diagnose("sysu", root, progress=False).findings
    for case in cases:
        _, _, severity, where, message = BROKEN[case]
        where = OTHER if case == "zero bytes" else where
        assert any(
            f.severity == severity and f.path.startswith(where) and message in f.message
            for f in findings
        ), case
    order = [finding.severity for finding in findings]
    assert order == sorted(order, key=["fatal", "error", "warning"].index)
