"""A dataset of one's own from its pictures to a trained network's tables and its index."""

import pandas as pd
import pytest
import torch
from PIL import Image

from mscm_lib.config import RunConfig
from mscm_lib.data import open_dataset, open_packed, pack_dataset
from mscm_lib.data.emulated.emulate import emulate
from mscm_lib.evaluation import evaluate_run, load_embeddings
from mscm_lib.evaluation.switches import switch
from mscm_lib.models.weights import load_network, save_network
from mscm_lib.retrieval import Searcher, build_index
from mscm_lib.training import train

SETTINGS = {
    "searches": {
        "night": {"query": "infrared", "gallery": "visible"},
        "day": {"query": "visible", "gallery": "infrared", "query_cameras": [1]},
    },
    "trials": 3,
    "shots": [1, 10],
    "places": [[4, 1]],
    "own_camera": True,
}
RULES = "images - own camera - 4>1"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A configuration on packed pictures, and the folder of its weights."""
    root = tmp_path_factory.mktemp("own")
    emulate("table", root / "raw", height=32, workers=1, progress=False, settings=SETTINGS)
    data = open_dataset("table", root / "raw", SETTINGS)
    pack_dataset(data, root / "packed", 32, 16, progress=False)
    config = RunConfig(
        dataset="own", data_folder=str(root / "packed"), backbone="resnet18", weights="none",
        height=32, width=16, identities_per_batch=4, images_per_identity=2, epochs=1,
        steps_per_epoch=2, warmup_epochs=1, gallery_trials=3, device="cpu", shots=1,
        validation="held-out", head_rate=0.001, trunk_rate=0.001,
    )  # fmt: skip
    train(config, root / "out", root / "state", log=lambda line: None)
    net = load_network(root / "out/model.safetensors").net
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_var.fill_(4.0)  # as if it had seen more images than a test has time for
    known = {"dataset": "own", "trial": "0", "dataset_fingerprint": data.fingerprint()}
    save_network(root / "model.safetensors", net, known)
    return config, root / "model.safetensors"


def test_its_searches_stand_in_the_tables_under_its_rules(run, tmp_path):
    config, weights = run
    found = evaluate_run(config, weights, tmp_path / "evaluated", progress=False)
    rows = pd.DataFrame(found.rows)
    assert set(rows["search"]) == {"night", "day"} and set(rows["protocol"]) == {RULES}
    assert set(rows["direction"]) == {"infrared → visible", "visible → infrared"}
    assert (rows["gallery_trials"] == 3).all() and rows["mean_ap"].between(0, 1).all()
    assert (rows["mean_ap_low"] < rows["mean_ap_high"]).all()
    packed = open_packed(config.data_folder)
    table = switch(packed.dataset, config, load_embeddings(found.folder, packed))
    rules = table.loc[table["question"] == "rule", "choice"].tolist()
    assert rules[0] == f"{RULES}: drops shared place and own camera, CMC over images"


def test_its_gallery_is_searched_under_its_camera_rule(run, tmp_path):
    config, weights = run
    build_index(config, weights, tmp_path / "index", progress=False)
    searcher = Searcher.open(tmp_path / "index")
    packed = open_packed(config.data_folder)
    query = packed.dataset.query()
    (pixels,) = packed.images.read(packed.images.rows(query.paths[:1]))
    matches = searcher.search(pixels, "infrared", k=5, camera=4, identity=int(query.ids[0]))
    assert all((match.rank is None) == (match.camera == 1) for match in matches)


def test_a_turned_picture_finds_what_the_upright_one_finds(run, tmp_path):
    config, weights = run
    build_index(config, weights, tmp_path / "index", progress=False)
    searcher = Searcher.open(tmp_path / "index")
    packed = open_packed(config.data_folder)
    (pixels,) = packed.images.read(packed.images.rows(packed.dataset.gallery_pool().paths[:1]))
    exif = Image.Exif()
    exif[274] = 6
    stored = Image.fromarray(pixels).transpose(Image.Transpose.ROTATE_90)
    stored.save(tmp_path / "phone.png", exif=exif)
    assert searcher.search(tmp_path / "phone.png", "visible") == searcher.search(pixels, "visible")
