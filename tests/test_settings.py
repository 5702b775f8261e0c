"""The two settings are valid runs and differ exactly where the release departs."""

import pytest

from mscm_lib.config import RunConfig
from mscm_lib.errors import ConfigError
from mscm_lib.settings import DEPARTURES, SETTINGS, setting


@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_settings_are_valid_and_complete(name):
    config = RunConfig.from_mapping(setting(name))
    assert config.streams == "quadruple-unshared"
    assert config.head_dim == 9


def test_settings_differ_where_it_is_documented():
    paper, released = setting("paper"), setting("released")
    assert paper.keys() == released.keys()
    differing = {key for key in paper if paper[key] != released[key]}
    assert differing == {"alpha", "pairing", "selection", "validate_every"}
    documented = {departure.parameter for departure in DEPARTURES}
    assert differing - {"validate_every"} <= documented
    assert documented - {""} <= set(RunConfig().as_dict())


def test_paper_setting_is_the_default_run():
    assert RunConfig.from_mapping(setting("paper")) == RunConfig()


def test_unknown_setting_is_named():
    with pytest.raises(ConfigError, match="did you mean 'released'"):
        setting("release")
