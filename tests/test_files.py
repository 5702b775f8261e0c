import errno
import os

import pytest

from mscm_lib.errors import DataError, StorageError
from mscm_lib.files import atomic_path, read_json, write_json, write_text


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "table.csv"
    write_text(path, "old")
    with pytest.raises(RuntimeError), atomic_path(path) as part:
        part.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_one_error_that_names_the_file(tmp_path):
    path = tmp_path / "weights.bin"
    wanted = pytest.raises(StorageError, match=r"weights\.bin.*No space left")
    with wanted as caught, atomic_path(path) as part:
        part.write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert "nothing was changed" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_replaced_whole(tmp_path):
    path = tmp_path / "tables"
    for content in ("one", "two"):
        with atomic_path(path) as part:
            part.mkdir()
            (part / f"{content}.csv").write_text(content)
    assert [p.name for p in path.iterdir()] == ["two.csv"]
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_made_names_the_path(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"file/below\.json"):
        write_json(tmp_path / "file" / "below.json", {})


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "Free some space, then"),
        (errno.EACCES, "Choose a folder that you may write to"),
        (errno.EROFS, "Choose a folder that you may write to"),
        (errno.ENAMETOOLONG, "Choose a shorter name"),
        (errno.EIO, "Free some space or choose"),
    ],
)
def test_each_refusal_has_its_own_remedy(tmp_path, number, words):
    with pytest.raises(StorageError, match=words) as raised, atomic_path(tmp_path / "a"):
        raise OSError(number, os.strerror(number))
    assert os.strerror(number) in str(raised.value)
    assert ("space" in words) == ("Free some" in str(raised.value))


@pytest.mark.parametrize("below", ["x", "x/y/z.json"])
def test_a_file_where_a_folder_would_have_to_be_is_named(tmp_path, below):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError) as raised:
        write_json(tmp_path / "file" / below, {})
    assert str(raised.value).endswith(f"{tmp_path / 'file'} is a file: choose a folder")


def test_json_is_stable_and_broken_json_is_named(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"b": 1, "a": "é"})
    assert path.read_text() == '{\n  "a": "é",\n  "b": 1\n}\n'
    path.write_text("{")
    with pytest.raises(DataError, match=r"a\.json.*not readable as JSON"):
        read_json(path)
    with pytest.raises(DataError, match="no such file"):
        read_json(tmp_path / "b.json")
