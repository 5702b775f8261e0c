import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mscm_lib.data.batches.sampler import IdentitySampler
from mscm_lib.data.tables import ImageTable
from mscm_lib.errors import ConfigError


def table_of(visible, infrared):
    """A shuffled table with that many images of each identity: two lists of counts."""
    rows = []
    for counts, is_infrared in ((visible, False), (infrared, True)):
        for person, count in enumerate(counts):
            rows += [(f"{is_infrared}/{person}/{i}", 10 * person, 1, is_infrared)
                     for i in range(count)]  # fmt: skip
    random.Random(0).shuffle(rows)
    return ImageTable.from_rows(rows)


TABLE = table_of([5, 3, 9, 1, 7, 4, 2, 6], [2, 8, 1, 3, 3, 5, 9, 4])


def check(batch, table, sampler, people, each):
    assert len(batch.visible) == len(batch.infrared) == len(batch.labels) == people * each
    assert not table.infrared[batch.visible].any()
    assert table.infrared[batch.infrared].all()
    names = sampler.identities[batch.labels]
    assert np.array_equal(table.ids[batch.visible], names)
    assert np.array_equal(table.ids[batch.infrared], names)
    by_identity = batch.labels.reshape(people, each)
    assert (by_identity == by_identity[:, :1]).all()
    assert len(set(by_identity[:, 0])) == people


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_every_batch_has_p_identities_and_k_images_of_each_modality(data):
    counts = st.lists(st.integers(0, 4), min_size=8, max_size=8)
    table = table_of(data.draw(counts), data.draw(counts))
    both = set(table.ids[table.infrared]) & set(table.ids[~table.infrared])
    people, each = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 5))
    if len(both) < people:
        with pytest.raises(ConfigError, match=f"only {len(both)} identities"):
            IdentitySampler(table, people, each, seed=0, steps=2)
        return
    sampler = IdentitySampler(table, people, each, seed=data.draw(st.integers(0, 99)), steps=2)
    assert set(sampler.identities) == both
    for batch in sampler.batches(epoch=data.draw(st.integers(0, 3))):
        check(batch, table, sampler, people, each)


def test_an_epoch_of_sysu_has_the_releases_927_steps():
    people = np.arange(22258) % 395, np.arange(11909) % 395
    ids = np.concatenate(people)
    infrared = np.arange(len(ids)) >= 22258
    table = ImageTable(tuple(map(str, range(len(ids)))), ids, np.ones_like(ids), infrared)
    sampler = IdentitySampler(table, 6, 4, seed=0)
    assert len(sampler) == 927
    assert len(IdentitySampler(table, 6, 4, seed=0, steps=30)) == 30


def test_the_larger_modality_sets_the_epoch_length():
    assert len(IdentitySampler(table_of([2] * 6, [9] * 6), 3, 2, seed=0)) == 54 // 6
    assert len(IdentitySampler(table_of([9] * 6, [2] * 6), 3, 2, seed=0)) == 54 // 6


def test_identities_and_images_are_drawn_uniformly():
    sampler = IdentitySampler(TABLE, 3, 4, seed=1, steps=4000)
    batches = list(sampler.batches(0))
    labels = np.concatenate([batch.labels[::4] for batch in batches])
    assert stats.chisquare(np.bincount(labels, minlength=8)).pvalue > 1e-4
    pairs = np.array([sorted(batch.labels[::4])[:2] for batch in batches])
    assert len({tuple(pair) for pair in pairs}) > 20  # not one fixed grouping
    for rows in (
        np.concatenate([b.visible for b in batches]), np.concatenate([b.infrared for b in batches])
    ):  # fmt: skip
        for person in sampler.identities:
            own = rows[TABLE.ids[rows] == person]
            images = np.unique(own, return_counts=True)[1]
            kind = TABLE.infrared[rows[0]]
            assert len(images) == ((TABLE.ids == person) & (TABLE.infrared == kind)).sum()
            assert len(images) == 1 or stats.chisquare(images).pvalue > 1e-5


def test_images_are_drawn_with_replacement_and_apart_from_the_other_modality():
    table = table_of([4, 4], [4, 4])
    sampler = IdentitySampler(table, 2, 4, seed=0, steps=500)
    batches = list(sampler.batches(0))
    distinct = np.mean([len(set(batch.visible[:4])) for batch in batches])
    assert distinct == pytest.approx(4 * (1 - 0.75**4), abs=0.1)
    number = {path: int(path.rsplit("/", 1)[1]) for path in table.paths}  # of the image, 0 to 3
    visible = [number[table.paths[row]] for batch in batches for row in batch.visible]
    infrared = [number[table.paths[row]] for batch in batches for row in batch.infrared]
    assert abs(np.corrcoef(visible, infrared)[0, 1]) < 0.08


def rows_of(batches):
    return [tuple(np.concatenate(batch).tolist()) for batch in batches]


def test_a_draw_depends_on_seed_epoch_and_step_alone():
    sampler = IdentitySampler(TABLE, 4, 2, seed=3, steps=20)
    epochs = [rows_of(sampler.batches(epoch)) for epoch in range(3)]
    assert len({rows for epoch in epochs for rows in epoch}) == 60
    again = IdentitySampler(TABLE, 4, 2, seed=3, steps=20)
    assert rows_of([again.batch(2, 7)]) == [epochs[2][7]]  # nothing drawn before it
    assert rows_of(again.batches(1, start=5)) == epochs[1][5:]
    other = IdentitySampler(TABLE, 4, 2, seed=4, steps=20)
    assert not set(rows_of(other.batches(0))) & set(epochs[0])


@pytest.mark.parametrize("size", [1, 2, 3, 6])
def test_processes_share_the_batch_that_one_process_has(size):
    whole = IdentitySampler(TABLE, 6, 2, seed=5, steps=3)
    parts = [IdentitySampler(TABLE, 6, 2, 5, 3, rank, size) for rank in range(size)]
    assert [part.first for part in parts] == [rank * 12 // size for rank in range(size)]
    for step in range(3):
        dealt = [part.batch(1, step) for part in parts]
        for field in range(3):
            together = np.concatenate([batch[field] for batch in dealt])
            assert np.array_equal(together, whole.batch(1, step)[field])


def test_global_generators_are_left_alone():
    before = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    list(IdentitySampler(TABLE, 3, 2, seed=0).batches(0))
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before  # noqa: NPY002


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"identities_per_batch": 9}, "only 8 identities.*choose at most 8"),
        ({"identities_per_batch": 0}, "1 or more"),
        ({"images_per_identity": 100}, "no whole batch of 300"),
        ({"world_size": 2}, "evenly to 2 processes"),
        ({"seed": -1}, "seed = -1"),
        ({"seed": 2**64}, "seed"),
    ],
)
def test_what_the_dataset_cannot_fill_is_refused_by_name(change, named):
    settings_ = {"identities_per_batch": 3, "images_per_identity": 2, "seed": 0} | change
    with pytest.raises(ConfigError, match=named):
        IdentitySampler(TABLE, **settings_).batch(0, 0)
