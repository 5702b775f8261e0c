"""The whole network: streams, order of rows, sizes, parameters, errors."""

import pytest
import torch

from mscm_lib.config import RunConfig
from mscm_lib.errors import ConfigError
from mscm_lib.models import MSCMNet
from mscm_lib.models.non_local import NonLocal
from mscm_lib.models.streams import arranged

SMALL = {"backbone": "resnet18", "height": 64, "width": 32}


def views(count=2, height=64, width=32):
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(count, 3, height, width, generator=generator) for _ in range(4)]


def scatter_stems(net):
    """Pull the four stems apart, as training would."""
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for stem in net.streams.stems.values():
            noise = torch.randn(stem.conv1.weight.shape, generator=generator)
            stem.conv1.weight.add_(0.1 * noise)
    return net


def test_rows_come_in_stream_order():
    net = scatter_stems(MSCMNet(5, **SMALL)).eval()
    images = views()
    output = net(*images)
    assert [tuple(part.shape) for part in output] == [(8, 512), (8, 512), (8, 5)]
    for row, view in enumerate(("v_g", "v_c", "i_g", "i_c")):
        maps = net.trunk.shallow(net.streams.stems[view](images[row]))
        alone = net.head(net.trunk.deep(net.multi_scale(maps)))
        torch.testing.assert_close(output.pooled[2 * row : 2 * row + 2], alone.pooled)
        torch.testing.assert_close(output.logits[2 * row : 2 * row + 2], alone.logits)


@pytest.mark.parametrize("modality", ["visible", "infrared"])
def test_embedding_averages_both_stems_and_is_normalised(modality):
    net = scatter_stems(MSCMNet(5, **SMALL)).eval()
    images = views()[0]
    stems = [net.streams.stems[f"{modality[0]}_{kind}"](images) for kind in "gc"]
    maps = net.trunk.shallow((stems[0] + stems[1]) / 2)
    expected = net.head(net.trunk.deep(net.multi_scale(maps)))
    found = net.embed(images, modality)
    torch.testing.assert_close(found.neck, expected.neck / expected.neck.norm(dim=1, keepdim=True))
    torch.testing.assert_close(found.pooled.norm(dim=1), torch.ones(2))


@pytest.mark.parametrize(
    ("streams", "stems"), [("quadruple-unshared", 4), ("quadruple-shared", 1), ("dual", 2)]
)
def test_stream_layouts(streams, stems):
    net = MSCMNet(5, streams=streams, **SMALL)
    assert len(net.streams.stems) == stems
    first, *others = net.streams.stems.values()
    for other in others:  # the same start, on their own afterwards
        torch.testing.assert_close(first.conv1.weight, other.conv1.weight, rtol=0, atol=0)
        assert first.conv1.weight is not other.conv1.weight
    assert net(*views()).pooled.shape[0] == 8


def test_dual_stream_trains_on_two_views_or_four():
    net = MSCMNet(5, streams="dual", multi_scale="none", **SMALL).eval()
    v_g, v_c, i_g, i_c = views()
    four, two = net(v_g, v_c, i_g, i_c), net(v_g, i_g=i_g)
    rows = [0, 1, 4, 5]
    torch.testing.assert_close(two.pooled, four.pooled[rows])
    with pytest.raises(ConfigError, match="expected v_g, v_c, i_g, i_c"):
        MSCMNet(5, **SMALL)(v_g, i_g=i_g)
    with pytest.raises(ConfigError, match="got the views v_g"):
        net(v_g)


@pytest.mark.parametrize("streams", ["dual", "quadruple-shared"])
def test_streams_that_share_stems_train_without_the_infrared_channel_view(streams):
    net = MSCMNet(5, streams=streams, multi_scale="none", **SMALL).eval()
    v_g, v_c, i_g, i_c = views()
    three = net(*arranged([v_g, v_c, i_g]))
    torch.testing.assert_close(three.pooled, net(v_g, v_c, i_g, i_c).pooled[:6])
    with pytest.raises(ConfigError, match="got the views v_g, i_c: expected"):
        net(v_g, i_c=i_c)
    with pytest.raises(
        ConfigError, match="got the views v_g, v_c, i_g: expected v_g, v_c, i_g, i_c$"
    ):
        MSCMNet(5, **SMALL)(v_g, v_c, i_g)


def test_full_size_shapes_and_parameters():
    net = MSCMNet(395).eval()
    total = sum(p.numel() for p in net.parameters())
    assert total < 45e6
    assert total - net.head.classifier.weight.numel() == pytest.approx(42e6, rel=0.005)
    with torch.no_grad():
        stem = net.streams.merge(torch.randn(1, 3, 384, 192), "visible")
        maps = net.trunk.shallow(stem)
        deep = net.trunk.deep(net.multi_scale(maps))
    shapes = {name: tuple(m.shape[1:]) for name, m in maps.items()}
    assert shapes == {
        "stem": (64, 96, 48), "layer1": (256, 96, 48), "layer2": (512, 48, 24),
        "layer3": (1024, 24, 12),
    }  # fmt: skip
    assert tuple(deep.shape[1:]) == (2048, 24, 12)
    assert net.config.head_dim == 9
    assert net.multi_scale.blocks["stem"].attention.heads == 32


@pytest.mark.parametrize(
    ("backbone", "counts"), [("resnet18", (2, 2)), ("resnet34", (2, 3)), ("resnet50", (2, 3))]
)
def test_non_local_blocks_stand_last_in_their_layers(backbone, counts):
    with torch.device("meta"):
        net = MSCMNet(5, backbone, multi_scale="none", height=64, width=32)
    for layer, count in zip((net.trunk.layer2, net.trunk.layer3), counts, strict=True):
        kinds = [isinstance(m, NonLocal) for m in layer]
        assert sum(kinds) == count
        assert kinds[-2 * count :] == [False, True] * count
    for layer in (net.trunk.layer1, net.trunk.layer4):
        assert not any(isinstance(m, NonLocal) for m in layer.modules())


def test_two_learning_rates_cover_every_trained_parameter_once():
    net = MSCMNet(5, **SMALL)
    head, trunk = set(net.head_parameters()), set(net.trunk_parameters())
    assert not head & trunk
    assert head | trunk == {p for p in net.parameters() if p.requires_grad}
    assert head == {net.head.neck.weight, net.head.classifier.weight}


def test_seed_decides_and_the_global_state_is_left_alone():
    before = torch.random.get_rng_state()
    one, same, other = (MSCMNet(5, seed=seed, **SMALL) for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before)
    for name, value in one.state_dict().items():
        assert torch.equal(value, same.state_dict()[name])
    assert not torch.equal(
        one.trunk.layer1.block0.conv1.weight, other.trunk.layer1.block0.conv1.weight
    )


def test_configuration_and_arguments_agree():
    config = RunConfig(
        backbone="resnet18", weights="none", height=64, width=32, streams="dual",
        alb_sources=("layer2", "stem"), head_dim=4, seed=3, non_local=False,
    )  # fmt: skip
    net = MSCMNet.from_config(config, 5)
    assert list(net.multi_scale.blocks) == ["layer2", "stem"]
    again = MSCMNet(5, seed=3, **net.architecture())
    for name, value in net.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"backbone": "resnet81"}, "did you mean 'resnet18'"),
        ({"backbone": "timm:convnext_ato"}, "convnext_atto"),
        ({"streams": "triple"}, "streams = 'triple': expected one of"),
        ({"multi_scale": "mib"}, "'mimb'"),
        ({"alb_sources": ("layer4",)}, "ALB source 'layer4'"),
        ({"alb_sources": ("stem", "stem")}, "no repeats"),
        ({"height": 70}, "multiple of 16"),
        ({"head_dim": 5}, r"one of \[1, 2, 4, 8\]"),
        ({"identities": 0}, "identities = 0"),
    ],
)
def test_impossible_networks_are_named(arguments, message):
    with pytest.raises(ConfigError, match=message):
        MSCMNet(**{"identities": 5, **SMALL, **arguments})


def test_wrong_images_are_named():
    net = MSCMNet(5, multi_scale="none", **SMALL)
    with pytest.raises(ConfigError, match=r"this network takes \(B, 3, 64, 32\)"):
        net(*views(height=64, width=48))
    with pytest.raises(ConfigError, match="modality = 'thermal'"):
        net.embed(views()[0], "thermal")
    with pytest.raises(ConfigError, match="this network takes"):
        net.embed(views()[0][0], "visible")


@pytest.mark.parametrize(("height", "width"), [(16, 16), (48, 80)])
def test_any_multiple_of_16(height, width):
    net = MSCMNet(5, "resnet18", height=height, width=width)
    assert net(*views(1, height, width)).neck.shape == (4, 512)
