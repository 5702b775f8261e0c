"""Ten generated people at 32×16, a network that never learned, and trees without pixels."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from mscm_lib.config import RunConfig
from mscm_lib.data import open_dataset, open_packed
from mscm_lib.data.generated import GeneratedSettings, generate
from mscm_lib.evaluation import Embeddings
from mscm_lib.models import MSCMNet
from mscm_lib.models.weights import save_network
from tests.data.conftest import WRITERS

TRAINED_ON = 4  # identities


@pytest.fixture(scope="session")
def packed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("packed") / "tiny"
    settings = GeneratedSettings(train_identities=TRAINED_ON, test_identities=6, shots=2)
    generate(settings, folder, 32, 16, workers=1, progress=False)
    return open_packed(folder)


@pytest.fixture
def config(packed):
    return RunConfig(
        dataset="tiny", data_folder=str(packed.dataset.root), backbone="resnet18", weights="none",
        height=32, width=16, device="cpu", precision="float32", gallery_trials=3,
    )  # fmt: skip


@pytest.fixture(scope="session")
def network():
    net = MSCMNet(TRAINED_ON, "resnet18", height=32, width=16)
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_var.fill_(4.0)  # as if it had seen images, so that features stay small
    return net.eval()


@pytest.fixture
def weights(packed, network, tmp_path):
    """``weights(**changes)`` saves the network with metadata that differ from the run's."""

    def save(net=network, **changes):
        known = {"dataset": "tiny", "trial": "0", "dataset_fingerprint": packed.images.fingerprint}
        save_network(tmp_path / "model.safetensors", net, known | changes)
        return tmp_path / "model.safetensors"

    return save


@pytest.fixture(scope="session")
def trees(tmp_path_factory):
    """The three layouts with a handful of people, by name."""
    root = tmp_path_factory.mktemp("trees")
    return {name: open_dataset(name, write(root / name)) for name, write in WRITERS.items()}


@pytest.fixture
def invented():
    """``invented(table)``: two kinds of unit features in which people are told apart somewhat."""

    def embed(table, seed=0):
        generator = np.random.default_rng(seed)
        people = generator.standard_normal((max(table.ids) + 1, 8))
        features = {}
        for name in ("pooled", "neck"):
            values = people[table.ids] + 2 * generator.standard_normal((len(table), 8))
            features[name] = functional.normalize(torch.from_numpy(values).float())
        return Embeddings(table, features)

    return embed
