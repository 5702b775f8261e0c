"""Features are read from what people keep them in; what is something else is told as that."""

import io
import re

import numpy as np
import pytest
import torch
from safetensors.torch import save, save_file
from scipy.io import savemat

from mscm_lib.errors import DataError
from mscm_lib.evaluation.feature_files import read_features


def written(folder, kind, arrays, paths):
    file = folder / f"features{kind}"
    if kind == ".npz":
        np.savez(file, paths=np.array(paths), **arrays)
    elif kind == ".mat":
        savemat(file, {"paths": np.array(paths, dtype=object), **arrays})
    else:
        save_file({name: torch.from_numpy(values) for name, values in arrays.items()}, file)
        (folder / "paths.txt").write_text("\n".join(paths) + "\n")
    return file


@pytest.mark.parametrize("kind", [".npz", ".mat", ".safetensors"])
def test_every_kind_of_file_gives_the_same_features(trees, tmp_path, kind):
    dataset = trees["sysu"]
    table = dataset.query()[::-1]
    values = np.random.default_rng(0).standard_normal((len(table), 5)).astype(np.float32)
    paths = [f"/home/me/SYSU-MM01/{path}" for path in table.paths]
    if kind == ".npz":
        paths = [path.replace("/", "\\") for path in paths]
    found = read_features(written(tmp_path, kind, {"neck": values}, paths), dataset)
    assert found.table.paths == table.paths and found.table.ids.tolist() == table.ids.tolist()
    assert np.array_equal(found.features["neck"].numpy(), values)


def test_files_that_are_none_are_refused(trees, tmp_path):
    dataset = trees["sysu"]
    paths = list(dataset.query().paths)
    values = np.ones((len(paths), 3), np.float32)
    pickled = tmp_path / "pickled.npz"
    np.savez(pickled, paths=np.array(paths, dtype=object), neck=values)
    with pytest.raises(DataError, match=r"np.array\(paths, dtype=str\)"):
        read_features(pickled, dataset)
    cases = [
        ({"neck": values}, ["cam1/9999/0001.jpg", *paths[1:]], "is no image of sysu"),
        ({"neck": values}, [paths[1], *paths[1:]], "occurs 2 times"),
        ({"neck": values[1:]}, paths, "a row for each of the paths"),
        ({"ids": np.ones(len(paths))}, paths, "no floating-point array"),
    ]
    cases += [
        ({"neck": np.where(np.arange(len(paths))[:, None] == 2, bad, values)}, paths,
         rf"features.npz: the neck feature of {paths[2]} is .*write the features again")
        for bad in (np.float32("nan"), np.float32("inf"), np.float32(0))
    ]  # fmt: skip
    for arrays, names, message in cases:
        with pytest.raises(DataError, match=message):
            read_features(written(tmp_path, ".npz", arrays, names), dataset)
    np.savez(tmp_path / "unnamed.npz", neck=values)
    with pytest.raises(DataError, match="lacks 'paths', the images' names; it has neck"):
        read_features(tmp_path / "unnamed.npz", dataset)
    for kind in (".npz", ".mat", ".safetensors"):
        (tmp_path / f"broken{kind}").write_bytes(b"no such thing")
        with pytest.raises(DataError, match=f"broken{kind}: not readable"):
            read_features(tmp_path / f"broken{kind}", dataset)
    with pytest.raises(DataError, match="unknown kind of file '.pkl'"):
        read_features(tmp_path / "x.pkl", dataset)


def array_file(array, save=np.save):
    stream = io.BytesIO()
    save(stream, array)
    return stream.getvalue()


DEFLATED = array_file(np.random.default_rng(0).random(99), np.savez_compressed)
MATLAB_73 = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512)
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("f.npz", b"", "is an empty file"),
        ("f.mat", b"", "is an empty file"),
        ("f.npz", array_file(np.ones(3)), "is no .npz file but one array (.npy)"),
        ("f.npz", POINTER, "is no .npz file but a Git LFS pointer; fetch the file: git lfs pull"),
        ("f.safetensors", POINTER, "is no .safetensors file but a Git LFS pointer"),
        ("f.mat", b"<!DOCTYPE html><html></html>", "is no .mat file but a web page"),
        ("f.mat", MATLAB_73, "is no .mat file but a MATLAB 7.3 file (HDF5); save it again in"),
        ("f.npz", MATLAB_73.replace(b"7.3", b"5.0"), "is no .npz file but a MATLAB file"),
        ("f.mat", array_file(np.ones(3), np.savez), "is no .mat file but a zip archive"),
        ("f.safetensors", b"\x80\x04\x95\x00", "is no .safetensors file but a pickle"),
        ("f.npz", array_file(np.ones(9), np.savez)[:-30], "is damaged or cut off"),
        ("f.npz", array_file(np.ones(9), np.savez).replace(b"\xf0?", b"xx"), "is damaged or cut"),
        ("f.npz", b"xx".join([DEFLATED[:70], DEFLATED[72:]]), "is damaged or cut off"),
        ("f.npz", b"PK\x05\x06".ljust(22, b"\0"), "lacks 'paths', the images' names; it has nothing"),
        ("f.safetensors", save({"neck": torch.ones(9, 3)})[:-9], "is damaged or cut off"),
    ],
)  # fmt: skip
def test_a_file_that_is_something_else_is_told_as_that(trees, tmp_path, name, content, told):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=re.escape(told)) as refused:
        read_features(tmp_path / name, trees["sysu"])
    assert str(refused.value).startswith(f"{tmp_path / name}: ") and "\n" not in str(refused.value)
    assert "draw" not in str(refused.value)  # what a dataset's file could do without


@pytest.mark.parametrize(
    ("encode", "told"),
    [
        (lambda text: text.encode("utf-8-sig"), ""),
        (lambda text: text.replace("\n", "\r\n").encode() + b"\r\n\r\n", ""),
        (lambda text: text.encode("utf-16"), "is text in UTF-16; save it as UTF-8"),
        (lambda text: text.encode("utf-16-be"), "is text in UTF-16; save it as UTF-8"),
        (lambda text: text.replace("cam", "c\xe4m").encode("latin-1"), "is no text in UTF-8"),
        (lambda text: POINTER, "is no list of names but a Git LFS pointer"),
    ],
)
def test_names_are_read_where_they_are_beyond_doubt(trees, tmp_path, encode, told):
    dataset = trees["sysu"]
    table = dataset.query()
    file = written(tmp_path, ".safetensors", {"neck": np.ones((len(table), 3), "f4")}, table.paths)
    names = tmp_path / "paths.txt"
    names.write_bytes(encode(names.read_text()))
    if not told:
        assert read_features(file, dataset).table.paths == table.paths
        return
    with pytest.raises(DataError, match=f"paths.txt: {told}"):
        read_features(file, dataset)


def test_names_may_be_bytes(trees, tmp_path):
    dataset = trees["sysu"]
    table = dataset.query()
    given = np.array([path.encode() for path in table.paths])
    np.savez(tmp_path / "f.npz", paths=given, neck=np.ones((len(table), 3), np.float32))
    assert read_features(tmp_path / "f.npz", dataset).table.paths == table.paths
    np.savez(tmp_path / "f.npz", paths=np.array([b"c\xe4m"]), neck=np.ones((1, 3), np.float32))
    with pytest.raises(DataError, match="save 'paths' as plain text"):
        read_features(tmp_path / "f.npz", dataset)
