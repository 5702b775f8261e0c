"""Inside views: what they say can be checked."""

import numpy as np
import pandas as pd
import pytest

from mscm_lib.errors import DataError
from mscm_lib.reports import activation, failures, numbers, space
from mscm_lib.reports.lists import lists_of

TINY = {
    "40_ranked_lists": {"people": 6, "epochs": 1},
    "41_activation_maps": {"people": 6, "epochs": 1, "pictures": 2},
    "42_feature_space": {"people": 6, "epochs": 1},
    "43_failures": {"people": 6, "epochs": 1},
}


def _said(notebook):
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return "".join(str(output.get("text", "")) for output in outputs)


def test_they_run_and_say_what_they_found(executed):
    assert "queries have a wrong match" in _said(executed.get("43_failures"))
    assert "left out in" in _said(executed.get("40_ranked_lists"))
    assert "'visible, untrained': 1.0" in _said(executed.get("41_activation_maps"))
    assert "of nearest pictures are of the same modality" in _said(executed.get("42_feature_space"))


def test_maps_show_where_a_similarity_comes_from():
    run, _ = numbers.two_runs("quick", people=6, epochs=1)
    visible = space.some_people(run, people=3, images=1).visible_images
    maps = activation.activation_maps(run, visible, before=True)
    assert list(maps) == ["V_g stem", "V_c stem", "layer 4"]
    assert {values.shape for values in maps.values()} == {(3, run.config.height, run.config.width)}
    assert activation.alike(maps) == pytest.approx(1, abs=1e-3)  # stems start from the same weights
    assert np.isnan(activation.alike({"layer 4": maps["layer 4"]}))
    corner = np.zeros((2, 16, 16), np.float32)
    corner[0, 0, 6] = 1  # the other map is empty
    found = activation.spread({"stem": corner, "layer 4": corner})
    assert found["stem"]["weight in the middle"] == 1
    assert found["stem"]["area of half the weight"] < 0.05 and found["stem"]["empty maps"] == 1
    assert np.isnan(found["layer 4"]["weight in the middle"])  # one column has no middle


def test_distances_tell_people_apart_or_do_not():
    same, other = np.full(50, 0.1), np.full(50, 0.9)
    names = ["same person"] * 50 + ["two people"] * 50
    apart = space.separation(pd.DataFrame({"distance": [*same, *other], "pair": names}))
    assert apart["area under the curve"] == 1 and apart["overlap"] == 0
    alike = space.separation(pd.DataFrame({"distance": [*same, 0.2, *same[1:]], "pair": names}))
    assert alike["overlap"] > 0.9


def test_a_drawn_list_ends_with_its_last_rank():
    run, _ = numbers.two_runs("quick", people=6, epochs=1)
    found = lists_of(run)
    titles = [axis.get_title() for axis in found.draw(0, ranks=3).axes]
    assert sum("rank" in title for title in titles) == 3
    with pytest.raises(DataError, match="this search has queries 0 to"):
        found.draw(10**6)
    with pytest.raises(DataError, match="search = 'nowhere'"):
        lists_of(run, "nowhere")


def test_first_wrong_matches_and_what_they_share():
    run, _ = numbers.two_runs("quick", people=6, epochs=1)
    wrong = failures.first_wrong(run)
    assert (wrong["query_id"] != wrong["wrong_id"]).all() and (wrong["rank"] >= 1).all()
    same = wrong.assign(wrong_id=wrong["query_id"])
    assert (failures.in_common(run, same)["mean"] == 1).all()
    values = failures.by_value(
        pd.DataFrame({"ap": [0, 1, 1], "query_id": [1, 2, 2], "x": [0, 1, 1]}), "x"
    )
    assert values["mean"].tolist() == [0, 1] and values["people"].tolist() == [1, 1]
