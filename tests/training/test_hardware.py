import pytest
import torch

from mscm_lib import hardware
from mscm_lib.config import RunConfig
from mscm_lib.errors import ConfigError
from mscm_lib.hardware import choose_hardware


def test_auto_precision_follows_the_instructions_of_the_processor(monkeypatch):
    config = RunConfig(device="cpu")
    monkeypatch.setattr(hardware, "native_bfloat16", lambda device: True)
    assert choose_hardware(config).precision == "bfloat16"
    monkeypatch.setattr(hardware, "native_bfloat16", lambda device: False)
    chosen = choose_hardware(config)
    assert chosen.precision == "float32" and not chosen.scaled


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"device": "tpu7"}, "device = 'tpu7'"),
        ({"device": "meta"}, "device = 'meta'"),
        ({"device": "cpu", "precision": "float16"}, "precision = 'float16' needs a GPU"),
    ],
)
def test_what_cannot_be_is_named(change, named):
    with pytest.raises(ConfigError, match=named):
        choose_hardware(RunConfig(**change))


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_an_absent_gpu_is_named():
    with pytest.raises(ConfigError, match="0 are visible"):
        choose_hardware(RunConfig(device="cuda"))


def test_autocast_computes_in_the_chosen_format():
    x, weight = torch.ones(2, 3), torch.ones(3, 2)
    for precision in ("float32", "bfloat16"):
        chosen = choose_hardware(RunConfig(device="cpu", precision=precision))
        with chosen.autocast():
            assert (x @ weight).dtype == getattr(torch, precision)


def test_weights_lie_channels_last():
    chosen = choose_hardware(RunConfig(device="cpu"))
    layer = chosen.place(torch.nn.Conv2d(3, 4, 3))
    assert layer.weight.is_contiguous(memory_format=torch.channels_last)


def test_maps_one_position_wide_are_never_computed_in_bfloat16_on_a_cpu(monkeypatch):
    monkeypatch.setattr("mscm_lib.hardware.native_bfloat16", lambda device: True)
    narrow = {"device": "cpu", "height": 32, "width": 16}
    assert choose_hardware(RunConfig(**narrow)).precision == "float32"
    assert choose_hardware(RunConfig(**narrow | {"width": 32})).precision == "bfloat16"
    with pytest.raises(ConfigError, match="16 pixels wide"):
        choose_hardware(RunConfig(**narrow, precision="bfloat16"))
