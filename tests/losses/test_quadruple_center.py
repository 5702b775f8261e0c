import pytest
import torch

from mscm_lib.config import RunConfig
from mscm_lib.errors import ConfigError, ProtocolError
from mscm_lib.losses import QuadrupleCenterTripletLoss, build_metric_loss
from tests.losses import reference

PAIRINGS = ["cross", "parallel", "own"]


def batch(labels, dim=8, seed=0, spread=1.0):
    """Features around an identity's place, (4B, dim) float32, and their labels."""
    labels = torch.tensor(labels).repeat(4)
    generator = torch.Generator().manual_seed(seed)
    places = torch.randn(int(labels.max()) + 1, dim, generator=generator)
    return places[labels] + spread * torch.randn(len(labels), dim, generator=generator), labels


def value_and_gradient(loss, features, labels):
    features = features.clone().requires_grad_()
    value = loss(features, labels)
    value.backward()
    return value.detach(), features.grad


def compare(loss, plain, features, labels, tolerance=1e-5):
    value, gradient = value_and_gradient(loss, features, labels)
    expected, slope = value_and_gradient(plain, features.double(), labels)
    assert value.dtype == gradient.dtype == features.dtype
    options = {"atol": tolerance, "rtol": tolerance, "check_dtype": False}
    torch.testing.assert_close(value, expected, **options)
    torch.testing.assert_close(gradient, slope, **options)


@pytest.mark.parametrize("pairing", PAIRINGS)
@pytest.mark.parametrize("margin", [0.7, 20.0])
@pytest.mark.parametrize("alpha", [0, 0.05, 0.3, 0.5, 1])
def test_value_and_gradient_follow_the_formula(alpha, margin, pairing):
    loss = QuadrupleCenterTripletLoss(margin, alpha, pairing)
    for seed, spread in ((0, 1.0), (1, 0.02)):  # apart: slack hinges; together: taut ones
        features, labels = batch([0, 0, 1, 1, 2, 2], seed=seed, spread=spread)
        features = features * (0.1 if spread < 1 else 1)
        compare(loss, lambda f, y: reference.qct(f, y, margin, alpha, pairing), features, labels)


def test_an_identity_counts_as_often_as_it_has_features():
    features, labels = batch([2, 0, 1, 0, 0, 2])  # uneven, and 0 and 2 in two groups
    loss = QuadrupleCenterTripletLoss(margin=4.0)
    compare(loss, lambda f, y: reference.qct(f, y, 4.0, 0.05, "cross"), features, labels)


@pytest.mark.parametrize("pairing", PAIRINGS)
def test_identities_of_one_modality_follow_the_formula(pairing):
    features, _ = batch([0, 0, 1, 1, 2])
    labels = torch.tensor([0, 0, 1, 1, 2] * 2 + [1, 3, 1, 2, 2] * 2)
    loss = QuadrupleCenterTripletLoss(4.0, 0.3, pairing)
    compare(loss, lambda f, y: reference.qct(f, y, 4.0, 0.3, pairing), features, labels)


def test_full_size_batch_keeps_five_digits():
    labels = torch.arange(3).repeat_interleave(2).tolist()
    features, labels = batch(labels, dim=2048, spread=0.3)
    loss = QuadrupleCenterTripletLoss(margin=70.0, alpha=0.3)
    compare(loss, lambda f, y: reference.qct(f, y, 70.0, 0.3, "cross"), features + 3, labels)


def test_float64_stays_float64_and_passes_a_numerical_gradient_check():
    features, labels = batch([0, 0, 1])
    loss = QuadrupleCenterTripletLoss(margin=3.0, alpha=0.3)
    assert torch.autograd.gradcheck(loss, (features.double().requires_grad_(), labels))


def test_streams_are_compared_with_the_streams_that_the_pairing_names():
    places = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 1.0], [10.0, 1.0]])  # one identity
    labels = torch.zeros(4, dtype=torch.long)
    found = {p: QuadrupleCenterTripletLoss(alpha=1, pairing=p)(places, labels) for p in PAIRINGS}
    assert found["parallel"] == pytest.approx(0.5)  # V_g–I_g and V_c–I_c are 1 apart
    assert found["cross"] == pytest.approx(0.5 * 101**0.5)
    assert found["own"] == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_alpha_at_its_ends_is_one_kind_of_center_alone(alpha):
    features, labels = batch([0, 0, 1, 1])
    loss = QuadrupleCenterTripletLoss(0.7, alpha)
    terms = loss.terms(features, labels)
    only = terms.quadruple if alpha else terms.dual
    assert loss(features, labels) == pytest.approx(float(0.5 * (only + terms.separation)))


def test_terms_are_the_parts_and_the_share_of_active_hinges():
    features, labels = batch([0, 0, 1, 1, 2, 2], spread=0.5)
    loss = QuadrupleCenterTripletLoss(margin=4.0, alpha=0.3)
    terms = loss.terms(features.clone().requires_grad_(), labels)
    whole = 0.5 * (0.7 * terms.dual + 0.3 * terms.quadruple + terms.separation)
    assert float(whole) == pytest.approx(float(loss(features, labels)))
    centers = torch.stack([features[labels == y].mean(0) for y in range(3)])
    near = (features[:, None] - centers).norm(dim=2) < 4.0
    others = labels[:, None] != torch.arange(3)
    assert float(terms.active) == pytest.approx(float(near[others].float().mean()))
    assert 0 < float(terms.active) < 1
    assert not any(term.requires_grad for term in terms)


def test_labels_of_one_stream_stand_for_all():
    features, labels = batch([0, 0, 1])
    loss = QuadrupleCenterTripletLoss()
    assert loss(features, labels[:3]) == loss(features, labels)


def test_order_of_pairs_does_not_matter_but_the_order_of_streams_does():
    features, labels = batch([0, 0, 1, 1, 2, 2])
    loss = QuadrupleCenterTripletLoss(margin=3.0, alpha=0.5)
    value = loss(features, labels)
    within = torch.randperm(6, generator=torch.Generator().manual_seed(1))
    order = torch.cat([within + 6 * stream for stream in range(4)])
    assert float(loss(features[order], labels[order])) == pytest.approx(float(value), abs=1e-6)
    swapped = features.view(4, 6, -1)[[0, 2, 1, 3]].flatten(0, 1)
    assert float(loss(swapped, labels)) != pytest.approx(float(value), abs=1e-3)


@pytest.mark.parametrize(
    ("labels", "rows"),
    [
        ([0, 0, 0, 0, 1, 1, 1, 1], 8),  # identity by identity instead of stream by stream
        ([0, 1, 1, 0, 0, 1, 0, 1], 8),  # one stream in another order
        ([0, 0, 1, 0, 0, 1, 0, 1, 0, 0, 1, 0], 12),  # the infrared streams in another order
        ([0, 1, 0, 1, 0, 1, 0, 2], 8),  # an image's two views of different people
        ([0, 1, 0, 1, 0, 1], 6),  # two and a half streams
        ([0, 1, 0, 1, 0], 8),  # a label too many for one stream
    ],
)
def test_rows_that_are_not_four_streams_are_refused(labels, rows):
    with pytest.raises(ProtocolError, match=r"stream|V_g"):
        QuadrupleCenterTripletLoss()(torch.randn(rows, 3), torch.tensor(labels))


@pytest.mark.parametrize(
    "wrong", [{"margin": -1}, {"margin": float("nan")}, {"alpha": 1.5}, {"pairing": "other"}]
)
def test_impossible_settings_are_refused_by_name(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        QuadrupleCenterTripletLoss(**wrong)


def test_configuration_reaches_the_loss():
    config = RunConfig(margin=0.4, alpha=0.3, pairing="own")
    loss = build_metric_loss(config, identities=5, dim=8)
    assert (loss.margin, loss.alpha, loss.pairing) == (0.4, 0.3, "own")
