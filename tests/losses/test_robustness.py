"""What every metric loss must survive: coincident features, few identities, few bits."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode

from mscm_lib.config import RunConfig
from mscm_lib.errors import ProtocolError
from mscm_lib.losses import QuadrupleCenterTripletLoss, build_metric_loss

DIM = 6
NAMES = [
    "qct", "triplet", "weighted-triplet", "squared-triplet", "center", "center-triplet",
    "hetero-center", "hetero-center-triplet",
]  # fmt: skip
each_loss = pytest.mark.parametrize("name", NAMES)


def build(name):
    return build_metric_loss(RunConfig(metric_loss=name, margin=3.0, alpha=0.3), 8, DIM)


def run(loss, features, labels):
    features = features.clone().requires_grad_()
    value = loss(features, labels)
    value.backward()
    assert value.shape == ()
    assert torch.isfinite(value)
    assert torch.isfinite(features.grad).all()
    return value.detach(), features.grad


@each_loss
@pytest.mark.parametrize("scale", [0.0, 1.0, 1e4])
@pytest.mark.parametrize("identities", [1, 3])
def test_coincident_features_give_finite_values_and_gradients(name, scale, identities):
    labels = torch.arange(identities).repeat_interleave(2).repeat(4)
    run(build(name), torch.full((len(labels), DIM), scale), labels)


@each_loss
def test_two_equal_features_among_others(name):
    labels = torch.arange(3).repeat_interleave(2).repeat(4)
    features = torch.randn(len(labels), DIM, generator=torch.Generator().manual_seed(0))
    features[1] = features[0]
    features[2] = features[0]
    run(build(name), features, labels)


@each_loss
def test_no_rows_give_zero(name):
    value, _ = run(build(name), torch.zeros(0, DIM), torch.zeros(0, dtype=torch.long))
    assert value == 0


@each_loss
def test_one_identity_has_nothing_to_be_separated_from(name):
    labels = torch.zeros(8, dtype=torch.long)
    features = torch.randn(8, DIM, generator=torch.Generator().manual_seed(0))
    value, _ = run(build(name), features, labels)
    if name == "qct":
        assert QuadrupleCenterTripletLoss(3.0).terms(features, labels).separation == 0
    elif "triplet" in name:
        assert value == 0


@each_loss
def test_a_modality_without_some_identities(name):
    labels = torch.tensor([0, 0, 1, 1] * 2 + [1, 1, 2, 3] * 2)
    features = torch.randn(16, DIM, generator=torch.Generator().manual_seed(0))
    value, gradient = run(build(name), features, labels)
    assert value > 0
    assert gradient.abs().sum() > 0
    run(build(name), torch.zeros(16, DIM), labels)


@each_loss
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_does_not_reach_inside(name, dtype):
    labels = torch.arange(3).repeat_interleave(2).repeat(4)
    generator = torch.Generator().manual_seed(0)
    half = torch.randn(len(labels), DIM, generator=generator).to(dtype)
    loss = build(name)
    expected, slope = run(loss, half.float(), labels)
    with torch.autocast("cpu", torch.bfloat16):
        value, gradient = run(loss, half, labels)
    assert value.dtype == torch.float32  # computed in float32 from the very same numbers
    assert gradient.dtype == dtype
    assert value == expected
    torch.testing.assert_close(gradient, slope.to(dtype))


@each_loss
def test_a_low_matrix_product_precision_does_not_reach_inside(name):
    labels = torch.arange(3).repeat_interleave(2).repeat(4)
    features = torch.randn(len(labels), DIM, generator=torch.Generator().manual_seed(0))
    expected, slope = run(build(name), features, labels)
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        value, gradient = run(build(name), features, labels)
    finally:
        torch.set_float32_matmul_precision(before)
    assert value == expected
    assert torch.equal(gradient, slope)


@each_loss
@pytest.mark.filterwarnings("ignore:User provided device_type of 'cuda'")
def test_nothing_waits_for_a_gpu(name):
    """A GPU without values: reading one back to the host would raise."""
    with FakeTensorMode(), torch.device("cuda"):
        loss = build(name)
        features = torch.randn(24, DIM, requires_grad=True)
        value = loss(features, torch.zeros(24, dtype=torch.long))
        assert value.device.type == "cuda"
        with pytest.raises(DataDependentOutputException):
            float(value)


@each_loss
@pytest.mark.parametrize(("rows", "labels"), [(8, 7), (8, 6), (8, 3)])
def test_labels_that_do_not_fit_are_refused(name, rows, labels):
    with pytest.raises(ProtocolError, match="expected"):
        build(name)(torch.randn(rows, DIM), torch.zeros(labels, dtype=torch.long))


@pytest.mark.parametrize("name", ["qct", "hetero-center", "hetero-center-triplet"])
def test_rows_without_two_halves_are_refused_where_halves_count(name):
    with pytest.raises(ProtocolError, match="expected"):
        build(name)(torch.randn(9, DIM), torch.zeros(9, dtype=torch.long))


@settings(max_examples=15, deadline=None)
@given(
    st.sampled_from(NAMES),
    st.lists(st.integers(0, 3), min_size=1, max_size=5),
    st.integers(0, 5),
    st.sampled_from([1e-6, 1.0, 1e3]),
)
def test_any_batch_is_finite_and_keeps_its_value_when_features_are_moved_together(
    name, labels, seed, scale
):
    labels = torch.tensor(labels).repeat(4)
    generator = torch.Generator().manual_seed(seed)
    features = scale * torch.randn(len(labels), DIM, generator=generator).double()
    value, gradient = run(build(name), features, labels)
    assert value >= 0
    if name != "center":  # its centers stay where they are
        moved, _ = run(build(name), features + 2.5, labels)
        assert float(moved) == pytest.approx(float(value), rel=1e-6, abs=1e-6)
        assert gradient.sum(0).abs().max() < 1e-6 * max(1.0, float(gradient.abs().max()))
