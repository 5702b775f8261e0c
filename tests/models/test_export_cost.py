"""Exported graphs run elsewhere; costs are counted right and leave the network alone."""

import warnings

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from mscm_lib import cli
from mscm_lib.errors import CheckpointError, ConfigError
from mscm_lib.models import MSCMNet, export
from mscm_lib.models.cost import cost, latency, saved_bytes
from mscm_lib.models.weights import save_network

SMALL = {"backbone": "resnet18", "height": 64, "width": 32}


def test_onnx_runs_any_batch(tmp_path):
    arguments = {**SMALL, "backbone": "timm:convnext_atto", "streams": "dual"}
    net = MSCMNet(3, **arguments).eval()
    path = tmp_path / "visible.onnx"
    export.export_onnx(path, export.InferenceNetwork(net, "visible", "pooled"))
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    images = torch.randn(5, 3, 64, 32, generator=torch.Generator().manual_seed(4))
    (found,) = session.run(["feature"], {"images": images.numpy()})
    expected = net.embed(images, "visible").pooled.detach().numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_an_export_warns_of_nothing_that_its_reader_could_mend(tmp_path):
    net = MSCMNet(3, streams="dual", multi_scale="none", non_local=False, **SMALL).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("error", FutureWarning)
        for modality in ("visible", "infrared"):
            half = export.InferenceNetwork(net, modality, "neck")
            export.export_onnx(tmp_path / f"{modality}.onnx", half)
        with pytest.raises(FutureWarning):  # everything else is told as ever
            warnings.warn("of yours", FutureWarning, stacklevel=1)


def test_a_run_s_weights_are_written_for_other_programs(tmp_path, capsys):
    net = MSCMNet(3, streams="dual", multi_scale="none", non_local=False, **SMALL).eval()
    save_network(tmp_path / "model.safetensors", net, {})
    weights, out = tmp_path / "model.safetensors", tmp_path / "out"
    assert cli.main(["export", str(weights), str(out), "--format", "pt2"]) == 0
    assert str(out / "infrared.pt2") in capsys.readouterr().out
    images = torch.randn(2, 3, 64, 32, generator=torch.Generator().manual_seed(4))
    for modality in ("visible", "infrared"):
        program = torch.export.load(out / f"{modality}.pt2").module()
        with torch.no_grad():
            wanted = net.embed(images, modality).neck
            torch.testing.assert_close(program(images), wanted, atol=1e-4, rtol=0)
    assert cli.main(["export", str(weights), str(weights / "out")]) == 2
    assert "lies below" in capsys.readouterr().err
    assert cli.main(["export", "no-such-run", str(out)]) == 2
    told = capsys.readouterr().err
    assert "no such file" in told and "runs/train/no-such-run/model.safetensors" in told


def test_exported_graph_that_differs_is_refused(tmp_path, monkeypatch):
    net = MSCMNet(3, multi_scale="none", **SMALL)
    monkeypatch.setattr(export, "TOLERANCE", -1.0)
    with pytest.raises(CheckpointError, match="differs from eager"):
        export.export_program(export.InferenceNetwork(net, "visible"))
    with pytest.raises(ConfigError, match="feature = 'logits'"):
        export.InferenceNetwork(net, "visible", "logits")
    with pytest.raises(ConfigError, match="modality = 'sketch'"):
        export.InferenceNetwork(net, "sketch")


def test_flops_are_those_of_convolutions_counted_by_hand():
    net = MSCMNet(3, streams="dual", multi_scale="none", non_local=False, **SMALL)
    macs = 0

    def count(module, args, output):
        nonlocal macs
        macs += output.numel() * module.weight[0].numel()

    hooks = [m.register_forward_hook(count) for m in net.modules()
             if isinstance(m, (nn.Conv2d, nn.Linear))]  # fmt: skip
    net.eval().embed(torch.rand(1, 3, 64, 32), "visible")
    for hook in hooks:
        hook.remove()
    counted = cost(net, views=2)
    assert counted.embed_flops == 2 * macs
    # Two views forward, twice that backward, less the images' own gradient.
    assert 5 * counted.embed_flops < counted.train_flops < 6 * counted.embed_flops
    assert counted.parameters - counted.parameters_without_classifier == 3 * 512


def test_saved_bytes_counts_each_storage_once():
    class Doubled(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 8)

        def forward(self, x):
            hidden = torch.relu(self.layer(x))  # kept by relu and by both products, once
            return hidden * hidden

    assert saved_bytes(Doubled(), {"x": torch.rand(5, 4)}) == 5 * 8 * 4


def test_costs_leave_the_network_as_it_was():
    net = MSCMNet(3, **SMALL)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    first = cost(net)
    assert cost(net) == first
    assert latency(net, 2, repeats=1) > 0
    assert net.training
    for name, value in net.state_dict().items():
        assert torch.equal(value, before[name])


def test_shallow_sources_cost_and_mimb_costs_more_than_none():
    def flops(**arguments):
        return cost(MSCMNet(3, **SMALL, **arguments)).embed_flops

    assert flops(multi_scale="none") < flops(multi_scale="self-attention") < flops()
