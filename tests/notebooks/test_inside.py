"""Inside views: what they say can be checked."""

import re
from concurrent.futures import ThreadPoolExecutor

import pandas as pd

from mscm_lib.reports.finished_runs import lists_of, some_people, stand_in_config, two_runs

TINY = {
    "40_ranked_lists": {"people": 6, "epochs": 1},
    "41_activation_maps": {"people": 6, "epochs": 1, "pictures": 2},
    "42_feature_space": {"people": 6, "epochs": 1},
    "43_failures": {"people": 6, "epochs": 1},
}


def _said(notebook):
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return "".join(str(output.get("text", "")) for output in outputs)


def _figures(notebook):
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return sum("image/png" in output.get("data", {}) for output in outputs)


def test_lists_are_drawn_and_counted_as_the_evaluation_does(executed):
    notebook = executed.get("40_ranked_lists")
    assert float(re.search(r"([\d.]+)% of queries have the evaluation's", _said(notebook))[1]) > 90
    assert "left out in" in _said(notebook) and _figures(notebook) >= 7


def test_untrained_stems_have_one_map_and_maps_are_tried_by_covering(executed):
    notebook = executed.get("41_activation_maps")
    assert "'visible, untrained': 1.0" in _said(notebook)
    assert "covering its own map does more harm for" in _said(notebook)
    assert _figures(notebook) == 5


def test_the_feature_space_is_counted_by_modality_camera_and_person(executed):
    notebook = executed.get("42_feature_space")
    for kind in ("modality", "camera", "person"):
        assert f"of nearest pictures are of the same {kind}" in _said(notebook)
    assert _figures(notebook) == 4


def test_failures_end_with_what_this_run_shows(executed):
    said = _said(executed.get("43_failures"))
    assert "queries have a wrong match" in said
    assert re.search(r"^attributes: \d+ of \d+ surely above chance", said, re.MULTILINE)
    assert ("do not overlap" in said) == ("failures gather at some" in said)


def test_some_people_are_drawn_alike_and_whole_lists_ranked():
    run, _ = two_runs("quick", people=6, epochs=1)
    table = some_people(run, people=3, images=1)
    assert table.paths == some_people(run, people=3, images=1).paths
    assert (pd.Series(table.ids).value_counts() == 2).all() and table.infrared.sum() == 3
    trial, lists = lists_of(run)
    assert [len(matches) for matches in lists] == [len(trial.gallery)] * len(trial.query)
    ranks = [match.rank for match in lists[0] if not match.excluded]
    assert ranks == list(range(1, len(ranks) + 1))


def test_two_notebooks_at_once_wait_for_the_same_pictures():
    people = 9  # so many that no other test has made them
    with ThreadPoolExecutor(2) as both:
        first, second = both.map(lambda _: stand_in_config("mscmnet", people, 1), range(2))
    assert first == second
