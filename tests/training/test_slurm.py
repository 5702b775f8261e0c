import pytest

from mscm_lib.errors import ConfigError
from mscm_lib.training import slurm
from mscm_lib.training.slurm import StageJob, TrainJob, submit


def test_a_training_runs_as_a_local_job(tiny, tmp_path):
    job = TrainJob(tiny.replace(epochs=0), tmp_path / "out", tmp_path / "state")
    handles = submit({"one": job}, tmp_path / "logs", "local", timeout_min=5)
    assert "untrained network, seed 0" in handles["one"].result()
    assert (tmp_path / "out" / "model.safetensors").is_file()


def test_several_jobs_keep_their_names(tiny, tmp_path):
    jobs = {
        f"seed{seed}": TrainJob(tiny.replace(epochs=0, seed=seed), tmp_path / str(seed))
        for seed in (0, 1)
    }
    handles = submit(jobs, tmp_path / "logs", "debug")
    assert {n: h.result().split(",")[1] for n, h in handles.items()} == {
        "seed0": " seed 0", "seed1": " seed 1",
    }  # fmt: skip


def test_a_job_that_is_ended_goes_back_into_the_queue(tiny, tmp_path):
    job = TrainJob(tiny, tmp_path)
    assert job.checkpoint().function == job
    stage = StageJob(("10_train", "quick", "mscmnet", 0, 0))
    assert stage.checkpoint().function == stage


def test_a_stage_runs_the_command_and_says_why_it_failed(monkeypatch, capfd):
    monkeypatch.setattr(slurm, "_COMMAND", ["python", "-c", "import sys; print(*sys.argv[1:])"])
    assert StageJob(("train", "quick-mscmnet-t0-s3"))() == "train quick-mscmnet-t0-s3\n"
    monkeypatch.setattr(
        slurm, "_COMMAND", ["python", "-c", "import sys; sys.exit('no such stage')"]
    )
    with pytest.raises(slurm.TrainingError, match="no such stage"):
        StageJob(("train",))()


def test_an_unknown_resource_or_an_absent_cluster_is_named(tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match="local"):
        submit({}, tmp_path, "local", gpus_per_nodes=1)
    monkeypatch.setenv("PATH", "")  # no sbatch
    with pytest.raises(ConfigError, match="slurm"):
        submit({}, tmp_path, "slurm")
