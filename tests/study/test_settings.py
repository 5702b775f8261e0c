from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from mscm_lib.errors import ConfigError, StudyError
from mscm_lib.paths import project_root
from mscm_lib.study import experiments, pipeline
from mscm_lib.study.notebook import Parameters
from mscm_lib.study.presets import experiment_of, preset_paths, study_text, study_text_on
from mscm_lib.study.settings import (
    check_study,
    find_study,
    load_study,
    load_variants,
    resolve_run,
    study_named,
)

PRESETS = {path.stem: path for path in preset_paths()}


def test_the_quick_study_is_the_default():
    assert (project_root() / "params.yaml").read_text() == PRESETS["quick"].read_text()


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_valid_and_needs_no_other_data(name):
    study = load_study(PRESETS[name])
    assert study.name == name
    assert list(study.runs())
    readers = {definition.reader for definition in study.data.values()}
    assert readers == ({name} if name in ("sysu", "regdb", "llcm") else {"generated"})


def test_datasets_of_one_name_are_the_same_in_every_preset():
    """Their runs and packed arrays share folders, and so are made once."""
    found = {}
    for path in PRESETS.values():
        study = load_study(path)
        for key, definition in study.data.items():
            assert found.setdefault(key, (definition, study.run)) == (definition, study.run), path


def test_a_reference_that_is_no_variant_of_the_study_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="reference = 'baseline'"):
        load_study(_write(tmp_path, variants=["mscmnet"]))


def test_a_preset_on_a_base_becomes_one_whole_text(tmp_path):
    whole = PRESETS["quick"].read_text()
    (tmp_path / "_base.yaml").write_text(whole.replace("study: quick\n", ""))
    (tmp_path / "own.yaml").write_text("base: _base.yaml\nstudy: own\n")
    assert load_study(tmp_path / "own.yaml").name == "own"
    text = study_text(tmp_path / "own.yaml")
    assert yaml.safe_load(text) == yaml.safe_load(whole) | {"study": "own"}
    (tmp_path / "_base.yaml").unlink()
    with pytest.raises(ConfigError, match="_base.yaml: no such file"):
        study_text(tmp_path / "own.yaml")


def test_the_papers_studies_keep_the_papers_recipe():
    for name in ("sysu", "regdb", "llcm"):
        study = load_study(PRESETS[name])
        config = resolve_run(study, name, "mscmnet")
        assert (config.height, config.width, config.epochs) == (384, 192, 150)
        assert config.milestones == (25, 90, 120)
    assert load_study(PRESETS["regdb"]).trials == tuple(range(1, 11))


def _write(tmp_path: Path, **changes) -> Path:
    values = yaml.safe_load(PRESETS["quick"].read_text())
    values.update(changes)
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump({k: v for k, v in values.items() if v is not None}))
    return path


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sedes": [1]}, "did you mean 'seeds'"),
        ({"seeds": None}, "lacks seeds"),
        ({"variants": ["mscment"]}, "did you mean 'mscmnet'"),
        ({"run": {"epohcs": 3}}, "did you mean 'epochs'"),
        ({"datasets": ["other"]}, "list the same names"),
        (
            {"data": {"quick": {"reader": "sysy", "source": "x", "height": 96, "width": 48}}},
            "did you mean 'sysu'",
        ),
        ({"data": {"quick": {"reader": "sysu", "height": 96, "width": 48}}}, "lacks source"),
    ],
)
def test_a_wrong_study_is_one_error_that_names_the_key(tmp_path, changes, words):
    with pytest.raises(ConfigError, match=words):
        load_study(_write(tmp_path, **changes))


def test_an_unknown_dataset_is_named_with_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'quick'"):
        find_study("quik")


def test_variants_win_over_the_study():
    study = load_study(PRESETS["quick"])
    assert load_variants()["baseline"]["streams"] == "dual"
    config = resolve_run(study, "quick", "baseline", {"seed": 4})
    assert (config.streams, config.backbone, config.seed) == ("dual", "resnet18", 4)


@pytest.mark.parametrize("on", ["sysu", "regdb", "llcm", "full"])
@pytest.mark.parametrize("name", ["components", "streams"])
def test_an_experiment_is_put_on_other_data_with_its_recipe(name, on):
    study = check_study("params.yaml", study_text_on(name, on))
    experiment, place = load_study(PRESETS[name]), load_study(PRESETS[on])
    assert (study.variants, study.seeds) == (experiment.variants, experiment.seeds)
    assert (study.data, study.run, study.trials) == (place.data, place.run, place.trials)
    assert study.name == f"{name}_{on}" and study_named(study.name) == study
    assert experiment_of(study.name) == experiment_of(name) == name
    assert experiment_of(on) == ""


@pytest.mark.parametrize(
    ("name", "on", "words"),
    [
        ("quick", "sysu", "unknown experiment 'quick'"),
        ("components", "sisu", "did you mean 'sysu'"),
        ("components", "alpha", "unknown preset to put an experiment on"),
        ("beyond", "sysu", "cameras of its own"),
        ("length", "sysu", "lengths of its own training"),
    ],
)
def test_what_cannot_be_put_on_other_data_is_refused(name, on, words):
    with pytest.raises(ConfigError, match=words):
        study_text_on(name, on)


def test_notebook_parameters_are_checked_by_name():
    namespace = {"imported": 1}
    given = Parameters(namespace)
    namespace.update(dataset="quick", variant="mscmnet", epochs=None, output=None, alpha=0.3)
    config = given.run_config("output")
    assert (config.alpha, config.epochs) == (0.3, load_study(PRESETS["quick"]).run["epochs"])
    namespace["lerning_rate"] = 1
    with pytest.raises(ConfigError, match="lerning_rate"):
        given.run_config("output")
    with pytest.raises(ConfigError, match="unknown parameter"):
        given.take("dataset", "variant")


def test_experiments_share_their_runs_and_leave_the_chosen_study_alone(tmp_path, monkeypatch):
    chosen = (project_root() / "params.yaml").read_text()
    seen = []
    for path in ("presets", "dvc.yaml", "variants.yaml", "params.yaml", "mscm_lib"):
        (tmp_path / path).symlink_to(project_root() / path)
    (tmp_path / "params.yaml").unlink()
    (tmp_path / "params.yaml").write_text(chosen)
    monkeypatch.chdir(tmp_path)

    def repro(command, cwd):
        seen.append(load_study().name)
        return SimpleNamespace(returncode=int(len(seen) == 2))

    monkeypatch.setattr(pipeline.subprocess, "run", repro)
    with pytest.raises(StudyError, match="experiment 'losses' stopped"):
        experiments.run_experiments(["alpha", "losses"])
    assert seen == ["alpha", "losses"]
    assert (tmp_path / "params.yaml").read_text() == chosen
    with pytest.raises(ConfigError, match="did you mean 'alpha'"):
        experiments.run_experiments(["aplha"])
    assert set(experiments.experiments()) < set(PRESETS)
