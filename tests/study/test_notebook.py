import pytest

from mscm_lib.errors import ConfigError
from mscm_lib.study.notebook import Parameters
from mscm_lib.study.plan import planned
from mscm_lib.study.settings import load_study

CELL = (
    'dataset = "quick"\nvariant = "mscmnet"\nseed = 0\noutput = None\nfast = False\nseeds = [0, 1]'
)


def _given(injected="", cell=CELL):
    """Parameters of a kernel that ran ``cell`` and then what papermill injected."""
    names = {"In": ["", "given = Parameters(globals())"]}
    given = Parameters(names)
    for text in (cell, injected):
        names["In"].append(text)
        exec(text, {}, names)
    return given, names


def test_what_is_not_named_has_the_studys_value():
    config = _given("alpha = 0.3", CELL.partition("\nfast")[0])[0].run_config("output")
    assert (config.alpha, config.epochs) == (0.3, load_study("quick").run["epochs"])


def test_the_pipeline_hands_everything_over_and_no_study_is_asked(monkeypatch):
    values = planned("quick-mscmnet-t0-s0", "evaluate") | {"epochs": 77, "dataset": "elsewhere"}
    given = Parameters(names := {})
    names.update(values, output=None)
    config = given.run_config("output")
    assert (config.epochs, config.dataset, config.backbone) == (77, "elsewhere", "resnet18")


@pytest.mark.parametrize(
    "name", ["multi_scale", "metric_loss", "seed", "dataset", "variant", "epochs"]
)
def test_null_is_no_value(name):
    """`-p multi_scale None` would train the full network under the ablation's name."""
    given, _ = _given(f"{name} = None", CELL.partition("\nfast")[0])
    with pytest.raises(ConfigError, match=f"{name} = None"):
        given.run_config("output")


@pytest.mark.parametrize(
    ("injected", "words"),
    [
        ("fsat = True", "did you mean 'fast'"),
        ("seed = None", "seed = None: expected a whole number"),
        ('seed = "x"', "seed = 'x': expected a whole number"),
        ("fast = 2", "fast = 2: expected true or false"),
        ("dataset = 3", "dataset = 3: expected text"),
        ("seeds = 0", "seeds = 0: expected a list"),
        ("seeds = None", "seeds = None: expected a list"),
        ("seed = float('1e400')", "seed = inf: expected a whole number"),
        ("seed = 2**64", r"seed = 18446744073709551616: .* to 2\*\*64 - 1"),
        ("seed = 10**400", "seed = 10{39}… .401 characters"),
        ("seeds = [0, float('inf')]", "seeds = inf: expected a whole number"),
        ("seed = -1", "seed = -1: expected 0 or more"),
        ("seeds = [-1]", "seeds = -1: expected 0 or more"),
    ],
)
def test_parameters_are_of_the_kind_of_their_defaults(injected, words):
    given, _ = _given(injected)
    with pytest.raises(ConfigError, match=words):
        given.take("dataset", "variant", "seed", "output", "fast", "seeds")


def test_numbers_that_papermill_hands_over_as_text_become_numbers():
    given, names = _given('seed = "9007199254740993"; seeds = ["1", 2.0]')
    values = given.take("dataset", "variant", "seed", "output", "fast", "seeds")
    assert values["seed"] == names["seed"] == 2**53 + 1
    assert values["seeds"] == names["seeds"] == [1, 2]


def test_a_misspelt_parameter_of_a_run_is_named():
    given, _ = _given("lerning_rate = 1", CELL.partition("\nfast")[0])
    with pytest.raises(ConfigError, match="lerning_rate"):
        given.run_config("output")
