import copy
import math

import pytest
import yaml

from mscm_lib.errors import ConfigError
from mscm_lib.own_parts import sources
from mscm_lib.paths import project_root
from mscm_lib.study.settings import (
    find_study,
    load_study,
    load_variants,
    read_study,
    resolve_run,
    study_names,
    study_on,
    study_path,
)

QUICK = yaml.safe_load(study_path("quick").read_text())


def _study(**changes):
    """The quick study with ``changes``, where None takes a key away."""
    values = {key: value for key, value in (QUICK | changes).items() if value is not None}
    return read_study(study_path("quick"), yaml.safe_dump(values))


@pytest.mark.parametrize("name", study_names())
def test_every_study_is_valid_and_needs_no_other_data(name):
    study = load_study(name)
    assert list(study.runs()) and set(study.labels) == set(study.variants)
    readers = {definition.reader for definition in study.data.values()}
    assert readers == ({name} if name in ("sysu", "regdb", "llcm") else {"generated"})


def test_the_papers_studies_keep_the_papers_recipe():
    for name in ("sysu", "regdb", "llcm"):
        config = resolve_run(load_study(name), name, "mscmnet")
        assert (config.height, config.width, config.epochs) == (384, 192, 150)
        assert config.milestones == (25, 90, 120)
    assert load_study("regdb").trials == tuple(range(1, 11))


DATA = {"reader": "generated", "height": 64, "width": 32}
SYSU = DATA | {"reader": "sysu"}
WRONG = {
    "an unknown key": ({"sedes": [1]}, "did you mean 'seeds'"),
    "a missing key": ({"seeds": None}, "lacks seeds"),
    "a variant": ({"variants": {"mscment": "x"}}, "did you mean 'mscmnet'"),
    "a parameter": ({"run": {"epohcs": 3}}, "did you mean 'epochs'"),
    "a value": ({"run": {"epochs": "many"}}, "epochs = 'many': expected a whole number"),
    "a null": ({"run": {"metric_loss": None}}, "metric_loss = None"),
    "a null title": ({"title": 3}, "title = 3: expected text"),
    "an empty title": ({"title": " "}, "title = ' ': expected text"),
    "seeds as a number": ({"seeds": 0}, r"seeds = 0: expected a list of whole numbers"),
    "no seed": ({"seeds": []}, r"seeds = \[\]: expected a list"),
    "a seed twice": ({"seeds": [0, 0]}, "no repeats"),
    "a seed of text": ({"seeds": ["0"]}, "expected a list of whole numbers"),
    "a negative seed": ({"seeds": [-1]}, "expected a list of whole numbers"),
    "a true seed": ({"seeds": [True]}, "expected a list of whole numbers"),
    "a seed beyond torch's": ({"seeds": [0, 2**64]}, r"seeds\[1\] = 18446744073709551616: expected"),
    "a seed of 1.5": ({"seeds": [1.5]}, "expected a list of whole numbers"),
    "a split that is none": ({"trials": [0, 1]}, r"trials = \[1\]: generated has \[0\]"),
    "variants as a list": ({"variants": ["mscmnet"]}, "expected a mapping"),
    "no variant": ({"variants": {}}, "expected a mapping"),
    "two lines of title": ({"title": "one\nother"}, r"title = 'one\\nother': expected one line"),
    "a bar in a label": ({"variants": {"mscmnet": "a|b"}}, r"label = 'a\|b': expected one line"),
    "a floor's name": ({"variants": {"chance": {"alpha": 1}}}, "variants.chance: 'chance' is another"),
    "a floor's label": ({"variants": {"mscmnet": "HOG + LDA"}}, r"'HOG \+ LDA' is another row's name"),
    "a label twice": ({"variants": {"baseline": "B", "mscmnet": "B"}}, "mscmnet: 'B' is another row"),
    "an empty label": ({"variants": {"mscmnet": ""}}, "label = '': expected text"),
    "a name DVC misreads": ({"variants": {"a.b": {"alpha": 0}}}, "name 'a.b'"),
    "a name that leaves its folder": ({"data": {"../x": DATA}}, r"name '\.\./x'"),
    "a leading digit": ({"variants": {"4stems": {"alpha": 0}}}, "name '4stems'"),
    "one name, two meanings": ({"variants": {"none": {"alpha": 0}}}, "one name has one meaning"),
    "a contrast of nobody": ({"contrasts": {"c": {"mscment": 1}}}, "did you mean 'mscmnet'"),
    "a contrast without weights": ({"contrasts": {"c": {}}}, "contrasts.c = {}: expected a mapping"),
    "a weight of text": ({"contrasts": {"c": {"mscmnet": "1"}}}, "c.mscmnet = '1': expected a number"),
    "a true weight": ({"contrasts": {"c": {"mscmnet": True}}}, "c.mscmnet = True: expected a number"),
    "a weight of zero": ({"contrasts": {"c": {"mscmnet": 0}}}, "expected a number, not 0"),
    "an infinite weight": ({"contrasts": {"c": {"mscmnet": math.inf}}}, "c.mscmnet = inf: expected a num"),
    "a mean for a contrast": ({"contrasts": {"c": {"mscmnet": 1}}}, "weights sum to 1; expected 0"),
    "contrasts as a list": ({"contrasts": ["c"]}, "expected a mapping"),
    "a reference": ({"reference": "dual"}, "unknown reference in .* 'dual'"),
    "run as text": ({"run": "fast"}, "run = 'fast': expected a mapping"),
    "a run's seed": ({"run": {"seed": 1}}, "follows from the study"),
    "data as a list": ({"data": []}, "expected a mapping"),
    "no data": ({"data": {}}, "expected a mapping"),
    "data without entries": ({"data": {"quick": None}}, "data.quick = None"),
    "a reader": ({"data": {"q": DATA | {"reader": "sysy"}}}, "did you mean 'sysu'"),
    "no source": ({"data": {"q": DATA | {"reader": "sysu"}}}, "lacks source"),
    "a source too many": ({"data": {"q": DATA | {"source": "x"}}}, "only for these"),
    "a height of text": ({"data": {"q": DATA | {"height": "64"}}}, "height = '64'"),
    "a height of 60": ({"data": {"q": DATA | {"height": 60}}}, "multiple of 16"),
    "a true width": ({"data": {"q": DATA | {"width": True}}}, "width = True"),
    "a knob": ({"data": {"q": DATA | {"settings": {"sede": 1}}}}, "did you mean 'seed'"),
    "a knob of text": ({"data": {"q": DATA | {"settings": {"noise": "x"}}}}, r"settings: noise"),
    "a home": ({"data": {"q": SYSU | {"source": "~/q"}}}, "source = '~/q': write the whole path"),
    "a stranger's home": ({"data": {"q": SYSU | {"source": "~ada/q"}}}, "source = '~ada/q': write"),
    "a height of millions": ({"data": {"q": DATA | {"height": 16 * 10**6}}}, "4096 at most"),
    "a dataset chosen": ({"datasets": ["quik"]}, "did you mean 'quick'"),
    "a dataset twice": ({"datasets": ["quick", "quick"]}, "no repeats"),
    "data of nobody": ({"data_of": "sisu"}, "did you mean 'sysu'"),
    "data of itself": ({"data_of": "quick"}, "is this study itself"),
    "two kinds of variants": ({"variants_of": "losses"}, "keep one"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_study_is_one_error_that_names_the_key(name):
    changes, words = WRONG[name]
    with pytest.raises(ConfigError, match=words):
        _study(**changes)


def _numbers(value, place=""):
    """Every place in a study's values that holds a number, as errors name it."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, each in items:
        below = f"{place}[{key}]" if isinstance(value, list) else f"{place}.{key}".lstrip(".")
        if isinstance(each, (dict, list)):
            yield from _numbers(each, below)
        elif type(each) in (int, float):
            yield value, key, below


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan, 10**400, -(2**70), 1e300])
def test_a_number_beyond_all_bounds_is_one_line_with_its_key(number):
    values = copy.deepcopy(QUICK)
    for held, key, place in [*_numbers(values)]:
        before, held[key] = held[key], number
        with pytest.raises(ConfigError) as raised:
            read_study(study_path("quick"), yaml.safe_dump(values))
        assert f": {place} = {str(number)[:40]}" in str(raised.value)
        assert "\n" not in str(raised.value) and len(str(raised.value)) < 200
        held[key] = before
    assert read_study(study_path("quick"), yaml.safe_dump(values)) == _study()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("title: a\ntitle: b\n", "duplicate key"),
        ("title: [", "not readable as YAML"),
        ("title: &a [*a]", "not readable as YAML"),
        ("- 1\n", "expected names with values"),
        ("", "expected names with values"),
        ("1: 2\n", "expected names with values"),
    ],
)
def test_what_is_no_study_is_one_error_that_names_the_file(text, words):
    with pytest.raises(ConfigError, match=f"studies/quick/study.yaml.*{words}"):
        read_study(study_path("quick"), text)


def test_numbers_are_read_as_dvc_reads_them():
    assert _study(run={"trunk_rate": 0.0001}).run["trunk_rate"] == 1e-4
    text = study_path("quick").read_text().replace("trunk_rate: 0.01", "trunk_rate: 1e-4")
    assert read_study(study_path("quick"), text).run["trunk_rate"] == 1e-4


def test_a_study_may_define_its_own_variants():
    study = _study(variants={"baseline": "b", "mine": {"label": "Mine", "alpha": 0.3}})
    assert study.labels == {"baseline": "b", "mine": "Mine"}
    assert resolve_run(study, "quick", "mine").alpha == 0.3
    assert resolve_run(study, "quick", "mine").backbone == study.run["backbone"]


def test_worlds_may_be_trained_on_from_their_own_seeds():
    world = QUICK["data"]["quick"]
    worlds = {f"quick-w{n}": world | {"settings": world["settings"] | {"seed": n}} for n in (3, 4)}
    study = _study(data=worlds, seeds="world")
    assert study.repeats == 1
    assert {(run.dataset, run.seed) for run in study.runs()} == {("quick-w3", 3), ("quick-w4", 4)}


def test_own_parts_lie_beside_the_study():
    study = _study(variants={"baseline": "b", "mine": {"metric_loss": "my_parts:MyLoss"}})
    config = resolve_run(study, "quick", "mine")
    assert config.metric_loss == "studies/quick/my_parts.py:MyLoss"


def test_own_parts_stay_beside_the_study_that_wrote_them():
    taken = study_on("your_own", "quick")
    parts = [taken.config(run).metric_loss for run in taken.runs() if run.variant == "own-loss"]
    assert {*parts} == {"studies/your_own/my_parts.py:Contrastive"}
    changes = {"variants": None, "reference": None, "seeds": None, "variants_of": "your_own"}
    assert _study(**changes).parameters == taken.parameters
    assert all(path.is_file() for run in taken.runs() for path in sources(taken.config(run)))


def test_own_parts_of_a_common_recipe_stay_beside_it_too(tmp_path, monkeypatch):
    for name in ("dvc.yaml", "variants.yaml", "mscm_lib"):
        (tmp_path / name).symlink_to(project_root() / name)
    monkeypatch.chdir(tmp_path)
    home = QUICK | {"run": QUICK["run"] | {"multi_scale": "my_parts:Block"}}
    guest = {k: QUICK[k] for k in ("title", "variants", "reference", "seeds")} | {"data_of": "home"}
    for name, values in (("home", home), ("guest", guest)):
        (tmp_path / f"studies/{name}").mkdir(parents=True)
        (tmp_path / f"studies/{name}/study.yaml").write_text(yaml.safe_dump(values))
    assert load_study("guest").run["multi_scale"] == "studies/home/my_parts.py:Block"


def test_variants_win_over_the_study():
    study = load_study("quick")
    assert load_variants()["baseline"]["streams"] == "dual"
    config = resolve_run(study, "quick", "baseline", {"seed": 4})
    assert (config.streams, config.backbone, config.seed) == ("dual", "resnet18", 4)


@pytest.mark.parametrize("on", ["sysu", "regdb", "llcm", "full"])
@pytest.mark.parametrize("name", ["components", "streams"])
def test_a_study_is_put_on_other_data_with_its_recipe(name, on):
    study, variants, place = study_on(name, on), load_study(name), load_study(on)
    assert (study.variants, study.seeds) == (variants.variants, variants.seeds)
    assert (study.data, study.run, study.trials) == (place.data, place.run, place.trials)
    assert (study.name, study.variants_of, study.data_of) == (f"{name}-{on}", name, on)


def test_lengths_are_put_on_no_data_with_another_recipe():
    for on, epochs in (("sysu", 150), ("quick", 10)):
        with pytest.raises(ConfigError, match=f"beside a training of 18; here it is {epochs}"):
            study_on("length", on)
    assert study_on("length", "size_128").variants == load_study("length").variants


def test_unknown_names_are_named_with_the_nearest():
    for call, words in (
        (lambda: study_on("components", "sisu"), "did you mean 'sysu'"),
        (lambda: load_study("componets"), "did you mean 'components'"),
        (lambda: load_study(None), "unknown study 'None'"),
        (lambda: find_study("quik"), "did you mean 'quick'"),
    ):
        with pytest.raises(ConfigError, match=words):
            call()
