"""Same person or not: thresholds on some people, errors on others, against plain counting."""

import numpy as np
import pandas as pd
import pytest
import torch

from mscm_lib.config import RunConfig
from mscm_lib.data.tables import ImageTable
from mscm_lib.errors import ConfigError, DataError, ProtocolError
from mscm_lib.evaluation import Embeddings, evaluate_run
from mscm_lib.evaluation.verification import (
    choose_thresholds,
    error_rates,
    lowest,
    over_pairs_of_people,
    people_set_apart,
    people_tested,
)
from mscm_lib.thresholds import Thresholds


def world(people, seed, shots=3, noise=1.0, first=0):
    """Images of ``people`` by infrared cameras 3, 6 and visible 1, 2; camera 2 makes all alike."""
    draw = np.random.default_rng(seed)
    rows, values = [], []
    for person in range(first, first + people):
        self_ = draw.standard_normal(6)
        for camera in (1, 2, 3, 6):
            for shot in range(shots):
                rows.append((f"{camera}/{person}/{shot}", person, camera, camera in (3, 6)))
                values.append(self_ + noise * draw.standard_normal(6) + 2.0 * (camera in (2, 3)))
    unit = torch.nn.functional.normalize(torch.tensor(np.array(values))).float()
    return Embeddings(ImageTable.from_rows(rows), {"neck": unit})


def pairs_of(embeddings):
    """Every infrared with every visible image: score, whether one person, cameras, people."""
    table, values = embeddings.table, embeddings.features["neck"].numpy()
    for i in np.flatnonzero(table.infrared):
        for v in np.flatnonzero(~table.infrared):
            cameras = (int(table.cams[i]), int(table.cams[v]))
            yield float(values[i] @ values[v]), table.ids[i] == table.ids[v], cameras, i, v


def test_no_more_than_the_share_reach_the_threshold_and_no_lower_one_does():
    scores = np.random.default_rng(0).standard_normal(1000).astype(np.float32)
    for rate, allowed in ((0.0, 0), (0.0101, 10), (0.25, 250)):
        threshold = lowest(scores, rate)
        assert (scores >= threshold).sum() == allowed
        assert (scores >= np.nextafter(np.float32(threshold), np.float32(-9))).sum() == allowed + 1
    assert (np.ones(10) >= lowest(np.ones(10, np.float32), 0.5)).sum() == 0  # ties: none of them
    with pytest.raises(ConfigError, match="false_match = 1"):
        lowest(scores, 1)
    with pytest.raises(ProtocolError, match="two people"):
        lowest([], 0.1)


def test_each_pair_of_cameras_has_its_own_threshold():
    found = world(20, 0)
    thresholds = choose_thresholds(found, found.table, false_match=0.02)
    everywhere = list(pairs_of(found))
    assert set(thresholds.pairs) == {(3, 1), (3, 2), (6, 1), (6, 2)} and thresholds.people == 20
    for cameras, threshold in [*thresholds.pairs.items(), (None, thresholds.anywhere)]:
        scores = [s for s, same, here, *_ in everywhere if not same and cameras in (None, here)]
        share = np.mean([score >= threshold for score in scores])
        assert abs(share - 0.02) <= 1 / len(scores)  # a product's last bit may turn one pair
    assert thresholds.pairs[3, 2] > thresholds.pairs[6, 1] + 0.1  # where all are alike
    assert thresholds.of(9, 1) == thresholds.of(None, 1) == thresholds.anywhere
    assert Thresholds.from_dict(thresholds.as_dict()) == thresholds


def test_error_rates_are_counted_pair_by_pair():
    apart, tested = world(20, 0), world(12, 1, first=50)
    thresholds = choose_thresholds(apart, apart.table, false_match=0.02)
    table = error_rates(thresholds, tested, tested.table)
    everywhere = [
        (score >= thresholds.of(*cameras), same, cameras, i, v)
        for score, same, cameras, i, v in pairs_of(tested)
    ]
    assert len(table) == 5
    for _, row in table.iterrows():
        cameras = (row["infrared_camera"], row["visible_camera"])
        here = [pair for pair in everywhere if cameras in ((0, 0), pair[2])]
        wrong = [yes for yes, same, *_ in here if not same]
        missed = [not yes for yes, same, *_ in here if same]
        assert row["false_match"] == pytest.approx(np.mean(wrong))
        assert row["miss"] == pytest.approx(np.mean(missed))
        assert (row["different_pairs"], row["same_pairs"]) == (len(wrong), len(missed))
        for name in ("false_match", "miss"):
            assert row[f"{name}_low"] <= row[name] <= row[f"{name}_high"]
    queries = np.flatnonzero(tested.table.infrared)
    alarm = [any(yes for yes, same, _, i, _ in everywhere if i == q and not same) for q in queries]
    found = [any(yes for yes, same, _, i, _ in everywhere if i == q and same) for q in queries]
    assert table.loc[0, "false_alarm"] == pytest.approx(np.mean(alarm))
    assert table.loc[0, "not_found"] == pytest.approx(1 - np.mean(found))
    assert 0 < table.loc[0, "false_alarm"] < 1 and 0 < table.loc[0, "not_found"] < 1
    assert table.loc[1:, ["false_alarm", "not_found"]].isna().all(axis=None)


def test_pairs_of_people_are_redrawn_by_both_of_their_people():
    draw = np.random.default_rng(0)
    ids = np.repeat(np.arange(5), 2), np.arange(5)
    accepted = draw.random((10, 5)) < 0.4
    shares = []
    redraw = np.random.default_rng(3)
    for times in redraw.multinomial(5, np.full(5, 0.2), size=300):
        yes = pairs = 0
        for i in range(10):
            for v in range(5):
                if ids[0][i] != ids[1][v]:
                    weight = times[ids[0][i]] * times[ids[1][v]]
                    yes, pairs = yes + weight * accepted[i, v], pairs + weight
        if pairs:
            shares.append(yes / pairs)
    found = over_pairs_of_people(accepted, *ids, draws=300, seed=3)
    different = ids[0][:, None] != ids[1]
    assert found.mean == pytest.approx(accepted[different].mean())
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(shares, [0.025, 0.975])))


def test_one_person_alone_has_no_pair_of_different_people():
    alone = world(1, 0)
    with pytest.raises(ProtocolError, match="two people"):
        choose_thresholds(alone, alone.table)
    thresholds = choose_thresholds(world(9, 1), world(9, 1).table)
    row = error_rates(thresholds, alone, alone.table).iloc[0]
    assert np.isnan(row["false_match"]) and not np.isnan(row["miss"])


def test_thresholds_come_from_training_people_and_errors_from_all_tested(trees):
    for name, trial in (("sysu", 0), ("regdb", 2), ("llcm", 0)):
        dataset, config = trees[name], RunConfig(trial=trial)
        apart, unseen = people_set_apart(dataset, config)
        tested = people_tested(dataset, config)
        assert not set(apart.paths) & set(tested.paths) and not unseen
        search = dataset.searches[0]
        wanted = {*dataset.query(search, trial or None).paths}
        assert set(tested.paths) == wanted | {*dataset.gallery_pool(search, trial or None).paths}
        assert len(set(tested.paths)) == len(tested)


def test_people_held_out_are_new_to_the_network(packed):
    dataset = packed.dataset
    table, unseen = people_set_apart(dataset, RunConfig(validation="held-out"))
    one = len(np.unique(dataset.validation().ids)) == 1
    assert unseen is not one  # a single person cannot be told apart from anybody
    assert len(np.unique(table.ids)) > 1


def test_an_evaluation_leaves_the_table(config, weights, tmp_path):
    found = evaluate_run(config, weights(), tmp_path / "out", progress=False)
    table = pd.read_csv(found.folder / "verification.csv")
    assert len(table) == 1 + 8 and (table["people"] == 6).all()
    assert table["false_match"].between(0, 1).all() and not table["unseen"].any()


@pytest.mark.parametrize("values", [None, {}, {"pairs": {"x": 1}}, {"pairs": {}, "more": 1}])
def test_thresholds_that_are_none_are_refused(values):
    with pytest.raises(DataError, match="missing or damaged"):
        Thresholds.from_dict(values)
