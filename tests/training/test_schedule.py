import pytest

from mscm_lib.config import RunConfig
from mscm_lib.training.schedule import rate_factor


def test_recipe_warms_up_from_a_tenth_and_drops_at_its_milestones():
    config = RunConfig()
    factors = [rate_factor(config, epoch) for epoch in range(config.epochs)]
    assert factors[:10] == pytest.approx([0.1 * (i + 1) for i in range(10)])
    assert factors[10:25] == [1.0] * 15
    assert factors[25:90] == pytest.approx([0.1] * 65)
    assert factors[90:120] == pytest.approx([0.01] * 30)
    assert factors[120:] == pytest.approx([0.001] * 30)


@pytest.mark.parametrize(("warmup", "first"), [(0, [1.0, 1.0]), (1, [0.1, 1.0]), (2, [0.1, 1.0])])
def test_short_warm_ups(warmup, first):
    config = RunConfig(warmup_epochs=warmup, milestones=())
    assert [rate_factor(config, epoch) for epoch in range(2)] == pytest.approx(first)


def test_a_milestone_inside_the_warm_up_still_counts():
    config = RunConfig(warmup_epochs=3, milestones=(1,))
    assert [rate_factor(config, e) for e in range(4)] == pytest.approx([0.1, 0.055, 0.1, 0.1])
