import math

from mscm_lib.training.progress import duration, epoch_line


def test_a_line_says_what_a_reader_wants_to_know():
    row = {"epoch": 4.0, "loss": 3.25, "identity_loss": 2.5, "metric_loss": 0.75,
           "accuracy": 0.5, "rate": 0.1, "validation_rank1": 0.25, "test_rank1": math.nan}  # fmt: skip
    assert epoch_line(row, 150, 1234.5, 3700) == (
        "epoch   5/150 · loss 3.2500 · identity 2.5000 · metric 0.7500 · accuracy 50.0 % · "
        "rate 0.1 · val rank-1 25.0 % · 1234 images/s · 1 h 01 min left"
    )


def test_durations():
    assert [duration(s) for s in (0.4, 59.4, 61, 3599, 7500)] == [
        "0 s", "59 s", "1 min 01 s", "59 min 59 s", "2 h 05 min"
    ]  # fmt: skip
