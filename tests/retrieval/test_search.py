"""A run's index with its network: the same features, whoever asks."""

import json

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from mscm_lib import cli
from mscm_lib.errors import ConfigError, DataError, ProtocolError
from mscm_lib.reports.ranked import ranked_figure
from mscm_lib.retrieval import Searcher, build_index


@pytest.fixture(params=["neck", "mix"])
def folder(request, config, weights, tmp_path):
    target = tmp_path / "index"
    build_index(config.replace(feature=request.param), weights(), target, progress=False)
    return target


def test_a_gallery_image_finds_itself(folder, packed):
    searcher = Searcher.open(folder)
    table = packed.dataset.gallery_pool(packed.dataset.searches[0])
    pixels = packed.images.read(packed.images.rows(table.paths[:5]))
    for path, image in zip(table.paths, pixels, strict=False):
        first = searcher.search(image, "visible", k=1)[0]
        assert first.path == path and first.score == pytest.approx(1, abs=1e-4)
    (again,) = searcher.pictures([first])
    assert np.array_equal(again, pixels[-1])


def test_a_file_is_asked_drawn_and_named(folder, packed, tmp_path, capsys):
    asked = packed.dataset.query()[:1]
    (pixels,) = packed.images.read(packed.images.rows(asked.paths))
    Image.fromarray(pixels).save(tmp_path / "person.png")
    drawn = tmp_path / "list.png"
    arguments = ["search", str(folder), str(tmp_path / "person.png"), "infrared", "--top", "6",
                 "--camera", "3", "--identity", str(asked.ids[0]), "--figure", str(drawn)]  # fmt: skip
    assert cli.main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sum("left out" not in line for line in lines) == 6
    assert all(line.endswith(("right", "wrong")) for line in lines)
    assert drawn.stat().st_size > 1000 and drawn.with_suffix(".txt").is_file()


def test_what_is_no_query_is_refused(folder, tmp_path):
    searcher = Searcher.open(folder)
    with pytest.raises(ConfigError, match="modality"):
        searcher.search(tmp_path / "x.png", "thermal")
    with pytest.raises(DataError, match=r"x\.png"):
        searcher.search(tmp_path / "x.png", "visible")
    with pytest.raises(DataError, match=r"\(32, 16, 3\)"):
        searcher.search(np.zeros((9, 9, 3), np.uint8), "visible")


def test_another_network_is_refused(folder, weights, network):
    (folder / "model.safetensors").write_bytes(weights(trial="7").read_bytes())
    with pytest.raises(DataError, match="not the network"):
        Searcher.open(folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(DataError, match="features only"):
        Searcher.open(folder)


def test_the_picture_shows_each_match(folder, packed):
    searcher = Searcher.open(folder)
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


def test_only_matches_at_their_threshold_are_the_person(folder, packed, tmp_path, capsys):
    asked = packed.dataset.query()[:1]
    (pixels,) = packed.images.read(packed.images.rows(asked.paths))
    Image.fromarray(pixels).save(tmp_path / "person.png")
    line = ["search", str(folder), str(tmp_path / "person.png"), "infrared", "--decide"]
    searcher = Searcher.open(folder)
    matches = searcher.search(tmp_path / "person.png", "infrared", camera=3)
    known = searcher.index.about["thresholds"]

    def told(anywhere, pairs):
        record = json.loads((folder / "index.json").read_text())
        record["about"]["thresholds"] = {**known, "anywhere": anywhere, "pairs": pairs}
        (folder / "index.json").write_text(json.dumps(record))

    counted = [match for match in matches if not match.excluded]
    middle = counted[4].score
    told(middle, {})
    assert cli.main(line) == 0
    assert len(capsys.readouterr().out.splitlines()) == sum(
        match.score >= middle for match in searcher.search(tmp_path / "person.png", "infrared")
    )
    told(-1.0, {f"3-{camera}": 2.0 for camera in (1, 2, 4, 5)})
    assert cli.main([*line, "--camera", "3"]) == 0
    assert capsys.readouterr().out == "nobody here\n"
    assert cli.main(line) == 0  # of a camera that is not known
    assert len(capsys.readouterr().out.splitlines()) == 10
