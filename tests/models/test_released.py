"""The authors' checkpoint computes here what it computes there."""

import hashlib
import re

import numpy as np
import pytest
import torch

from mscm_lib.errors import CheckpointError, ConfigError
from mscm_lib.models import MSCMNet, load_released
from mscm_lib.models import released as released_module
from mscm_lib.models.released import read_released, released_state


def relative(found, expected):
    return ((found - expected).norm() / expected.norm()).item()


# Of the 1755 sorted lines "name, shape, type" (tabs between, 64x3x7x7, "scalar") of the release.
LISTING = "ff07b5a33a5d3134ad7b059bb4b4e7fa12c5a754b3396891e6f14f24d249da41"


def test_fixture_has_the_release_s_names_shapes_types_and_size(released):
    lines = [
        f"{name}\t{'x'.join(map(str, t.shape)) or 'scalar'}\t{str(t.dtype).removeprefix('torch.')}"
        for name, t in released.state_dict().items()
    ]
    assert len(lines) == 1755
    assert hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest() == LISTING
    assert sum(p.numel() for p in released.parameters()) == pytest.approx(156.5e6, rel=1e-3)


def test_loaded_release_computes_the_same(released):
    net = load_released(released.state_dict(), log=lambda line: None)
    generator = torch.Generator().manual_seed(1)
    views = [torch.randn(2, 3, 384, 192, generator=generator) for _ in range(4)]
    with torch.no_grad():
        released.eval()
        for modality, images in (("visible", views[0][:1]), ("infrared", views[2][:1])):
            expected = released.test_forward(images, modality)
            for found, wanted in zip(net.features(images, modality), expected, strict=True):
                assert relative(found, wanted) < 1e-4
            unit = net.embed(images, modality)
            torch.testing.assert_close(unit.neck, expected[1] / expected[1].norm())
            torch.testing.assert_close(unit.pooled, expected[0] / expected[0].norm())
        released.train()
        expected = released.train_forward(*views)
        for found, wanted in zip(net.train()(*views), expected, strict=True):
            assert relative(found, wanted) < 1e-4
    bn = net.head.neck
    torch.testing.assert_close(bn.running_mean, released.bottleneck.running_mean)
    assert sum(p.numel() for p in net.parameters()) < 45e6


def test_account_of_used_and_dropped(released_shapes):
    lines = []
    state = released_shapes(206, 288)
    net = load_released({"net": state, "epoch": 3}, log=lines.append)
    used, dropped = net.initialisation.used, net.initialisation.dropped
    assert net.identities == 206
    assert len(used) + len(dropped) == len(state) == 1755
    assert not set(used) & set(dropped)
    assert {"NL_2.1.theta.weight", "layerATT2.ATT_narrow2.weight", "bottleneck.bias"} <= set(used)
    assert {"layerATT3.ln_1o.weight", "local_conv.weight", "layerATT0.ATT_narrow2.bias"} <= set(
        dropped
    )
    assert "used 483 of 1755" in lines[0]
    assert any("312 tensors of visible_moduleA" in line for line in lines)


def test_image_size_follows_the_tokens(released_shapes):
    state = released_shapes(7, 18)
    assert load_released(state, log=str).config.height == 96
    square = load_released(state, height=48, width=96, log=str)
    assert (square.config.height, square.config.width) == (48, 96)
    with pytest.raises(ConfigError, match="have 18 numbers"):
        load_released(state, height=384, width=192, log=str)


def test_every_tensor_that_takes_part_is_needed_in_its_shape(released_shapes, monkeypatch):
    state = released_shapes(7, 18)
    net = load_released(state, log=str)
    monkeypatch.setattr(
        released_module, "MSCMNet", lambda *a, **k: net
    )  # built once, not 966 times
    assert len(net.initialisation.used) == 483
    for name in net.initialisation.used:
        if not name.endswith("num_batches_tracked"):
            with pytest.raises(CheckpointError, match=f"lacks '{re.escape(name)}'"):
                load_released({k: v for k, v in state.items() if k != name}, log=str)
        wrong = torch.zeros(3, *state[name].shape)
        message = rf"'{re.escape(name)}' has shape {re.escape(str(tuple(wrong.shape)))}, expected"
        with pytest.raises(CheckpointError, match=message):
            load_released({**state, name: wrong}, log=str)


@pytest.mark.parametrize(
    "broken",
    [{}, {"classifier.weight": torch.tensor(1.0)}, {"layerATT2.ln_2.bias": "text"}, {"net": 3}],
)
def test_what_is_no_state_dict_is_refused(released_shapes, broken):
    state = {**released_shapes(7, 18), **broken} if broken else {}
    with pytest.raises(
        CheckpointError, match=r"classifier\.weight|layerATT2\.ln_2\.bias|'net' is int"
    ):
        load_released(state, log=str)


def test_a_network_under_the_release_s_names_comes_back():
    net = MSCMNet(5, height=96, width=48, seed=3)
    again = load_released(released_state(net), log=str)
    assert again.initialisation.dropped == ()
    for name, value in net.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])
    with pytest.raises(ConfigError, match="streams = 'dual'"):
        released_state(MSCMNet(5, "resnet50", streams="dual", height=32, width=16))


def test_dead_weight_may_be_anything(released_shapes):
    state = released_shapes(7, 18)
    state["local_conv.weight"] = torch.zeros(2)
    state["something.new"] = torch.zeros(1)
    assert "something.new" in load_released(state, log=str).initialisation.dropped


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before torch 1.6"])
def test_file_with_numpy_numbers_is_read_safely(tmp_path, released_shapes, zipped):
    state = {k: v for k, v in released_shapes(3, 18).items() if not k.startswith("thermal_module.")}
    path = tmp_path / "sysu_best.t"
    torch.save({"net": state, "cmc": np.linspace(0, 1, 20), "mAP": np.float64(0.5),
                "mINP": np.float32(0.25), "epoch": 76}, path,
               _use_new_zipfile_serialization=zipped)  # fmt: skip
    content = read_released(path)
    assert content["mAP"] == 0.5
    np.testing.assert_array_equal(content["cmc"], np.linspace(0, 1, 20))
    with pytest.raises(CheckpointError, match=r"sysu_best\.t: lacks 'thermal_module"):
        load_released(path, log=str)


class Trap:
    def __reduce__(self):
        return (print, ("code from a checkpoint was run",))


@pytest.mark.parametrize("content", [{"net": Trap()}, [1, 2]])
def test_other_content_is_refused(tmp_path, content, capsys):
    path = tmp_path / "trap.t"
    torch.save(content, path)
    with pytest.raises(CheckpointError, match=r"trap\.t"):
        read_released(path)
    assert "was run" not in capsys.readouterr().out


def test_missing_and_damaged_files_are_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"none\.t: no such file"):
        load_released(tmp_path / "none.t")
    (tmp_path / "cut.t").write_bytes(b"PK\x03\x04 cut")
    with pytest.raises(CheckpointError, match=r"cut\.t: not readable"):
        load_released(tmp_path / "cut.t")
