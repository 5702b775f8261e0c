"""Every variant of variants.yaml trains, saves, loads, embeds and exports, in two formats."""

import json
import typing

import pytest
import torch

from mscm_lib.config import ALB_SOURCES, METRIC_LOSSES, MultiScale, Pairing, RunConfig, Streams
from mscm_lib.losses import build_metric_loss
from mscm_lib.models import MSCMNet, load_network, save_network
from mscm_lib.models.backbones import RESNETS
from mscm_lib.models.export import InferenceNetwork, export_onnx, export_program
from mscm_lib.models.network import ARCHITECTURE
from mscm_lib.models.streams import arranged
from mscm_lib.paths import resolve
from mscm_lib.study.settings import load_variants

SMALL = {"backbone": "resnet18", "weights": "none", "height": 64, "width": 32}
CONFIGS = {
    name: RunConfig.from_mapping(SMALL, changes, {"variant": name})
    for name, changes in load_variants().items()
}
LOSS = ("views", "metric_loss", "metric_weight", "margin", "alpha", "pairing")


def distinct(keys):
    """The first variant with each combination of values."""
    combinations = {name: [c.as_dict()[key] for key in keys] for name, c in CONFIGS.items()}
    return list({json.dumps(c): name for name, c in reversed(combinations.items())}.values())[::-1]


TRAININGS = distinct((*ARCHITECTURE, *LOSS))
NETWORKS = distinct(ARCHITECTURE)
KINDS = {CONFIGS[name].multi_scale: name for name in reversed(NETWORKS)}
FORMATS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def build(name):
    return MSCMNet.from_config(CONFIGS[name], 4)


def pictures(count, dtype=torch.float32, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(2, 3, 64, 32, generator=generator).to(dtype) for _ in range(count)]


def two_steps(net, name):
    """Two steps of SGD; the losses before each, and the parameters that got no gradient."""
    config = CONFIGS[name]
    images = pictures(config.views, next(net.parameters()).dtype)
    metric = build_metric_loss(config, net.identities, net.channels) or torch.nn.Identity()
    named = [*net.named_parameters(), *metric.named_parameters()]
    trained = {key: p for key, p in named if p.requires_grad}
    optimizer = torch.optim.SGD(trained.values(), lr=0.001)
    labels = torch.tensor([0, 1] * config.views)
    losses = []
    for _ in range(2):
        output = net(*arranged(images))
        loss = torch.nn.functional.cross_entropy(output.logits.float(), labels)
        if config.metric_loss != "none":
            loss = loss + metric(output.pooled, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return torch.stack(losses), [key for key, p in trained.items() if p.grad is None]


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("name", TRAININGS)
def test_trains(name, dtype):
    losses, unused = two_steps(build(name).to(FORMATS[dtype]), name)
    assert torch.isfinite(losses).all()
    assert unused == []


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("name", NETWORKS)
def test_trained_network_saves_loads_embeds_and_exports(name, dtype, tmp_path):
    net = build(name).to(FORMATS[dtype])
    two_steps(net, name)
    (images,) = pictures(1, FORMATS[dtype], seed=2)
    expected = net.eval().embed(images, "visible")
    assert expected.neck.dtype == torch.float32
    torch.testing.assert_close(expected.neck.norm(dim=1), torch.ones(2))
    save_network(tmp_path / "model.safetensors", net, {"variant": name})
    loaded, metadata = load_network(tmp_path / "model.safetensors", {"variant": name})
    assert metadata["variant"] == name
    torch.testing.assert_close(loaded.embed(images, "visible"), expected, rtol=0, atol=0)
    if dtype == "float32" or not name.startswith("alb-"):  # those are MIMB's parts: once will do
        export_program(InferenceNetwork(net, "infrared"))  # checked at batches of 1 and 3


@pytest.mark.parametrize("kind", KINDS)
def test_every_multi_scale_strategy_exports_to_onnx(kind, tmp_path):
    net = MSCMNet.from_config(CONFIGS[KINDS[kind]].replace(non_local=kind == "mimb"), 4)
    if kind == "pyramid":
        net = net.bfloat16()  # written with the same values in float32
    export_onnx(tmp_path / "net.onnx", InferenceNetwork(net, "visible"))  # checks itself


@pytest.mark.parametrize(
    "name", ["mscmnet", "baseline", "cross-attention", "convnext", "center", "caj", "hat"]
)
def test_trains_under_autocast_channels_last(name):
    net = build(name).to(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        losses, unused = two_steps(net, name)
    assert losses[1] < losses[0]
    assert unused == []


def test_every_choice_of_the_method_has_a_variant():
    covered = {key: {getattr(c, key) for c in CONFIGS.values()} for key in RunConfig().as_dict()}
    assert covered["streams"] == set(typing.get_args(Streams))
    assert covered["multi_scale"] == set(typing.get_args(MultiScale))
    assert covered["metric_loss"] == {*METRIC_LOSSES, "none"}
    assert covered["pairing"] == set(typing.get_args(Pairing))
    assert covered["backbone"] == {*RESNETS, "timm:convnext_atto"}
    assert covered["alpha"] == {0, 0.01, 0.05, 0.1, 0.3, 0.5, 1}
    assert {len(sources) for sources in covered["alb_sources"]} == {1, 2, 3, 4}
    assert {(source,) for source in ALB_SOURCES} <= covered["alb_sources"]
    assert CONFIGS["mscmnet"] == RunConfig.from_mapping(SMALL)


def test_every_weight_matrix_moves():
    """Two steps reach every one, those behind the zero-started norms too.

    Biases before a normalisation receive a gradient of zero by their nature, and are left out.
    """
    net = build("mscmnet")
    before = {name: p.detach().clone() for name, p in net.named_parameters() if p.ndim > 1}
    two_steps(net, "mscmnet")
    still = [n for n, p in net.named_parameters() if n in before and torch.equal(p, before[n])]
    assert still == []


def test_networks_differ_in_what_they_compute():
    (images,) = pictures(1, seed=2)
    names = [name for name in NETWORKS if CONFIGS[name].streams == "quadruple-unshared"]
    names = [n for n in names if CONFIGS[n].backbone == "resnet18" and CONFIGS[n].non_local]
    features = [build(name).eval().embed(images, "visible").neck for name in names]
    assert len(names) >= 15
    for index, one in enumerate(features):
        for other, name in zip(features[index + 1 :], names[index + 1 :], strict=True):
            assert not torch.allclose(one, other, atol=1e-3), (names[index], name)


@pytest.mark.parametrize("name", TRAININGS)
def test_the_training_notebook_shows_the_shapes_of_its_rows(name):
    cells = json.loads(resolve("notebooks/10_train.ipynb").read_text())["cells"]
    (cell,) = (c for c in cells if "torch.zeros(2, 3, config.height" in "".join(c["source"]))
    *lines, shown = "".join(cell["source"]).strip().splitlines()
    scope = {"config": CONFIGS[name], "net": build(name)}
    exec("\n".join(lines), scope)
    shapes = eval(shown, scope)
    assert {shape[0] for shape in shapes.values()} == {2 * CONFIGS[name].views}
