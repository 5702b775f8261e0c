"""The evaluation's tiny dataset and network, searched."""

import shutil

import pytest
from PIL import Image

from mscm_lib.config import RunConfig
from mscm_lib.models.weights import save_network
from mscm_lib.retrieval import build_index
from tests.evaluation.conftest import config, network, packed, weights

__all__ = ["config", "network", "packed", "weights"]


@pytest.fixture(scope="session")
def kept(packed, network, tmp_path_factory):
    """An index with the mixed feature, made once: exporting its network takes a while."""
    folder = tmp_path_factory.mktemp("kept")
    known = {"dataset": "tiny", "trial": "0", "dataset_fingerprint": packed.images.fingerprint}
    save_network(folder / "model.safetensors", network, known)
    config = RunConfig(
        dataset="tiny", data_folder=str(packed.dataset.root), backbone="resnet18", weights="none",
        height=32, width=16, device="cpu", precision="float32", feature="mix", mix_weight=0.3,
    )  # fmt: skip
    build_index(config, folder / "model.safetensors", folder / "index", progress=False)
    return folder / "index"


@pytest.fixture
def folder(kept, tmp_path):
    """A copy of the index that a test may spoil."""
    return shutil.copytree(kept, tmp_path / "index")


@pytest.fixture
def person(packed, tmp_path):
    """A query's picture in a file, and its row of the table."""
    row = packed.dataset.query()[:1]
    (pixels,) = packed.images.read(packed.images.rows(row.paths))
    Image.fromarray(pixels).save(tmp_path / "person.png")
    return tmp_path / "person.png", row
