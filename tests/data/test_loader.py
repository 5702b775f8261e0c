import threading
import time

import numpy as np
import pytest
import torch

from mscm_lib.data.batches.loader import Loader
from mscm_lib.data.batches.sampler import IdentitySampler
from mscm_lib.data.batches.views import FourViews
from mscm_lib.data.tables import ImageTable
from mscm_lib.errors import DataError

HEIGHT, WIDTH = 32, 16
OFF = dict.fromkeys(
    ["random_crop", "random_flip", "random_erasing", "random_grayscale", "channel_exchange",
     "infrared_mix", "infrared_scaling"], False,
)  # fmt: skip


class Shelf:
    """Packed images in memory; image r has all its bytes equal to r."""

    def __init__(self, count, fail_at=None, seconds=0.0):
        self.count, self.fail_at, self.seconds = count, fail_at, seconds
        self.reads = 0

    def __len__(self):
        return self.count

    def read(self, rows):
        self.reads += 1
        time.sleep(self.seconds)
        if self.reads == self.fail_at:
            raise DataError("images.npy: was cut short")
        return np.repeat(rows.astype(np.uint8), HEIGHT * WIDTH * 3).reshape(-1, HEIGHT, WIDTH, 3)


TABLE = ImageTable.from_rows([(f"{i}", i % 10, 1, i % 20 >= 10) for i in range(200)])
ROWS = np.arange(200)[::-1].copy()  # packed in another order than the table's


def loader(shelf=None, views=None, steps=6, **sampling):
    sampler = IdentitySampler(TABLE, 4, 2, seed=3, steps=steps, **sampling)
    views = views or FourViews(HEIGHT, WIDTH, seed=3)
    return Loader(shelf or Shelf(200), ROWS, sampler, views)


def threads():
    return [thread for thread in threading.enumerate() if thread.name == "loader"]


def test_batches_hold_the_images_and_labels_that_the_sampler_names():
    loads = loader(views=FourViews(HEIGHT, WIDTH, **OFF))
    batches = list(loads.epoch(2))
    assert len(batches) == len(loads.sampler) == 6
    for batch, rows in zip(batches, loads.sampler.batches(2), strict=True):
        assert batch.labels.tolist() == rows.labels.tolist()
        for views, wanted in ((batch.views[:2], rows.visible), (batch.views[2:], rows.infrared)):
            for view in views:
                byte = ((view[:, 0, 0, 0] * 0.229 + 0.485) * 255).round()
                assert byte.tolist() == ROWS[wanted].tolist()


def test_an_epoch_can_begin_anywhere_and_be_made_again():
    whole = list(loader().epoch(1))
    for start in (0, 4):
        for again, batch in zip(loader().epoch(1, start), whole[start:], strict=True):
            assert torch.equal(again.labels, batch.labels)
            assert all(map(torch.equal, again.views, batch.views))


def test_processes_make_the_pixels_that_one_process_makes():
    whole = list(loader().epoch(0))
    parts = [list(loader(rank=rank, world_size=2).epoch(0)) for rank in range(2)]
    for batch, *dealt in zip(whole, *parts, strict=True):
        assert torch.equal(torch.cat([part.labels for part in dealt]), batch.labels)
        for stream in range(4):
            together = torch.cat([part.views[stream] for part in dealt])
            assert torch.equal(together, batch.views[stream])


def test_waiting_is_measured_and_reading_runs_ahead():
    slow = loader(Shelf(200, seconds=0.05), steps=4)
    list(slow.epoch(0))
    assert slow.waited > 0.1
    busy = loader(Shelf(200, seconds=0.02), steps=6)
    for _ in busy.epoch(0):
        time.sleep(0.06)  # the caller computes longer than reading takes
    assert busy.waited < 0.06  # the first batch alone is waited for


def test_an_iterator_that_is_closed_leaves_no_thread():
    batches = loader().epoch(0)
    next(batches)
    assert threads()
    batches.close()
    assert not threads()


def test_what_goes_wrong_while_reading_is_raised_to_the_caller():
    batches = loader(Shelf(200, fail_at=3)).epoch(0)
    next(batches)
    next(batches)
    with pytest.raises(DataError, match="cut short"):
        next(batches)
    assert not threads()


def test_a_table_that_was_packed_elsewhere_is_refused():
    with pytest.raises(DataError, match="rows 0 to 199, but only 100"):
        loader(Shelf(100))
