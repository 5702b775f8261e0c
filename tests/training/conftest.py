"""A packed dataset of ten people at 32×16 and the parameters of a run of seconds on it."""

import pytest

from mscm_lib.config import RunConfig
from mscm_lib.data.generated import GeneratedSettings, generate


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("packed") / "tiny"
    settings = GeneratedSettings(train_identities=10, test_identities=6, shots=2)
    generate(settings, folder, 32, 16, workers=1, progress=False)
    return folder


@pytest.fixture
def tiny(tiny_data):
    return RunConfig(
        dataset="tiny",
        data_folder=str(tiny_data),
        backbone="resnet18",
        weights="none",
        height=32,
        width=16,
        identities_per_batch=4,
        images_per_identity=2,
        epochs=2,
        steps_per_epoch=4,
        warmup_epochs=1,
        head_rate=0.01,
        trunk_rate=0.001,
        device="cpu",
    )
