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


@pytest.fixture
def two_gpus(monkeypatch):
    """Two GPUs that are not there, the second newer; the list of those made the current one."""
    current = []
    for name, answer in {
        "is_available": lambda: True,
        "device_count": lambda: 2,
        "set_device": current.append,
        "get_device_capability": lambda device: ((7, 0), (9, 0))[device.index],
        "get_device_name": lambda device: f"GPU {device.index}",
    }.items():
        monkeypatch.setattr(torch.cuda, name, answer)
    return current


@pytest.mark.parametrize(("index", "precision"), [(0, "float16"), (1, "bfloat16")])
def test_the_gpu_that_was_asked_for_is_the_one_that_is_used(two_gpus, index, precision):
    chosen = choose_hardware(RunConfig(device=f"cuda:{index}"))
    assert two_gpus == [torch.device("cuda", index)]
    assert chosen.record() == {"device": f"GPU {index}", "precision": precision, "tf32": False}


def test_under_torchrun_each_process_has_its_own_gpu(two_gpus, monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert choose_hardware(RunConfig()).device == torch.device("cuda", 1)


def _by_the_older_switches():
    torch.backends.cudnn.allow_tf32 = True  # as PyTorch starts
    torch.set_float32_matmul_precision("high")


def _by_the_newer_switches():
    for kind in (torch.backends.cudnn, torch.backends.cudnn.conv, torch.backends.cuda.matmul):
        kind.fp32_precision = "tf32"


@pytest.mark.parametrize("ask", [_by_the_older_switches, _by_the_newer_switches])
def test_float32_is_not_tf32_however_it_was_asked_for(ask):
    hardware = choose_hardware(RunConfig(device="cpu", precision="float32"))
    ask()
    assert hardware.record()["tf32"]
    choose_hardware(RunConfig(device="cpu"))
    assert hardware.record() == {"device": "cpu", "precision": "float32", "tf32": False}
    assert not torch.backends.cudnn.allow_tf32 and not torch.backends.cuda.matmul.allow_tf32
    assert torch.get_float32_matmul_precision() == "highest"


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
