"""Whether a study's page says rightly that its runs are of today's code."""

import shutil

from mscm_lib.paths import resolve
from mscm_lib.reports.summary import changed
from mscm_lib.study.settings import load_study


def test_runs_of_own_parts_are_current_where_nothing_has_been_built_yet():
    shutil.rmtree(resolve("build/own"), ignore_errors=True)
    assert not changed(load_study("way_around"))


def test_an_edited_part_is_named():
    study = load_study("way_around")
    changed(study)
    path = resolve("build/own/way_around/lab-w0-mimb-around")
    before = path.read_bytes()
    path.write_text("0  my_parts.py\n")
    assert changed(study) == ["build/own/way_around/lab-w0-mimb-around"]
    path.write_bytes(before)
