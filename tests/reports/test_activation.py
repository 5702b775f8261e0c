import pytest
import torch
from torch import nn

from mscm_lib.reports.activation import grad_cam


def test_a_map_is_the_channels_weighted_by_the_mean_gradient_of_the_score():
    torch.manual_seed(0)
    first, second = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 5, 1)
    x, reference = torch.randn(2, 3, 6, 5), torch.randn(2, 5)
    with torch.no_grad():
        maps = grad_cam(
            {"first": first, "second": second},
            lambda: (second(first(x).tanh()).mean(dim=(2, 3)) * reference).sum(dim=1),
        )
        a = first(x)  # (2, 4, 4, 3)
        b = second(a.tanh())
        by_hand = (1 - a.tanh() ** 2) * torch.einsum(
            "nk,kc->nc", reference, second.weight[..., 0, 0]
        )[..., None, None]  # of the score for each position, times their number
        weights = {"first": by_hand.mean(dim=(2, 3)) / 12, "second": reference / 12}
    for name, output in {"first": a, "second": b}.items():
        expected = torch.einsum("nc,nchw->nhw", weights[name], output).clamp(min=0)
        assert (expected > 0).any() and (expected == 0).any()
        torch.testing.assert_close(maps[name], expected)


def test_no_hook_stays_when_the_network_fails():
    layer = nn.Conv2d(3, 4, 1)
    with pytest.raises(RuntimeError):
        grad_cam({"layer": layer}, lambda: layer(torch.zeros(1, 2, 4, 4)))
    assert not layer._forward_hooks
