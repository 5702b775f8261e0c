"""A study's page of searches: the queries that the evaluation counts, from the hardest to the easiest."""

import re
from pathlib import Path

import pandas as pd
import pytest

from mscm_lib.errors import ConfigError, DataError
from mscm_lib.evaluation.rankings import rank_all
from mscm_lib.reports.finished_runs import FinishedRun
from mscm_lib.reports.searches import rankings_page, write_rankings
from mscm_lib.study.searched import searched_run
from mscm_lib.study.settings import load_study


@pytest.fixture
def run(packed, config, invented):
    table = packed.dataset.images
    nothing = pd.DataFrame()
    return FinishedRun(
        "tiny, seed 0", config, packed, invented(table), nothing, nothing, Path("none")
    )


def test_the_page_has_the_evaluations_own_figures(run):
    text = rankings_page(run, queries=10**6)
    heads = re.findall(
        r"<h2>(\S+), person \d+, camera \d, AP (\d+%), first hit at rank (\d+)<", text
    )
    figures = rank_all(run.packed.dataset, run.config, run.embeddings, ("neck",), {})
    queries = figures.queries[0].query("gallery_trial == 0 and valid").set_index("path")
    assert {path: ap for path, ap, _ in heads} == {
        path: f"{ap:.0%}" for path, ap in queries["ap"].items()
    }
    aps = [float(ap) for ap in re.findall(r'data-ap="([\d.]+)"', text)]
    assert aps == sorted(aps) and len(aps) == len(queries)
    assert f"mAP {queries['ap'].mean():.1%}" in text


def test_the_hardest_and_the_easiest_are_among_a_few(run):
    every = re.findall(r"<h2>(\S+),", rankings_page(run, queries=10**6))
    few = re.findall(r"<h2>(\S+),", rankings_page(run, queries=3))
    assert few == [every[0], every[round((len(every) - 1) / 2)], every[-1]]
    assert rankings_page(run, queries=3) == rankings_page(run, queries=3)


def test_a_study_shows_its_own_network():
    chosen = {name: searched_run(load_study(name)) for name in ("quick", "tuning", "sysu")}
    assert chosen["quick"].name == "quick-mscmnet-t0-s0"
    assert chosen["tuning"].variant == load_study("tuning").reference
    assert chosen["sysu"] is None


def test_what_cannot_be_shown_says_why():
    with pytest.raises(ConfigError, match=r"studies/sysu/study.yaml: its people are not generated"):
        write_rankings("sysu")
    with pytest.raises(DataError, match=r"metrics.json: no such file; `make study STUDY=quick`"):
        write_rankings("quick")
