import math

import pytest
import torch

from mscm_lib.config import RunConfig
from mscm_lib.errors import ProtocolError
from mscm_lib.losses import (
    BatchHardTripletLoss,
    CenterLoss,
    CenterTripletLoss,
    HeteroCenterLoss,
    HeteroCenterTripletLoss,
    SquaredWeightedTripletLoss,
    TriDirectionalRankingLoss,
    WeightedRegularizedTripletLoss,
    build_metric_loss,
)
from tests.losses import reference

DIM = 8
LOSSES = {
    "triplet": (BatchHardTripletLoss(), reference.batch_hard),
    "triplet, wide": (BatchHardTripletLoss(20.0), lambda f, y: reference.batch_hard(f, y, 20.0)),
    "weighted": (WeightedRegularizedTripletLoss(), reference.weighted_triplet),
    "squared": (SquaredWeightedTripletLoss(), reference.squared_triplet),
    "center triplet": (CenterTripletLoss(), reference.center_triplet),
    "center triplet, wide": (
        CenterTripletLoss(20.0), lambda f, y: reference.center_triplet(f, y, 20.0),
    ),
    "hetero-center": (HeteroCenterLoss(), reference.hetero_center),
    "hetero-center triplet": (HeteroCenterTripletLoss(), reference.hetero_center_triplet),
    "hetero-center triplet, wide": (
        HeteroCenterTripletLoss(20.0), lambda f, y: reference.hetero_center_triplet(f, y, 20.0),
    ),
}  # fmt: skip

LABELS = {
    "four streams": [0, 0, 1, 1, 2, 2] * 4,
    "two streams": [0, 0, 0, 1, 1, 1, 2, 2, 2] * 2,
    "uneven, in two groups": [2, 0, 1, 0, 0, 2] * 4,
    "identities of one modality": [0, 0, 1, 1, 3, 3, 2, 2, 0, 1],
    "one image of an identity": [0, 0, 1, 2, 2, 0, 0, 2, 2, 2],
    "no identity of both modalities": [0, 0, 1, 1, 2, 2, 3, 3],
    "one identity": [0] * 8,
}


def features_of(labels, seed=0, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.tensor(labels)
    places = torch.randn(int(labels.max()) + 1, DIM, generator=generator)
    noise = torch.randn(len(labels), DIM, generator=generator)
    return scale * (places[labels] + 0.8 * noise), labels


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("kind", LABELS)
def test_value_and_gradient_follow_the_formula(name, kind):
    follow(*LOSSES[name], LABELS[kind])


@pytest.mark.parametrize("invariance", [0.0, 1.0, 3.0])
@pytest.mark.parametrize(
    "labels",
    [
        [0, 0, 1, 1, 2, 2] * 3, [0, 1, 1] * 3, [0, 0, 1] * 2 + [1, 2, 2], [0, 0] * 3,
        [0, 0] * 2 + [1, 1],
    ],
)  # fmt: skip
def test_value_and_gradient_of_three_modalities_follow_the_formula(invariance, labels):
    loss = TriDirectionalRankingLoss(invariance)
    follow(loss, lambda f, y: reference.tri_directional(f, y, invariance), labels)


@pytest.mark.parametrize("name", ["triplet", "weighted", "squared", "center triplet"])
def test_losses_without_halves_take_three_streams_of_an_odd_number_of_rows(name):
    follow(*LOSSES[name], [0, 0, 1, 1, 2] * 3)


def follow(loss, plain, labels):
    """Value and gradient of ``loss`` are those of the formula, near, together and far apart."""
    for seed, scale in ((0, 1.0), (1, 0.05), (2, 5.0)):
        features, labels = features_of(list(labels), seed, scale)
        fast, slow = features.requires_grad_(), features.detach().double().requires_grad_()
        value, expected = loss(fast, labels), plain(slow, labels)
        options = {"atol": 1e-5, "rtol": 1e-5, "check_dtype": False}
        torch.testing.assert_close(value, expected, **options)
        gradient = torch.autograd.grad(value, fast)[0]
        slope = torch.zeros_like(slow)
        if expected.requires_grad:
            slope = torch.autograd.grad(expected, slow)[0]
        options["atol"] *= max(1.0, float(slope.abs().max()))  # squares have large gradients
        torch.testing.assert_close(gradient, slope, **options)


def test_a_row_counts_among_its_own_positives_in_the_weighted_triplet():
    features = torch.tensor([[0.0], [1.0], [4.0], [4.0]])
    share = math.e / (1 + math.e)  # of the positive at distance 1, beside the row itself at 0
    far = [4.0, 3.0, *2 * [(4 + 3 * math.e) / (1 + math.e)]]
    rows = [math.log1p(math.exp(n - f)) for n, f in zip([share, share, 0, 0], far, strict=True)]
    value = WeightedRegularizedTripletLoss()(features, torch.tensor([0, 0, 1, 1]))
    assert float(value) == pytest.approx(sum(rows) / 4, rel=2e-4)  # 1e-6 beside exp(-4)


def test_negatives_that_are_all_far_lose_their_weight_in_the_weighted_triplet():
    loss, labels = WeightedRegularizedTripletLoss(), torch.tensor([0, 0, 1, 1])
    places = torch.tensor([[0.0], [1.0], [0.0], [1.0]])
    apart = torch.tensor([[0.0], [0.0], [1.0], [1.0]])
    near, farther, far = (float(loss(places + by * apart, labels)) for by in (2, 12, 40))
    assert farther < 1e-4 < near < far


def test_the_squared_triplet_ends_its_gradient_at_a_square_of_88():
    loss, labels = SquaredWeightedTripletLoss(), torch.tensor([0, 0, 1, 1])
    for far_apart, moves in ((9.0, True), (10.0, False)):
        # each row's positive is far away and its negative at the same place
        features = torch.tensor([[0.0], [far_apart], [0.0], [far_apart]]).requires_grad_()
        (gradient,) = torch.autograd.grad(loss(features, labels), features)
        assert bool(gradient.any()) == moves


def test_an_image_and_its_gray_twin_are_held_together():
    loss, labels = TriDirectionalRankingLoss(), torch.tensor([0, 1])
    features = torch.randn(6, DIM, generator=torch.Generator().manual_seed(0)).requires_grad_()
    without = TriDirectionalRankingLoss(invariance=0)
    apart = (features[:2] - features[2:4]).detach()
    (gradient,) = torch.autograd.grad(loss(features, labels) - without(features, labels), features)
    torch.testing.assert_close(gradient[:2], apart.clamp(-1, 1) / apart.numel())
    torch.testing.assert_close(gradient[2:4], -gradient[:2])
    assert not gradient[4:].any()


def test_center_loss_and_its_centers_follow_the_formula():
    features, labels = features_of(LABELS["four streams"])
    loss = CenterLoss(identities=5, dim=DIM)
    assert not loss.centers.detach().any()
    with torch.no_grad():
        loss.centers.copy_(torch.randn(5, DIM, generator=torch.Generator().manual_seed(1)))
    centers = loss.centers.detach().double().requires_grad_()
    fast, slow = features.requires_grad_(), features.detach().double().requires_grad_()
    value, expected = loss(fast, labels), reference.center_loss(slow, labels, centers)
    value.backward()
    expected.backward()
    options = {"atol": 1e-5, "rtol": 1e-5, "check_dtype": False}
    torch.testing.assert_close(value, expected, **options)
    torch.testing.assert_close(fast.grad, slow.grad, **options)
    torch.testing.assert_close(loss.centers.grad, centers.grad, **options)


def test_center_loss_refuses_what_its_centers_cannot_judge():
    loss = CenterLoss(identities=2, dim=DIM)
    with pytest.raises(ProtocolError, match="as wide as"):
        loss(torch.randn(4, DIM + 1), torch.zeros(4, dtype=torch.long))
    with pytest.raises(ProtocolError, match="outside 0 to 1"):
        loss(torch.randn(4, DIM), torch.tensor([0, 1, 2, 0]))


@pytest.mark.parametrize("name", LOSSES)
def test_order_within_a_modality_does_not_matter(name):
    loss, _ = LOSSES[name]
    features, labels = features_of(LABELS["identities of one modality"])
    half = len(labels) // 2
    generator = torch.Generator().manual_seed(3)
    order = torch.cat([torch.randperm(half, generator=generator) + first for first in (0, half)])
    value = float(loss(features, labels))
    assert float(loss(features[order], labels[order])) == pytest.approx(value, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("triplet", BatchHardTripletLoss), ("weighted-triplet", WeightedRegularizedTripletLoss),
        ("squared-triplet", SquaredWeightedTripletLoss),
        ("center", CenterLoss), ("center-triplet", CenterTripletLoss),
        ("hetero-center", HeteroCenterLoss), ("hetero-center-triplet", HeteroCenterTripletLoss),
        ("none", type(None)),
    ],
)  # fmt: skip
def test_every_name_of_the_configuration_builds_its_loss(name, kind):
    loss = build_metric_loss(RunConfig(metric_loss=name), identities=5, dim=DIM)
    assert type(loss) is kind
    if name == "center":
        assert loss.centers.shape == (5, DIM)
