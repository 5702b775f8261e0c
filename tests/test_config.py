import numpy as np
import pytest
import torch
import yaml

from mscm_lib import config as parameters
from mscm_lib.config import RunConfig, nearest_divisor
from mscm_lib.errors import ConfigError
from mscm_lib.models import backbones


def test_defaults_are_the_papers_recipe():
    config = RunConfig()
    assert (config.identities_per_batch, config.images_per_identity) == (6, 4)
    assert (config.margin, config.alpha, config.epochs) == (0.7, 0.05, 150)
    assert (config.head_rate, config.trunk_rate, config.milestones) == (0.1, 0.01, (25, 90, 120))
    assert config.head_dim == 9  # 24 x 12 positions, 32 heads of 9


def test_numbers_that_yaml_reads_as_text_become_numbers():
    values = yaml.safe_load("{head_rate: 1e-4, milestones: [3, 5], epochs: '7'}")
    assert isinstance(values["head_rate"], str)
    config = RunConfig.from_mapping(values)
    assert config.head_rate == 1e-4
    assert config.milestones == (3, 5)
    assert config.epochs == 7


def test_lists_handed_over_as_text_are_read():
    config = RunConfig.from_mapping({"milestones": "3,5", "alb_sources": "['stem', 'layer2']"})
    assert config.milestones == (3, 5)
    assert config.alb_sources == ("stem", "layer2")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"aplha": 0.1}, ["aplha", "did you mean 'alpha'"]),
        ({"alpha": 2}, ["alpha", "2", "0 to 1"]),
        ({"alpha": "much"}, ["alpha", "'much'", "number"]),
        ({"alpha": float("nan")}, ["alpha", "finite"]),
        ({"epochs": 1.5}, ["epochs", "1.5", "whole number"]),
        ({"epochs": True}, ["epochs", "True", "whole number"]),
        ({"epochs": float("inf")}, ["epochs", "inf", "whole number"]),
        ({"epochs": 10**400}, ["epochs", "401 characters", "2**64 - 1"]),
        ({"epochs": 2**31}, ["epochs", "less than 2**31"]),
        ({"milestones": [1, float("inf")]}, ["milestones", "inf", "whole number"]),
        ({"milestones": "3,1e400"}, ["milestones", "1e400", "whole number"]),
        ({"milestones": [-(2**40)]}, ["milestones", "less than 2**31"]),
        ({"margin": "1e400"}, ["margin", "1e400", "finite"]),
        ({"margin": 10**400}, ["margin", "401 characters", "finite"]),
        ({"views": 10**400}, ["views", "401 characters", "one of 2, 3, 4"]),
        ({"non_local": "yes"}, ["non_local", "true or false"]),
        ({"pairing": "corss"}, ["pairing", "'cross'", "'own'"]),
        ({"height": 100}, ["height", "100", "multiple of 16", "96"]),
        ({"height": 0}, ["height", "multiple of 16"]),
        ({"head_dim": 7}, ["head_dim", "7", "288", "9"]),
        ({"views": 2}, ["views", "dual"]),
        ({"views": 2, "streams": "dual"}, ["qct", "views = 4"]),
        ({"views": 3, "metric_loss": "none"}, ["views = 3", "'dual' or 'quadruple-shared'"]),
        ({"views": 3, "streams": "dual", "metric_loss": "hetero-center"}, ["views = 2 or 4"]),
        ({"views": 2, "streams": "dual", "metric_loss": "tri-directional"}, ["views = 3", "not 2"]),
        ({"alb_sources": ["stem", "stem"]}, ["alb_sources", "repeats"]),
        ({"alb_sources": ["layer5"]}, ["layer5", "layer"]),
        ({"alb_sources": []}, ["alb_sources"]),
        ({"shots": 3}, ["shots", "3", "10"]),
        ({"identities_per_batch": 0}, ["identities_per_batch", "1 or more"]),
        ({"seed": -1}, ["seed = -1", "0 or more"]),
        ({"seed": str(2**64)}, ["seed", str(2**64), "to 2**64 - 1"]),
        ({"backbone": "resnet51"}, ["backbone", "did you mean 'resnet50'"]),
        ({"device": "gpu"}, ["device", "'gpu'", "'cuda:<number>'"]),
        ({"device": "cuda:x"}, ["device", "'cuda:x'"]),
        ({"height": 16 * 10**6}, ["height", "at most 4096"]),
        ({"selection": "best-validation"}, ["validation", "held-out"]),
        ({"selection": "best-test"}, ["validate_every"]),
        ({"milestones": 25}, ["milestones", "list"]),
        ({"milestones": [0, 3]}, ["milestones = [0, 3]", "from 1 on"]),
        ({"milestones": [-1]}, ["milestones = [-1]", "from 1 on"]),
        ({"milestones": [3, 3]}, ["milestones = [3, 3]", "each after the last"]),
        ({"milestones": [9, 3]}, ["milestones = [9, 3]", "each after the last"]),
        ({"dataset": 3}, ["dataset", "text"]),
    ],
)
def test_a_wrong_value_is_one_error_naming_the_key(values, words):
    with pytest.raises(ConfigError) as caught:
        RunConfig.from_mapping(values)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("seed", [2**53 + 1, str(2**53 + 1), np.int64(2**62 + 1), 2**64 - 1])
def test_a_seed_keeps_its_last_digit_and_torch_takes_it(seed):
    taken = RunConfig.from_mapping({"seed": seed}).seed
    assert taken == int(seed)
    assert torch.Generator().manual_seed(taken).initial_seed() % 2**64 == taken


def test_the_backbones_that_parameters_know_are_those_that_are_built():
    assert parameters.RESNETS == backbones.RESNETS


def test_later_layers_win_and_the_round_trip_is_exact():
    config = RunConfig.from_mapping({"alpha": 0.1, "seed": 1}, {"alpha": 0.3})
    assert (config.alpha, config.seed) == (0.3, 1)
    assert RunConfig.from_mapping(config.as_dict()) == config
    assert config.replace(seed=5).seed == 5


def test_head_dimension_is_the_divisor_nearest_to_nine():
    assert nearest_divisor(288, 9) == 9
    assert nearest_divisor(18, 9) == 9
    assert nearest_divisor(8, 9) == 8
    assert nearest_divisor(50, 9) == 10
    assert RunConfig.from_mapping({"height": 64, "width": 32}).head_dim == 8
