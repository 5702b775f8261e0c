"""Inside views: what they say can be checked."""

import pandas as pd

from mscm_lib.reports import failures, numbers

TINY = {"43_failures": {"people": 6, "epochs": 1}}


def test_failures_are_found_where_they_are(executed):
    said = "".join(
        str(output.get("text", ""))
        for cell in executed.get("43_failures").cells
        for output in cell.get("outputs", [])
    )
    assert "queries have a wrong match" in said


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
