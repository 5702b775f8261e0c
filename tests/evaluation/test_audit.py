"""A claimed figure is traced to the way of scoring that gives it, or to none."""

import numpy as np
import pytest
import torch

from mscm_lib import cli, files
from mscm_lib.claims import Claimed, refuse_fractions
from mscm_lib.errors import ConfigError, DataError, StorageError
from mscm_lib.evaluation.audit import audit
from mscm_lib.evaluation.embedding import Embeddings
from mscm_lib.evaluation.feature_files import find_dataset
from tests.evaluation.test_feature_files import written
from tests.metrics.dense_rerank import dense_rerank, squared_distances
from tests.metrics.reference import reference_metrics

SECRETS = [
    ("sysu", {"search": "all", "draw": "official"}),
    ("sysu", {"search": "indoor", "shots": 10, "galleries": "first"}),
    ("sysu", {"search": "all", "protocol": "market", "feature": "pooled"}),
    ("sysu", {"search": "all", "galleries": "best"}),
    ("sysu", {"search": "all", "flip": True}),
    ("sysu", {"search": "indoor", "rerank": True}),
    ("llcm", {"search": "visible-to-infrared", "scoring": "swapped"}),
    ("regdb", {"search": "thermal-to-visible", "split": 4}),
]


@pytest.fixture
def given(trees, invented):
    """``given(name)``: a dataset and features of all its images, two kinds with and without flip."""

    def make(name):
        dataset = trees[name]
        once, mirrored = invented(dataset.images), invented(dataset.images, seed=1)
        flipped = {f"{kind}_flip": values for kind, values in mirrored.features.items()}
        return dataset, Embeddings(dataset.images, {**once.features, **flipped})

    return make


def secretly(dataset, embeddings, search=None, draw="agw", shots=1, protocol=None, split=0,
             feature="neck", flip=False, rerank=False, scoring="direct", galleries="mean"):  # fmt: skip
    """The figures of one way, by whole matrices and the plain rules: rank 1 and mAP in percent."""
    search = search or dataset.searches[0]
    rows = {path: row for row, path in enumerate(embeddings.table.paths)}
    values = embeddings.features[f"{feature}_flip" if flip else feature].double().numpy()
    found = []
    for trial in [split] if split else dataset.trials:
        query, gallery = dataset.query(search, trial), dataset.gallery(search, trial, draw, shots)
        if scoring == "swapped":
            query, gallery = gallery, query
        a, b = (values[[rows[path] for path in table.paths]] for table in (query, gallery))
        distances = -(a @ b.T)
        if rerank:
            squared = squared_distances(np.concatenate([a, b]).astype(np.float32))
            distances = dense_rerank(squared, len(a), 20, 6, 0.3).round(6)
        result = reference_metrics(
            distances, query.ids, gallery.ids, query.cams, gallery.cams,
            protocol or dataset.protocol, 20,
        )  # fmt: skip
        found.append((100 * result["cmc"][0], 100 * result["mean_ap"]))
    return {"mean": tuple(np.mean(found, axis=0)), "first": found[0], "best": max(found)}[galleries]


@pytest.mark.parametrize(("name", "way"), SECRETS)
def test_the_way_behind_a_claim_is_found(given, name, way):
    dataset, embeddings = given(name)
    wanted = secretly(dataset, embeddings, **way)
    claims = [Claimed.read(f"rank1={wanted[0]:.2f}"), Claimed.read(f"map={wanted[1]:.3f}")]
    found = audit(dataset, embeddings, claims, way["search"])
    plain = {
        "draw": "agw", "shots": 1, "protocol": dataset.protocol, "flip": False, "feature": "neck",
        "rerank": False, "scoring": "direct", "galleries": "mean", "split": 0,
    }  # fmt: skip
    expected = plain | way
    assert expected in [
        {key: row[key] for key in expected} for _, row in found.reproducing.iterrows()
    ]
    assert "reproduced by" in found.render()


def test_a_claim_that_no_way_gives_is_said_to_be_so(given):
    dataset, embeddings = given("sysu")
    found = audit(dataset, embeddings, [Claimed.read("rank1=99.99")], "indoor", 1)
    assert not len(found.reproducing) and found.table["steps"].max() == 1
    assert f"none of {len(found.table)} ways" in found.render()


def test_both_claims_must_be_met_by_one_way(given):
    dataset, embeddings = given("sysu")
    one = secretly(dataset, embeddings)
    other = secretly(dataset, embeddings, feature="pooled")
    claims = [Claimed.read(f"rank1={one[0]:.3f}"), Claimed.read(f"map={other[1]:.3f}")]
    assert not len(audit(dataset, embeddings, claims, "all", steps=1).reproducing)


def test_a_step_is_worth_the_difference_to_its_own_plain_way(given):
    dataset, embeddings = given("llcm")
    found = audit(dataset, embeddings, [Claimed.read("map=0.00")], "visible-to-infrared", steps=1)
    for feature in ("neck", "pooled"):
        plain = secretly(dataset, embeddings, "visible-to-infrared", feature=feature)
        swapped = secretly(
            dataset, embeddings, "visible-to-infrared", feature=feature, scoring="swapped"
        )
        row = found.worth[
            (found.worth["feature"] == feature) & (found.worth["scoring"] == "swapped")
        ]
        assert 100 * row["mean_ap_gain"].item() == pytest.approx(swapped[1] - plain[1], abs=1e-4)
        reranked = secretly(
            dataset, embeddings, "visible-to-infrared", feature=feature, rerank=True
        )
        row = found.worth[(found.worth["feature"] == feature) & found.worth["rerank"]]
        assert 100 * row["rank1_gain"].item() == pytest.approx(reranked[0] - plain[0], abs=1e-4)


def test_lengths_count_where_features_are_not_normalised(given):
    dataset, embeddings = given("sysu")
    lengths = torch.rand(len(embeddings.table), 1, generator=torch.Generator().manual_seed(0)) + 0.1
    longer = Embeddings(embeddings.table, {"neck": lengths * embeddings.features["neck"]})
    wanted = secretly(dataset, longer)
    found = audit(dataset, longer, [Claimed.read(f"map={wanted[1]:.4f}")], "all")
    assert set(found.reproducing["feature"]) == {"neck, not normalised"}


def test_what_lacks_images_is_left_out_and_told(given):
    dataset, embeddings = given("sysu")
    indoor = np.isin(embeddings.table.cams, (1, 2, 3, 6))
    part = Embeddings(
        embeddings.table[indoor], {"neck": embeddings.features["neck"][torch.from_numpy(indoor)]}
    )
    found = audit(dataset, part, [Claimed.read("map=0.0")], steps=1)
    assert set(found.table["search"]) == {"indoor"}
    assert "has not been embedded" in found.render()
    with pytest.raises(DataError, match="no way can be ranked"):
        audit(dataset, part, [Claimed.read("map=0.0")], "all")


def test_a_step_whose_plain_way_lacks_images_has_no_worth(given):
    """Whoever kept the features of the official galleries alone can have those audited."""
    dataset, embeddings = given("sysu")
    drawn = [dataset.gallery("all", trial, "official").paths for trial in dataset.trials]
    kept = embeddings.table.infrared | np.isin(embeddings.table.paths, np.concatenate(drawn))
    part = Embeddings(
        embeddings.table[kept], {"neck": embeddings.features["neck"][torch.from_numpy(kept)]}
    )
    wanted = secretly(dataset, part, draw="official")
    found = audit(dataset, part, [Claimed.read(f"map={wanted[1]:.3f}")], "all", steps=1)
    assert found.reproducing["draw"].tolist() == ["official"]
    assert not len(found.worth) and "has not been embedded" in found.render()


# --- the command


@pytest.mark.parametrize("text", ["rank2=5", "map", "map=high", "map=101", "map=-3"])
def test_a_claim_that_is_none_is_refused(text):
    with pytest.raises(ConfigError, match="claim"):
        Claimed.read(text)


def test_rounding_is_half_of_the_last_digit():
    assert Claimed.read("mAP=58.25%") == ("map", 58.25, 0.005, True)
    assert Claimed.read("rank1=61") == ("rank1", 61.0, 0.5, False)


@pytest.mark.parametrize(
    ("text", "name"),
    [("R1=60", "rank1"), ("r1=60", "rank1"), ("Rank-10=60", "rank10"), ("R@20=60", "rank20"),
     ("mINP=60", "minp")],
)  # fmt: skip
def test_a_figure_is_known_as_papers_write_it(text, name):
    assert Claimed.read(text).name == name


@pytest.mark.parametrize("text", ["r2=60", "top1=60", "mr1=60", "1=60"])
def test_a_figure_that_may_be_another_is_refused(text):
    with pytest.raises(ConfigError, match=f"unknown claim .*{text[-4]}.*Known: map, minp, rank1"):
        Claimed.read(text)


@pytest.mark.parametrize(
    ("claims", "meant"),
    [(["map=0.7297"], "map=72.97"), (["rank1=0.6", "map=0.58"], "rank1=60"), (["R1=1"], "rank1=100"),
     (["map=0", "rank5=0.9"], "rank5=90")],
)  # fmt: skip
def test_fractions_are_refused_before_anything_is_read(tmp_path, capsys, claims, meant):
    (tmp_path / "f.npz").write_bytes(b"never opened")
    assert cli.main(["audit", str(tmp_path / "f.npz"), str(tmp_path), "--claim", *claims]) == 2
    told = capsys.readouterr().err
    assert f"expected percent, such as {meant}" in told and told.count("\n") == 1


@pytest.mark.parametrize(
    "claims", [["map=0"], ["rank1=0.00", "map=0"], ["rank1=61.5", "minp=0.9"], ["map=0.73%"], []]
)
def test_percent_may_be_small(claims):
    refuse_fractions([Claimed.read(text) for text in claims])


def test_the_command_says_what_it_found(packed, trees, given, tmp_path, capsys):
    dataset, embeddings = given("llcm")
    wanted = secretly(dataset, embeddings, rerank=True)
    file = written(
        tmp_path, ".npz", {"neck": embeddings.features["neck"].numpy()}, embeddings.table.paths
    )
    table = tmp_path / "ways.csv"
    line = ["audit", str(file), str(dataset.root), "--claim", f"rank1={wanted[0]:.2f}",
            f"map={wanted[1]:.2f}", "--out", str(table)]  # fmt: skip
    assert cli.main(line) == 0
    assert "re-ranked" in capsys.readouterr().out.split("worth")[0]
    assert "reproduces" in table.read_text().splitlines()[0]
    assert cli.main([*line[:4], "rank1=0.01%", "--steps", "1"]) == 1
    assert find_dataset(packed.dataset.root).images.paths == packed.dataset.images.paths


@pytest.mark.parametrize(("out", "told"), [(".", "is a folder"), ("f.npz/x/y.csv", "lies below")])
@pytest.mark.parametrize("command", ["audit", "across"])
def test_where_a_table_goes_is_looked_at_first(tmp_path, capsys, monkeypatch, command, out, told):
    (tmp_path / "f.npz").write_bytes(b"never opened")
    line = {"audit": [str(tmp_path / "f.npz"), str(tmp_path), "--claim", "map=50"],
            "across": ["quick-mscmnet-t0-s0", "--on", str(tmp_path)]}[command]  # fmt: skip
    assert cli.main([command, *line, "--out", str(tmp_path / out)]) == 2
    errors = capsys.readouterr().err
    assert errors.startswith("error: ") and errors.count("\n") == 1 and told in errors


def test_a_finding_is_told_though_it_cannot_be_kept(trees, given, tmp_path, capsys, monkeypatch):
    dataset, embeddings = given("llcm")
    file = written(
        tmp_path, ".npz", {"neck": embeddings.features["neck"].numpy()}, embeddings.table.paths
    )

    def full(path, text):
        raise StorageError(f"{path}: the disk is full")

    monkeypatch.setattr(files, "write_text", full)
    line = ["audit", str(file), str(dataset.root), "--claim", "map=50", "--steps", "1"]
    assert cli.main([*line, "--out", str(tmp_path / "new" / "ways.csv")]) == 2
    told = capsys.readouterr()
    assert "What one step alone is worth" in told.out and "the disk is full" in told.err


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("no file", "gone.npz: no such file"),
        (
            "no dataset",
            "nor is it packed: unknown dataset of the plan 'sysuu'; did you mean 'sysu'?",
        ),
        ("another folder", "expected SYSU-MM01, RegDB or LLCM as released, or packed arrays"),
        (
            "no paths",
            "features.npz: lacks 'paths', the images' names; it has neck; save 'paths' as plain text",
        ),
        ("a row too few", "features.npz: neck has shape (9, 3), expected (10, D): a row for each"),
        (
            "a strange path",
            "features.npz: 'x/1.jpg' is no image of llcm; its images are called like",
        ),
        ("not finite", "features.npz: the neck feature of"),
        ("no such figure", "unknown claim 'rank2'; did you mean 'rank20'?"),
        ("no such search", "search = 'all': expected one of"),
    ],
)
def test_what_cannot_be_audited_is_one_line(trees, tmp_path, capsys, change, told):
    dataset = trees["llcm"]
    paths, values = list(dataset.images.paths[:10]), np.ones((10, 3), np.float32)
    if change == "a strange path":
        paths[4] = "x/1.jpg"
    if change == "not finite":
        values[4] = np.nan
    if change == "a row too few":
        values = values[1:]
    file = written(tmp_path, ".npz", {"neck": values}, paths)
    if change == "no paths":
        np.savez(file, neck=values)
    line = {"file": file, "where": dataset.root, "claim": "map=50", "search": dataset.searches[0]}
    line |= {
        "no file": {"file": tmp_path / "gone.npz"},
        "no dataset": {"where": "sysuu"},
        "another folder": {"where": tmp_path},
        "no such figure": {"claim": "rank2=5"},
        "no such search": {"search": "all"},
    }.get(change, {})
    *words, search = map(str, line.values())
    try:
        status = cli.main(["audit", *words[:2], "--claim", words[2], "--search", search])
    except SystemExit as stopped:
        status = stopped.code
    out, errors = capsys.readouterr()
    assert status == 2 and not out
    assert errors.startswith("error: ") and errors.count("\n") == 1 and told in errors
