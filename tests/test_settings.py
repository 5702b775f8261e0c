"""The two settings are valid runs and differ exactly where the release departs."""

import pytest

from mscm_lib.config import RunConfig
from mscm_lib.errors import ConfigError
from mscm_lib.models import MSCMNet
from mscm_lib.settings import DEPARTURES, SETTINGS, choices
from mscm_lib.study.settings import load_study, resolve_run


@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_settings_are_whole_runs_and_one_parameter_chooses_them(name):
    config = RunConfig.from_mapping(SETTINGS[name])
    assert config == RunConfig.from_mapping({"setting": name})
    assert config.streams == "quadruple-unshared"
    assert config.head_dim == 9


def test_settings_differ_where_it_is_documented():
    assert SETTINGS["paper"].keys() == SETTINGS["released"].keys()
    assert choices("paper").keys() == {"alpha", "pairing", "selection", "validate_every"}
    documented = {departure.parameter for departure in DEPARTURES}
    assert choices("paper").keys() - {"validate_every"} <= documented
    assert documented - {""} <= set(RunConfig().as_dict())


def test_paper_setting_is_the_default_run():
    assert RunConfig.from_mapping(SETTINGS["paper"]) == RunConfig()


def test_released_setting_does_what_the_release_does():
    config = RunConfig.from_mapping({"setting": "released"})
    assert (config.alpha, config.pairing, config.margin) == (0, "own", 0.7)
    assert (config.selection, config.validate_every) == ("best-test", 1)
    assert config.milestones == (25, 90, 120)


def test_what_is_spelled_out_wins_over_the_setting():
    beside = RunConfig.from_mapping({"alpha": 0.3, "setting": "released"})
    after = RunConfig.from_mapping({"setting": "released"}, {"alpha": 0.3})
    assert beside == after
    assert (after.alpha, after.pairing) == (0.3, "own")
    before = RunConfig.from_mapping({"alpha": 0.3, "epochs": 7}, {"setting": "released"})
    assert (before.alpha, before.epochs) == (0, 7)
    assert before.replace(setting="paper") == RunConfig(epochs=7)


@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_settings_reach_a_study_s_runs(name):
    study = load_study("quick")
    by_variant = resolve_run(study, "quick", name)
    by_hand = resolve_run(study, "quick", "mscmnet", {"setting": name})
    assert by_variant == by_hand.replace(variant=name)
    assert by_hand.backbone == study.run["backbone"]
    assert by_hand.alpha == SETTINGS[name]["alpha"]


def test_a_setting_is_no_network():
    nets = [
        RunConfig.from_mapping({"setting": name, "backbone": "resnet18", "weights": "none",
                                "height": 32, "width": 16})
        for name in SETTINGS
    ]  # fmt: skip
    one, other = (MSCMNet.from_config(config, 3).state_dict() for config in nets)
    assert all(value.equal(other[key]) for key, value in one.items())


def test_unknown_setting_is_named():
    with pytest.raises(ConfigError, match="did you mean 'released'"):
        RunConfig.from_mapping({"setting": "release"})
