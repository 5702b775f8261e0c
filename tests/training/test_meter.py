import torch

from mscm_lib.training.distributed import Group
from mscm_lib.training.meter import Meter


def test_sums_are_kept_apart():
    meter = Meter(["a", "b"], torch.device("cpu"), Group())
    for value in (1.5, 2.5):
        meter.add({"b": torch.tensor(value)})
    totals, bad = meter.totals()
    assert totals.tolist() == [0.0, 4.0] and bad is None


def test_the_first_bad_step_is_remembered():
    meter = Meter(["a"], torch.device("cpu"), Group())
    for step, loss in enumerate([1.0, float("inf"), 2.0, float("nan")]):
        meter.note(torch.tensor(loss), step)
        assert meter.first_bad(step) == (None if step == 0 else 1)
    assert meter.totals()[1] == 1
