"""A run's evaluation as a whole: what it embeds, names, writes, and refuses."""

import json
from copy import deepcopy
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn import functional

from mscm_lib.data.batches import views
from mscm_lib.errors import CheckpointError, DataError, ProtocolError
from mscm_lib.evaluation import Embeddings, embed_table, embedding, evaluate_run, load_embeddings
from mscm_lib.evaluation.rankings import rank_all
from mscm_lib.evaluation.run import images_to_embed
from mscm_lib.evaluation.verification import people_set_apart
from mscm_lib.hardware import choose_hardware
from mscm_lib.models import MSCMNet

NAMES = [
    "search",
    "direction",
    "protocol",
    "draw",
    "shots",
    "feature",
    "mix_weight",
    "flip",
    "rerank",
]


@pytest.fixture
def evaluated(config, weights, tmp_path):
    def evaluate(**changes):
        return evaluate_run(config.replace(**changes), weights(), tmp_path / "out", progress=False)

    return evaluate


def test_every_named_option_has_its_own_rows(evaluated):
    found = evaluated(feature="mix", mix_weight=0.25, flip=True, rerank=True)
    rows = pd.DataFrame(found.rows)
    assert len(rows) == 2 * 3 * 2 * 2  # searches, features, flip, re-ranking
    assert not rows.duplicated(NAMES).any()
    assert set(rows.loc[rows["feature"] == "mix", "mix_weight"]) == {0.25}
    assert rows.loc[rows["feature"] != "mix", "mix_weight"].isna().all()
    assert rows["mean_ap"].nunique() > 12
    for table in (pd.DataFrame(found.trials), found.queries):
        assert set(NAMES) <= set(table)
        assert len(table.drop_duplicates(NAMES)) == len(rows)


def test_options_are_off_unless_asked_for(evaluated):
    rows = pd.DataFrame(evaluated().rows)
    assert len(rows) == 4
    assert not rows["flip"].any() and not rows["rerank"].any()
    assert set(rows["feature"]) == {"pooled", "neck"}


def test_every_image_is_embedded_once_for_all_trials(evaluated, config, packed, monkeypatch):
    seen = []
    embed = MSCMNet.embed

    def counted(self, images, modality):
        seen.append(len(images))
        return embed(self, images, modality)

    monkeypatch.setattr(MSCMNet, "embed", counted)
    found = evaluated(gallery_trials=10)
    apart, unseen = people_set_apart(packed.dataset, config)
    tested = images_to_embed(packed.dataset, config.replace(gallery_trials=10))
    assert sum(seen) == len(tested) + len(apart) and not unseen
    assert pd.DataFrame(found.trials)["gallery_trial"].nunique() == 10


def test_files_hold_what_was_found_and_features_are_read_back(evaluated, packed, network, config):
    found = evaluated(flip=True)
    placed = choose_hardware(config).place(deepcopy(network))  # same layout, same sums
    record = json.loads((found.folder / "metrics.json").read_text())
    assert len(record["rows"]) == len(found.rows) == 8
    assert len(pd.read_csv(found.folder / "queries.csv")) == len(found.queries)
    for flip in (False, True):
        cached = load_embeddings(found.folder, packed, flip)
        direct = embed_table(placed, packed.images, cached.table, flip=flip, progress=False)
        assert cached.table.paths == images_to_embed(packed.dataset, config).paths
        for name, values in direct.features.items():
            torch.testing.assert_close(cached.features[name], values, atol=1e-6, rtol=0)
    assert not torch.equal(
        cached.features["neck"], load_embeddings(found.folder, packed).features["neck"]
    )


def test_flip_adds_the_mirrored_image(network, packed):
    table = packed.dataset.query()[:4]
    pixels = torch.from_numpy(packed.images.read(packed.images.rows(table.paths)))
    with torch.inference_mode():
        x = views.test_transform(pixels)
        once, again = (network.embed(each, "infrared").neck for each in (x, x.flip(3)))
    expected = functional.normalize(once + again)
    found = embed_table(network, packed.images, table, flip=True, progress=False)
    torch.testing.assert_close(found.features["neck"], expected, atol=1e-5, rtol=1e-5)


def test_every_row_names_device_and_number_format(evaluated):
    found = evaluated(flip=True)
    for rows in (found.rows, found.trials, found.queries.to_dict("records")):
        made = {(row["device"], row["precision"], row["tf32"]) for row in rows}
        assert made == {("cpu", "float32", False)}


def test_features_keep_the_order_of_the_table_and_take_part_in_gradients(network, packed):
    table = packed.dataset.images
    mixed = table[np.random.default_rng(0).permutation(len(table))]
    assert (np.diff(mixed.infrared.astype(int)) != 0).sum() > 2
    whole = embed_table(network, packed.images, table, progress=False)
    found = embed_table(network, packed.images, mixed, batch=5, progress=False)
    for name in ("pooled", "neck"):
        torch.testing.assert_close(found.features[name], whole.of(mixed, name), atol=1e-3, rtol=0)
        assert not found.features[name].is_inference()
    assert len(embed_table(network, packed.images, table[:0], progress=False).features["neck"]) == 0


def test_on_a_gpu_batches_are_pinned_and_features_fetched_at_the_end(
    network, packed, fake_gpu, config, monkeypatch
):
    events, batches, pinned = [], [], []
    read, embed, to = type(packed.images).read, MSCMNet.embed, torch.Tensor.to
    own = deepcopy(network)

    def said(name, function):
        def call(*arguments, **named):
            events.append(name)
            return function(*arguments, **named)

        return call

    def reading(images, rows):
        events.append("read")
        batches.append(read(images, rows))
        return batches[-1]

    def pin(pixels):
        events.append("pin")
        pinned.append(pixels)
        return pixels

    def moved(tensor, *arguments, **named):
        if any(tensor is batch for batch in pinned):
            assert named == {"non_blocking": True}
            events.append("copy")
        return to(tensor, *arguments, **named)

    monkeypatch.setattr(type(packed.images), "read", reading)
    monkeypatch.setattr(MSCMNet, "embed", said("embed", embed))
    monkeypatch.setattr(torch.Tensor, "pin_memory", pin)
    monkeypatch.setattr(torch.Tensor, "to", moved)
    monkeypatch.setattr(torch.Tensor, "cpu", said("fetch", torch.Tensor.cpu))
    monkeypatch.setattr(embedding, "Embeddings", lambda table, features: features)
    with fake_gpu():
        hardware = choose_hardware(config.replace(device="cuda:0"))
        placed = hardware.place(own)
        table = packed.dataset.images
        found = embed_table(placed, packed.images, table, 16, hardware=hardware, progress=False)
    steps = len(batches)
    assert steps > 2
    assert events == ["read", "pin", "copy", "embed"] * steps + ["fetch"] * len(found)
    assert not any(np.shares_memory(*pair) for pair in pairwise(batches))  # none is written over
    assert {tuple(values.shape) for values in found.values()} == {(len(table), network.channels)}


# --- what is refused


@pytest.mark.parametrize(
    ("key", "value"),
    [("dataset", "other"), ("trial", "2"), ("dataset_fingerprint", "0" * 64)],
)
def test_weights_of_another_run_are_refused(config, weights, tmp_path, key, value):
    with pytest.raises(CheckpointError, match=f"{key} is '{value}'"):
        evaluate_run(config, weights(**{key: value}), tmp_path / "out", progress=False)
    assert not (tmp_path / "out").exists()


def test_weights_for_another_number_of_identities_are_refused(config, weights, tmp_path):
    net = MSCMNet(5, "resnet18", height=32, width=16)
    with pytest.raises(CheckpointError, match="identities is '5', wanted '4'"):
        evaluate_run(config, weights(net), tmp_path / "out", progress=False)


def test_weights_trained_with_identities_held_out_are_another_run(config, weights, tmp_path):
    with pytest.raises(CheckpointError, match="identities is '4', wanted '3'"):
        evaluate_run(
            config.replace(validation="held-out"), weights(), tmp_path / "out", progress=False
        )


def test_features_that_are_not_numbers_name_the_image(config, weights, tmp_path):
    net = MSCMNet(4, "resnet18", height=32, width=16)
    torch.nn.init.constant_(net.head.neck.weight, 3e38)
    with pytest.raises(ProtocolError, match=r"neck feature of cam\d/\d+/\d+.png is not finite"):
        evaluate_run(config, weights(net), tmp_path / "out", progress=False)


def test_as_many_features_as_images(packed):
    table = packed.dataset.query()
    with pytest.raises(ProtocolError, match=r"shape \(3, 8\), expected a row for each of the"):
        Embeddings(table, {"neck": torch.ones(3, 8)})


def test_an_image_without_a_feature_is_named(packed, config, invented):
    query = packed.dataset.query()
    with pytest.raises(ProtocolError, match="has not been embedded"):
        rank_all(packed.dataset, config, invented(query), ("neck",), {"flip": False})


def test_queries_without_a_match_are_listed_and_not_counted(packed, config, invented, monkeypatch):
    dataset = packed.dataset
    gone = int(dataset.query().ids[0])
    whole = type(dataset).gallery

    def smaller(self, *arguments):
        gallery = whole(self, *arguments)
        return gallery[gallery.ids != gone]

    monkeypatch.setattr(type(dataset), "gallery", smaller)
    figures = rank_all(dataset, config, invented(dataset.images), ("neck",), {"flip": False})
    queries = figures.queries[0]
    assert (queries["query_id"] == gone).sum() > 0
    assert (queries["valid"] == (queries["query_id"] != gone)).all()
    assert figures.rows[0]["valid_queries"] == queries["valid"].sum() / 3  # trials


def test_an_empty_gallery_is_said_to_be_one(packed, config, invented, monkeypatch):
    dataset = packed.dataset
    whole = type(dataset).gallery
    monkeypatch.setattr(type(dataset), "gallery", lambda self, *a: whole(self, *a)[:0])
    with pytest.raises(ProtocolError, match="gallery set is empty"):
        rank_all(dataset, config, invented(dataset.images), ("neck",), {"flip": False})


def test_a_gallery_of_strangers_is_said_to_be_one(packed, config, invented, monkeypatch):
    dataset = packed.dataset
    strangers = dataset.train().visible_images
    monkeypatch.setattr(type(dataset), "gallery", lambda self, *a: strangers)
    with pytest.raises(ProtocolError, match="none of the .* queries has a right answer"):
        rank_all(dataset, config, invented(dataset.images), ("neck",), {"flip": False})


def test_cached_features_of_something_else_are_refused(evaluated, packed, tmp_path):
    folder = evaluated().folder
    with pytest.raises(DataError, match="set flip = true"):
        load_embeddings(folder, packed, flip=True)
    with pytest.raises(DataError, match="no such file; evaluate the run first"):
        load_embeddings(tmp_path / "nothing", packed)
    (folder / "paths.txt").write_text("cam9/0001/0001.jpg\n")
    with pytest.raises(DataError, match=r"cam9/0001/0001.jpg is not in the dataset"):
        load_embeddings(folder, packed)
    (folder / "features.safetensors").write_bytes(b"half a file")
    with pytest.raises(DataError, match="damaged"):
        load_embeddings(folder, packed)
