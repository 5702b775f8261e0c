"""What is read off a finished network is what was put into it."""

import numpy as np
import pandas as pd
import pytest
import torch

from mscm_lib.data.tables import ImageTable
from mscm_lib.evaluation import Embeddings
from mscm_lib.evaluation.inspection import (
    BlockTokens,
    alb_signs,
    block_tokens,
    center_distances,
    inspect_network,
)
from mscm_lib.hardware import choose_hardware
from mscm_lib.models import MSCMNet
from mscm_lib.models.alb import ALB


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def block():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return ALB(channels=32, positions=8, head_dim=4, source_channels=6, ratio=2).eval()


@pytest.mark.parametrize(
    ("made", "source", "deep"),
    [("guide", 1.0, 0.0), ("deep", 0.0, 1.0), ("sum", 0.5, 0.5), ("product", 0.0, 0.0)],
)
def test_a_block_is_explained_by_what_it_is_made_of(block, made, source, deep):
    x, guide = drawn(60, 8, 8), drawn(60, 8, 8, seed=1)
    output = {"guide": 3 * guide, "deep": x.flip(2), "sum": x + guide, "product": x * guide}[made]
    signs = dict(alb_signs(block, "layer2", BlockTokens(x, guide, output)))
    assert signs["explained by the source"] == pytest.approx(source, abs=0.06)
    assert signs["explained by the deep map"] == pytest.approx(deep, abs=0.06)
    both = 0.0 if made == "product" else 1.0
    assert signs["explained by both"] == pytest.approx(both, abs=0.06)


def test_an_even_gaze_reaches_all_and_a_fixed_one_a_single_channel(block):
    tokens = drawn(4, 8, 8)
    with torch.no_grad():
        block.attention.in_proj_weight.zero_()
        block.attention.in_proj_bias.zero_()
        assert dict(alb_signs(block, "layer2", BlockTokens(tokens, tokens, tokens)))[
            "reach"
        ] == pytest.approx(1)
        block.attention.in_proj_weight[:16].copy_(torch.eye(8).repeat(2, 1) * 100)
        reach = dict(alb_signs(block, "layer2", BlockTokens(tokens, tokens, tokens)))["reach"]
    assert 1 / 8 <= reach < 0.2


def test_tokens_are_those_of_the_network_s_own_pass(network):
    with torch.no_grad():
        maps = network.trunk.shallow(network.streams.merge(drawn(2, 3, 32, 16), "visible"))
        tokens = block_tokens(network.multi_scale, maps)
        last = network.multi_scale.blocks["layer3"]
        again = last.broad(tokens["layer3"].made.unflatten(2, maps["layer3"].shape[2:]))
        torch.testing.assert_close(again, network.multi_scale(maps))
    assert list(tokens) == ["stem", "layer1", "layer2", "layer3"]
    assert not last.broad._forward_pre_hooks


def test_a_network_tells_what_it_has_and_nothing_else(packed, network, config):
    config = config.replace(identities_per_batch=4, images_per_identity=2)
    hardware = choose_hardware(config)
    found = inspect_network(network, packed, config, hardware).set_index(["measure", "part"])
    assert set(found.loc["QCT"].index) == {"dual", "quadruple", "separation", "active"}
    assert set(found.loc["reach"].index) == {"stem", "layer1", "layer2", "layer3"}
    assert set(found.loc["explained by the source"].index) == {"stem", "layer1", "layer2"}
    assert np.isfinite(found["value"]).all()
    again = inspect_network(network, packed, config, hardware).set_index(["measure", "part"])
    pd.testing.assert_frame_equal(found, again)
    plain = MSCMNet(4, "resnet18", height=32, width=16, streams="dual", multi_scale="none").eval()
    two_views = config.replace(streams="dual", views=2, multi_scale="none", metric_loss="none")
    assert inspect_network(plain, packed, two_views, hardware).empty


def test_centers_of_modalities_and_of_people_are_told_apart():
    rows = [(f"{i}.png", i // 4, 1 + i % 2, bool(i % 2)) for i in range(80)]
    table = ImageTable.from_rows(rows)
    people = drawn(20, 16)[torch.from_numpy(table.ids)]
    shift = torch.zeros(80, 16)
    shift[torch.from_numpy(table.infrared), 0] = 7.0
    for features, gap in ((people, 0.0), (people + shift, 7.0)):
        embeddings = Embeddings(table, {"neck": features})
        found = center_distances(embeddings).set_index("part")["value"]
        assert found["modalities"] == pytest.approx(gap, abs=1e-5)
        apart = torch.pdist(drawn(20, 16)).mean()
        assert found["people"] == pytest.approx(float(apart), rel=1e-5)
