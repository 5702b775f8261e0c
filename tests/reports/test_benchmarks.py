"""The table of benchmarks: every line from a file, none without."""

import re

import pytest

from mscm_lib.files import write_json, write_text
from mscm_lib.paths import resolve
from mscm_lib.reports import benchmarks


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(benchmarks, "FOLDER", str(tmp_path))
    return tmp_path


def test_what_has_not_been_run_has_a_command_and_no_figure(folder):
    rows = benchmarks.benchmark_table().splitlines()[2:]
    for (_, benchmark, _), row in zip(benchmarks.LINES, rows, strict=True):
        assert "not run here" in row and f"`python benchmarks/{benchmark}.py`" in row
        assert resolve(f"benchmarks/{benchmark}.py").is_file()


def test_figures_and_machines_come_from_the_files(folder):
    origin = {"device": "NVIDIA X", "processor": "p", "threads": 8}
    found = {
        "ratio": 3.14,
        "precision": "bfloat16",
        "achieved_share_of_ceiling": 0.207,
        "provenance": origin,
    }
    write_json(folder / "training_step.json", found)
    write_text(
        folder / "ranking.csv", "ratio,device,processor,threads\n2,cpu,p,1\n70.2,cpu,EPYC,2\n"
    )
    table = benchmarks.benchmark_table()
    assert re.search(r"3\.1 times .* 21% .*\| NVIDIA X \|", table)
    assert re.search(r"\| 70 times .*\| 2 threads of EPYC \|", table)


def test_every_result_here_can_be_told():
    assert benchmarks.benchmark_table().count("not run here") < len(benchmarks.LINES)
