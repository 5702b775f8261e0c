import pytest
import torch

from mscm_lib.training.diagnostics import (
    active_separation,
    alignments,
    gradient_norms,
    similarity,
)


def test_active_separation_counts_hinges_one_by_one():
    generator = torch.Generator().manual_seed(0)
    streams, people, images, margin = 4, 3, 2, 2.5
    features = torch.randn(streams * people * images, 5, generator=generator)
    labels = torch.arange(people).repeat_interleave(images).repeat(streams)
    active = total = 0
    for feature, label in zip(features, labels, strict=True):
        for other in range(people):
            if other != label:
                center = features[labels == other].mean(0)
                active += bool((feature - center).norm() < margin)
                total += 1
    share = active_separation(features, streams, images, margin)
    assert 0 < active < total
    assert float(share) == pytest.approx(active / total)


def _cka(x, y):
    """Biased linear CKA of Kornblith et al. (2019), from centered features."""
    x, y = x - x.mean(0), y - y.mean(0)
    cross = (y.T @ x).norm() ** 2
    return float(cross / ((x.T @ x).norm() * (y.T @ y).norm()))


def test_similarity_agrees_with_linear_cka_on_many_rows():
    generator = torch.Generator().manual_seed(1)
    rows = 400
    base = torch.randn(rows, 6, generator=generator)
    streams = [base, base @ torch.randn(6, 6, generator=generator),
               base + torch.randn(rows, 6, generator=generator),
               torch.randn(rows, 6, generator=generator)]  # fmt: skip
    found = alignments(torch.cat(streams), 4)
    v_g, v_c, i_g, i_c = streams
    for pair, x, y in (("visible", v_g, v_c), ("modalities", v_g, i_g), ("infrared", i_g, i_c)):
        assert similarity(found[pair].tolist()) == pytest.approx(_cka(x, y), abs=0.02)


def test_small_batches_together_are_not_biased():
    generator = torch.Generator().manual_seed(2)
    sums = torch.zeros(3)
    for _ in range(200):
        sums += alignments(torch.randn(16, 32, generator=generator), 2)["modalities"]
    assert abs(similarity(sums.tolist())) < 0.05  # independent features; biased CKA is above 0.7


@pytest.mark.parametrize("mean", [0.0, 10.0, 1000.0])
def test_a_mean_that_all_features_share_changes_nothing(mean):
    x = torch.randn(2 * 16, 64, generator=torch.Generator().manual_seed(4))
    x[16:] = 0.7 * x[:16] + 0.3 * x[16:]
    alone = similarity(alignments(x, 2)["modalities"].tolist())
    assert similarity(alignments(x + mean, 2)["modalities"].tolist()) == pytest.approx(
        alone, abs=1e-3
    )


def test_the_same_features_are_alike():
    x = torch.randn(8, 5, generator=torch.Generator().manual_seed(3))
    assert similarity(alignments(torch.cat([x, 3 * x]), 2)["modalities"].tolist()) == pytest.approx(
        1
    )


def test_gradient_norms_by_part():
    network = torch.nn.ModuleDict({"a": torch.nn.Linear(2, 2), "b": torch.nn.ReLU()})
    network["a"](torch.ones(1, 2)).sum().backward()
    norms = gradient_norms(network)
    assert norms.keys() == {"gradient_a"}
    assert float(norms["gradient_a"]) == pytest.approx(6**0.5)
