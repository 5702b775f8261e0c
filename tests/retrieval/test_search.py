"""A run's index with its network: the same features, whoever asks."""

import io
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image

from mscm_lib import cli
from mscm_lib.data.batches import views
from mscm_lib.errors import CheckpointError, ConfigError, DataError, ProtocolError
from mscm_lib.protocols import protocol_named
from mscm_lib.reports.rankings import ranked_figure
from mscm_lib.retrieval import GalleryIndex, Searcher, build_index, command


def test_a_gallery_image_finds_itself(kept, packed):
    searcher = Searcher.open(kept)
    table = packed.dataset.gallery_pool(packed.dataset.searches[0])
    pixels = packed.images.read(packed.images.rows(table.paths[:5]))
    for path, image in zip(table.paths, pixels, strict=False):
        first = searcher.search(image, "visible", k=1)[0]
        assert first.path == path and first.score == pytest.approx(1, abs=1e-4)
    (again,) = searcher.pictures([first])
    assert np.array_equal(again, pixels[-1])


@pytest.mark.parametrize("modality", ["visible", "infrared"])
def test_a_query_has_the_feature_that_the_network_gives(kept, network, modality):
    pixels = np.random.default_rng(4).integers(0, 256, (32, 16, 3), dtype=np.uint8)
    found = Searcher.open(kept).embed(pixels, modality)
    with torch.inference_mode():
        images = views.test_transform(torch.from_numpy(pixels[None]))
        wanted = network.embed(images, modality).mix(0.3)
    np.testing.assert_allclose(found, wanted.numpy(), atol=1e-4)


def ask(capsys, *arguments):
    """Exit status, lines on standard output, and all of standard error."""
    try:
        status = cli.main(["search", *map(str, arguments)])
    except SystemExit as stopped:
        status = stopped.code
    told = capsys.readouterr()
    return status, told.out.splitlines(), told.err


def test_a_file_is_asked_drawn_and_named(kept, person, tmp_path, capsys):
    path, row = person
    drawn = tmp_path / "list.png"
    status, lines, _ = ask(
        capsys, kept, path, "infrared", "--top", 6, "--camera", row.cams[0],
        "--identity", row.ids[0], "--figure", drawn,
    )  # fmt: skip
    assert status == 0
    assert sum("left out" not in line for line in lines) == 6
    assert all(line.endswith(("right", "wrong")) for line in lines)
    assert drawn.stat().st_size > 1000 and drawn.with_suffix(".txt").is_file()


def test_a_page_shows_every_picture_with_what_its_whole_list_says(
    kept, person, packed, tmp_path, capsys
):
    path, row = person
    labels = ["--camera", row.cams[0], "--identity", row.ids[0], "--top", 3]
    plain = ask(capsys, kept, path, path, "infrared", *labels)[1]
    page = tmp_path / "lists.html"
    status, lines, _ = ask(capsys, kept, path, path, "infrared", *labels, "--html", page)
    assert status == 0 and lines == plain  # the page changes nothing of what is said
    matches = Searcher.open(kept).search(path, "infrared", 10**6, int(row.cams[0]), int(row.ids[0]))
    ranks = np.array([match.rank for match in matches if match.right and match.rank])
    ap = (np.arange(1, len(ranks) + 1) / ranks).mean()
    heads = re.findall("<h2>(.*?)</h2>", page.read_text())
    told = f"person {row.ids[0]}, camera {row.cams[0]}, AP {ap:.0%}, first hit at rank {ranks[0]}"
    assert heads == [f"person.png, {told}"] * 2


def test_a_page_of_strangers_and_of_nobody(folder, person, told, tmp_path, capsys):
    page = tmp_path / "lists.html"
    assert ask(capsys, folder, person[0], "infrared", "--html", page)[0] == 0
    assert "<h2>person.png</h2>" in page.read_text()  # nothing is known of it
    told(2.0)
    assert ask(capsys, folder, person[0], "infrared", "--decide", "--html", page)[0] == 0
    assert "<h2>person.png, nobody here</h2>" in page.read_text()


def test_several_pictures_are_answered_each_under_its_name(kept, person, capsys):
    path, _ = person
    single = ask(capsys, kept, path, "infrared", "--top", 3)[1]
    status, lines, _ = ask(capsys, kept, path, path, "infrared", "--top", 3)
    assert status == 0 and lines == [str(path), *single] * 2


def test_paths_come_from_standard_input_and_a_bad_one_is_passed_over(
    kept, person, capsys, monkeypatch
):
    path, _ = person
    single = ask(capsys, kept, path, "infrared", "--top", 3)[1]
    monkeypatch.setattr(
        sys, "stdin", io.StringIO(f"{path}\r\n\nno.png\n{path}\n{'x' * 300}\n{path}\n")
    )
    status, lines, errors = ask(capsys, kept, "-", "infrared", "--top", 3)
    assert status == 2 and lines == [str(path), *single] * 3
    assert errors.count("error:") == errors.count("\n") == 2
    assert "no.png: no such file" in errors and "File name too long" in errors


def test_a_search_needs_neither_torch_nor_pandas(kept, person):
    code = (
        "import sys, json; from mscm_lib import cli; cli.main(sys.argv[1:]);"
        "print(json.dumps(sorted(sys.modules)))"
    )
    line = [sys.executable, "-c", code, "search", str(kept), str(person[0]), "infrared"]
    ran = subprocess.run(line, capture_output=True, text=True, check=True)
    *found, modules = ran.stdout.splitlines()
    assert len(found) == 10
    assert not {"torch", "torchvision", "pandas", "scipy", "faiss"} & set(json.loads(modules))


@pytest.mark.parametrize(
    ("name", "shown"),
    [(b"caf\xe9.png", "caf\ufffd.png"), (b"$x_$1.png", "$x_$1.png"),
     (b"\xff$\\frac$.png", "\ufffd$\\frac$.png"), ("n\xfa.png".encode(), "n\xfa.png")],
)  # fmt: skip
def test_a_picture_may_have_any_name(kept, person, tmp_path, capsys, monkeypatch, name, shown):
    path = tmp_path / os.fsdecode(name)
    shutil.copy(person[0], path)
    drawn, page = tmp_path / "list.png", tmp_path / "list.html"
    line = [kept, path, "infrared", "--top", 2, "--figure", drawn, "--html", page]
    assert ask(capsys, *line)[0] == 0
    assert drawn.with_suffix(".txt").read_text("utf-8") == f"Ranked list for {shown}.\n"
    assert f"<h2>{shown}</h2>" in page.read_text("utf-8")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(os.fsencode(path)), "utf-8"))
    assert ask(capsys, kept, "-", "infrared", "--top", 2)[0] == 0


@pytest.mark.parametrize(
    "form", ["{} \t", "\ufeff{}", '"{}"', "'{}'\r", '\ufeff "{}" ', "{}\u00a0"]
)
def test_what_no_path_on_standard_input_means_is_taken_off(kept, person, capsys, monkeypatch, form):
    single = ask(capsys, kept, person[0], "infrared", "--top", 3)[1]
    monkeypatch.setattr(sys, "stdin", io.StringIO(form.format(person[0]) + "\n"))
    status, lines, _ = ask(capsys, kept, "-", "infrared", "--top", 3)
    assert status == 0 and lines == [str(person[0]), *single]


@pytest.mark.parametrize("name", ["person.png ", "'person.png'", '"'])
def test_a_name_that_is_there_is_taken_as_it_stands(
    kept, person, tmp_path, capsys, monkeypatch, name
):
    monkeypatch.chdir(tmp_path)
    person[0].rename(name)
    monkeypatch.setattr(sys, "stdin", io.StringIO(name))
    assert ask(capsys, kept, "-", "infrared", "--top", 3)[1][0] == name


@pytest.mark.parametrize(
    ("line", "told"), [("no.png ", "'no.png' is"), ('"no.png', "'\"no.png' is")]
)
def test_what_is_not_there_is_told_in_quotes(kept, capsys, monkeypatch, line, told):
    monkeypatch.setattr(sys, "stdin", io.StringIO(line))
    status, _, errors = ask(capsys, kept, "-", "infrared")
    assert status == 2 and errors.startswith(f"error: {told} no picture: ")


@pytest.mark.parametrize(
    ("content", "remedy"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "git lfs pull"),
        (b"GIF89a" + bytes(99), "convert it to PNG"),
        (b"nothing that is known", "save this one as 8-bit RGB"),
    ],
)
def test_a_query_that_is_something_else_has_its_own_remedy(kept, tmp_path, capsys, content, remedy):
    (tmp_path / "bad.png").write_bytes(content)
    status, _, errors = ask(capsys, kept, tmp_path / "bad.png", "visible")
    assert status == 2 and errors.count("\n") == 1 and errors.rstrip().endswith(remedy)


@pytest.fixture
def spoilt(tmp_path, person):
    """``spoilt(kind)``: a path that is no usable picture."""
    whole = person[0].read_bytes()

    def make(kind):
        path = tmp_path / "bad.png"
        if kind == "a folder":
            path.mkdir()
        elif kind == "transparent":
            Image.new("RGBA", (16, 32), (200, 0, 0, 40)).save(path)
        elif kind != "missing":
            path.write_bytes({"cut off": whole[:60], "text": b"<html>", "empty": b""}[kind])
        return path

    return make


@pytest.mark.parametrize("kind", ["missing", "cut off", "text", "empty", "a folder", "transparent"])
def test_a_persons_own_picture_is_not_one_of_the_release(kept, spoilt, capsys, kind):
    path = spoilt(kind)
    status, lines, errors = ask(capsys, kept, path, "visible")
    assert status == 2 and not lines
    assert errors.count("\n") == 1 and str(path) in errors and "release" not in errors


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--camera", "99"], "infrared pictures are of camera"),
        (["--camera", "1"], "infrared pictures are of camera"),  # a visible one
        (["--camera", "-1"], "whole number"),
        (["--top", "0"], "whole number"),
        (["--identity", "x"], "whole number"),
        (["--figure", "none/list.png"], "none: no such folder"),
        (["--figure", "list.gif"], "PNG file"),
        (["--html", "none/list.html"], "none: no such folder"),
        (["--html", "list.png"], "HTML file"),
        (["--html", "person.png/list.html"], "lies below"),
        (["--figure", "folder.png"], "is a folder"),
        (["--figur", "list.png"], "did you mean '--figure'?"),
    ],
)
def test_arguments_are_checked_before_the_network_is_opened(
    kept, person, tmp_path, capsys, monkeypatch, options, told
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.png").mkdir()
    monkeypatch.setattr(Searcher, "embed", lambda *_: pytest.fail("the network was opened"))
    status, _, errors = ask(capsys, kept, person[0], "infrared", *options)
    assert status == 2 and told in errors and errors.count("\n") == 1


def test_a_figure_is_of_one_picture(kept, person, tmp_path, capsys):
    drawn = tmp_path / "list.png"
    status, _, errors = ask(capsys, kept, person[0], person[0], "infrared", "--figure", drawn)
    assert status == 2 and "one picture" in errors and not drawn.exists()
    status, _, errors = ask(capsys, kept, "-", "infrared", "--html", tmp_path / "list.html")
    assert status == 2 and "given by name" in errors


def test_a_camera_rule_by_person_needs_the_person(kept, person):
    searcher = Searcher.open(kept)
    searcher.index = replace(searcher.index, protocol=protocol_named("llcm"))
    camera = int(person[1].cams[0])
    with pytest.raises(ConfigError, match="give the identity too"):
        searcher.search(person[0], "infrared", camera=camera)
    assert searcher.search(person[0], "infrared", camera=camera, identity=1)


def test_a_person_who_is_not_there_is_said(kept, person, capsys):
    status, lines, errors = ask(capsys, kept, person[0], "infrared", "--identity", 12345)
    assert status == 0 and all(line.endswith("wrong") for line in lines)
    assert "nobody in this gallery is 12345" in errors


def test_a_path_starts_where_the_person_is(kept, person, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert ask(capsys, kept, "person.png", "infrared")[0] == 0
    status, _, errors = ask(capsys, kept, "nobody.png", "infrared")
    assert status == 2 and f"looked at {tmp_path / 'nobody.png'} and " in errors


def test_what_is_no_query_is_refused(kept):
    searcher = Searcher.open(kept)
    with pytest.raises(ConfigError, match="modality"):
        searcher.search("x.png", "thermal")
    with pytest.raises(DataError, match=r"\(32, 16, 3\)"):
        searcher.search(np.zeros((9, 9, 3), np.uint8), "visible")


def test_another_network_is_refused(folder):
    (folder / "visible.onnx").write_bytes((folder / "infrared.onnx").read_bytes())
    with pytest.raises(DataError, match="not the network"):
        Searcher.open(folder).search(np.zeros((32, 16, 3), np.uint8), "visible")
    (folder / "visible.onnx").unlink()
    with pytest.raises(DataError, match="features only"):
        Searcher.open(folder)


def test_an_index_is_refused_before_anything_is_embedded(config, weights, tmp_path, monkeypatch):
    monkeypatch.setattr(GalleryIndex, "build", lambda *_: pytest.fail("it was embedded"))
    here, full = tmp_path / "new", tmp_path / "full"
    full.mkdir()
    (full / "letter.txt").write_text("dear")
    with pytest.raises(ConfigError, match="method"):
        build_index(config, weights(), here, method="fast")
    with pytest.raises(ConfigError, match="unknown search 'outdoor'"):
        build_index(config, weights(), here, search="outdoor")
    with pytest.raises(CheckpointError, match="no such file"):
        build_index(config, tmp_path / "none.safetensors", here)
    with pytest.raises(ConfigError, match="is no index"):
        build_index(config, weights(), full)
    with pytest.raises(ConfigError, match="lies below .*letter.txt, which is a file"):
        build_index(config, weights(), full / "letter.txt" / "new" / "index")
    assert not here.exists() and (full / "letter.txt").is_file()


def test_the_picture_shows_each_match(kept, packed):
    searcher = Searcher.open(kept)
    asked = packed.dataset.query()[:1]
    (pixels,) = packed.images.read(packed.images.rows(asked.paths))
    matches = searcher.search(pixels, "infrared", 7, camera=3, identity=int(asked.ids[0]))
    figure = ranked_figure(pixels, matches, searcher.pictures(matches), "who")
    assert isinstance(figure, Figure)
    titles = [axis.get_title() for axis in figure.axes if axis.get_title()]
    assert len(titles) == len(matches) + 1
    assert sum("✓" in t for t in titles) == sum(bool(m.right) and not m.excluded for m in matches)
    assert sum("left out" in t for t in titles) == sum(m.excluded for m in matches)
    with pytest.raises(ProtocolError, match="0 matches"):
        ranked_figure(pixels, [], [], "none")


@pytest.fixture
def told(folder):
    """``told(anywhere, pairs)`` sets the index's thresholds, ``told(**about)`` anything it holds."""

    def tell(anywhere=None, pairs=(), **about):
        record = json.loads((folder / "index.json").read_text())
        if anywhere is not None:
            known = record["about"]["thresholds"]
            about["thresholds"] = known | {"anywhere": anywhere, "pairs": dict(pairs)}
        record["about"] |= about
        (folder / "index.json").write_text(json.dumps(record))

    return tell


@pytest.fixture
def others(packed, tmp_path):
    """Three queries' pictures, each of another person."""
    table = packed.dataset.query()
    rows = [int(np.flatnonzero(table.ids == person)[0]) for person in np.unique(table.ids)[:3]]
    pixels = packed.images.read(packed.images.rows([table.paths[row] for row in rows]))
    for place, image in enumerate(pixels):
        Image.fromarray(image).save(tmp_path / f"{place}.png")
    return [tmp_path / f"{place}.png" for place in range(3)]


def test_only_matches_at_their_threshold_are_the_person(folder, person, told, capsys):
    matches = Searcher.open(folder).search(person[0], "infrared")
    middle = matches[4].score
    told(middle)
    status, lines, _ = ask(capsys, folder, person[0], "infrared", "--decide")
    wanted = [match.path for match in matches if match.score >= middle]
    assert status == 0 and [line.split()[4] for line in lines] == wanted
    told(-1.0, {f"3-{camera}": 2.0 for camera in (1, 2, 4, 5)})
    assert ask(capsys, folder, person[0], "infrared", "--decide", "--camera", 3)[1] == [
        "nobody here"
    ]
    # of a camera that is not known
    assert len(ask(capsys, folder, person[0], "infrared", "--decide")[1]) == 10


def test_images_of_the_own_modality_and_left_out_are_nobody(folder, person, told):
    told(-1.0)
    searcher = Searcher.open(folder)
    own = searcher.search(person[0], "infrared", 3)
    assert searcher.decided(own, "infrared") == own and not searcher.decided(own, "visible")
    beside = searcher.search(person[0], "infrared", 99, camera=3, identity=int(person[1].ids[0]))
    kept = [match for match in beside if not match.excluded]
    assert 0 < len(kept) < len(beside) and searcher.decided(beside, "infrared", 3) == kept


def test_several_pictures_are_decided_each_by_itself(folder, others, told, capsys, monkeypatch):
    first = [Searcher.open(folder).search(path, "infrared", 1)[0].score for path in others]
    told(sorted(first)[1])  # one of the three stays below
    singles = [ask(capsys, folder, path, "infrared", "--decide")[1] for path in others]
    assert sum(lines == ["nobody here"] for lines in singles) == 1
    expected = [
        line for path, lines in zip(others, singles, strict=True) for line in [str(path), *lines]
    ]
    assert ask(capsys, folder, *others, "infrared", "--decide")[:2] == (0, expected)
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join(["no.png", *map(str, others)])))
    status, lines, errors = ask(capsys, folder, "-", "infrared", "--decide")
    assert status == 2 and lines == expected
    assert errors.count("error:") == 1 and "no.png: no such file" in errors


def test_a_decision_is_drawn_where_there_is_somebody(
    folder, person, told, tmp_path, capsys, monkeypatch
):
    drawn, seen = tmp_path / "list.png", []
    monkeypatch.setattr(command, "_draw", lambda path, *rest: seen.append((path, len(rest[-1]))))
    told(Searcher.open(folder).search(person[0], "infrared")[2].score)
    line = [folder, person[0], "infrared", "--decide", "--figure", drawn]
    lines = ask(capsys, *line)[1]
    assert len(lines) == 3 and seen == [(drawn, 3)]
    told(2.0)
    status, lines, errors = ask(capsys, *line)
    assert (status, lines, len(seen)) == (0, ["nobody here"], 1)
    assert f"{drawn} is not written" in errors and errors.count("\n") == 1


@pytest.mark.parametrize(
    ("about", "remedy"),
    [
        (None, "build the index again: mscm index RUN"),
        ({"thresholds": None}, "search without --decide"),
        ({"thresholds": {"pairs": {}}}, "build the index again: mscm index RUN"),
    ],
)
def test_an_index_without_thresholds_decides_nothing(folder, told, capsys, about, remedy):
    told(**(about or {}))
    if about is None:  # as indices were before there were thresholds
        record = json.loads((folder / "index.json").read_text())
        del record["about"]["thresholds"]
        (folder / "index.json").write_text(json.dumps(record))
    status, lines, errors = ask(capsys, folder, "-", "infrared", "--decide")  # before any picture
    assert status == 2 and not lines
    assert errors.count("\n") == 1 and f"{folder / 'index.json'}: " in errors and remedy in errors
