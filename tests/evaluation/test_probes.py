"""Probes read what was put in, and nothing else."""

import numpy as np
import pandas as pd
import pytest

from mscm_lib.data.tables import ImageTable
from mscm_lib.errors import DataError
from mscm_lib.evaluation.probes import probe

BANDS = {"coat": "both", "colour": "visible", "heat": "infrared"}
PEOPLE, EACH = 60, 8


@pytest.fixture
def people():
    generator = np.random.default_rng(0)
    values = {name: generator.integers(0, 4, PEOPLE) for name in BANDS}
    ids = np.repeat(np.arange(PEOPLE), EACH)
    infrared = np.arange(len(ids)) % 2 == 1
    rows = [
        (f"{n}.png", int(i), 1 + n % 4, bool(r))
        for n, (i, r) in enumerate(zip(ids, infrared, strict=True))
    ]
    ledger = pd.DataFrame(
        {"identity": np.arange(PEOPLE), **{k: v.astype(str) for k, v in values.items()}}
    )
    hot = {name: np.eye(4)[value[ids]] for name, value in values.items()}
    noise = 0.1 * generator.standard_normal((len(ids), 8))
    seen = [hot["coat"], hot["colour"] * ~infrared[:, None], hot["heat"] * infrared[:, None]]
    return np.hstack([*seen, noise]), ImageTable.from_rows(rows), ledger


def test_what_is_shown_is_read_and_the_rest_is_guessed(people):
    found = probe(*people, BANDS).set_index(["images", "target"])
    for images, own, other in (("visible", "colour", "heat"), ("infrared", "heat", "colour")):
        here = found.loc[images]
        assert here.loc["coat", "above_chance"] > 0.95 and here.loc["coat", "kind"] == "shared"
        assert here.loc[own, "above_chance"] > 0.95 and here.loc[own, "kind"] == "own"
        assert abs(here.loc[other, "above_chance"]) < 0.2 and here.loc[other, "kind"] == "other"
        assert abs(here.loc["camera", "above_chance"]) < 0.2
    assert found.loc[("all", "modality"), "score"] > 0.95


def test_nobody_is_fitted_and_scored_on(people):
    _, table, ledger = people
    alone = np.eye(PEOPLE)[table.ids]  # tells every person, and nothing about strangers
    found = probe(alone, table, ledger, BANDS)
    assert found[found["target"] == "coat"]["above_chance"].abs().max() < 0.25


def test_the_same_seed_the_same_figures(people):
    pd.testing.assert_frame_equal(probe(*people, BANDS), probe(*people, BANDS))


def test_a_ledger_that_does_not_fit_is_refused(people):
    features, table, ledger = people
    with pytest.raises(DataError, match="lacks"):
        probe(features, table, ledger[:9], BANDS)
    with pytest.raises(DataError, match="hat"):
        probe(features, table, ledger, {"hat": "both"})
    with pytest.raises(DataError, match="at least 4"):
        probe(features[:16], table[:16], ledger, BANDS)
