"""Training under torchrun with two CPU processes, against one process on the same batches."""

import json
import subprocess
import sys

from mscm_lib.paths import project_root


def test_two_processes_compute_what_one_does(tmp_path):
    found = tmp_path / "found.json"
    command = [
        sys.executable,
        "benchmarks/two_processes.py",
        "--only-float64",
        "--output",
        str(found),
    ]
    subprocess.run(command, cwd=project_root(), check=True, timeout=280, capture_output=True)
    apart = json.loads(found.read_text())["float64"]
    assert set(apart) == {"weights", "running_statistics", "history"}
    assert (
        0 < max(apart.values()) < 1e-9
    )  # ten steps; summed in another order, so not the same bits
