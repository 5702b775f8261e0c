"""A stranger's block, loss and sixty pictures: from the documentation's study to a table, or refused."""

import shlex

import nbformat
import pandas as pd
import pytest
import yaml

from mscm_lib import cli
from mscm_lib.data import open_packed
from mscm_lib.data.emulated import emulate
from mscm_lib.errors import ConfigError, DataError
from mscm_lib.evaluation import evaluate_run, rank_by_gradients
from mscm_lib.files import file_digest, write_json
from mscm_lib.losses import build_metric_loss
from mscm_lib.paths import project_root, resolve
from mscm_lib.study.code import write_own_code
from mscm_lib.study.execute import execute
from mscm_lib.study.pipeline import make
from mscm_lib.study.plan import compiled, write_plan
from mscm_lib.study.prepare import prepare
from mscm_lib.study.settings import load_study, read_study
from mscm_lib.study.tables import write_tables
from mscm_lib.training import train
from tests.study.own import (
    HEAD,
    PARTS,
    documented,
    rows,
    write_pictures,
    write_study,
    write_table,
)

DATA = "data/raw/mine"


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A project whose one study is the stranger's."""
    for name in ("dvc.yaml", "variants.yaml", "mscm_lib", "notebooks", "book"):
        (tmp_path / name).symlink_to(project_root() / name)
    monkeypatch.chdir(tmp_path)
    write_study(tmp_path)
    write_pictures(tmp_path / DATA)
    return tmp_path


def check(capsys):
    """What ``mscm check`` says of the study: on standard output, and as its error."""
    status = cli.main(["check", "studies/mine/study.yaml"])
    out, err = capsys.readouterr()
    assert bool(status) == bool(err)
    return out, err


def refused(capsys, *words):
    """The study is refused in one line that has ``words``."""
    _, err = check(capsys)
    assert err.startswith("error: ") and err.count("\n") == 1, err
    for word in words:
        assert word in err
    return err


def test_the_documented_study_goes_from_check_to_a_table_with_intervals(place, capsys):
    out, err = check(capsys)
    assert not err and "2 runs, 4 steps in all" in out
    assert "multi_scale: studies/mine/my_parts.py:MyBlock keeps the rules at 64×32" in out
    assert "mine: 60 images, 6 people train, 12 queries night" in out
    write_plan()
    prepare("mine")
    study = load_study("mine")
    for run in study.runs():
        result = train(study.config(run), resolve(f"runs/train/{run.name}"), log=lambda line: None)
        evaluate_run(
            study.config(run), result.weights, resolve(f"runs/evaluate/{run.name}"), progress=False
        )
    config = study.config(run)
    floor = rank_by_gradients(open_packed(resolve(config.data_folder)), config)
    write_json(resolve("runs/reference/mine/metrics.json"), {"rows": floor.rows})
    write_tables("mine")
    table = pd.read_csv(resolve("results/mine/tables/comparison.csv")).set_index("variant")
    table = table[(table["metric"] == "mAP") & (table["search"] == "night")]
    assert [*table.index] == ["mscmnet", "mine"]
    assert (table["low"] < table["mean"]).all() and (table["mean"] < table["high"]).all()
    own = table.loc["mine"]
    assert own["difference_low"] < own["difference"] < own["difference_high"]
    summary = pd.read_csv(resolve("results/mine/tables/summary.csv"))
    assert {"mscmnet", "mine", "HOG + LDA"} <= {*summary["network"]}


def test_the_documented_choice_of_a_weight_is_a_study():
    text = documented(2)
    study = read_study(resolve("studies/mine_weights/study.yaml"), text)
    configs = [study.config(run) for run in study.runs()]
    assert [config.metric_weight for config in configs] == [1, 0.1, 0.01]
    losses = {type(build_metric_loss(config, 4, 8)).__name__ for config in configs}
    assert losses == {"Contrastive"} and {config.dataset for config in configs} == {"lab-w9"}


def test_what_a_drawn_table_says_looks_it_over_by_the_studys_protocol(place, capsys, monkeypatch):
    monkeypatch.setattr(emulate, "_HEIGHTS", {"miniature": 16})
    mine = yaml.safe_load(documented())["data"]["mine"]
    settings = mine["settings"] | {"columns": {"identity": "person"}}
    write_study(place, data={"mine": mine | {"settings": settings}})
    assert not cli.main(["emulate", "table", str(place / "drawn"), "--data", "mine"])
    command = capsys.readouterr().out.strip().partition("Look it over: mscm ")[2]
    assert not cli.main(shlex.split(command)), capsys.readouterr()
    assert "night" in capsys.readouterr().out


def test_a_person_without_a_picture_of_one_kind_does_not_stop_a_run(place, capsys):
    write_table(place / DATA, [row for row in rows() if row[1:3] != [3, 2]])
    out, err = check(capsys)
    assert "5 people train" in out and "identity 3 has no infrared image" in out and not err
    write_plan()
    prepare("mine")
    study = load_study("mine")
    run = next(study.runs())
    result = train(study.config(run), resolve(f"runs/train/{run.name}"), log=lambda line: None)
    evaluated = evaluate_run(study.config(run), result.weights, place / "found", progress=False)
    assert evaluated.rows


# wrong parts: what is written in place of what, and words of the error
SEED = "import torch\n\ntorch.manual_seed(3)"
KEPT = "super().__init__()\n        self.seen = []"
WRONG_BLOCKS = {
    "a missing class": ("class MyBlock", "class MyBlok", "no class or function 'MyBlock'; it has"),
    "a file that is not installed": ("import torch", "import helpers", "named 'helpers'"),
    "a slip of the pen": ("def __init__", "def __init__(", "SyntaxError"),
    "no module": ("MyBlock(nn.Module)", "MyBlock", "gave MyBlock; expected an nn.Module"),
    "a signature": ("self, scales", "self, channels, height", "MyBlock(scales), and takes MyBlock("),
    "a shape": (
        'maps["layer3"] * torch.sigmoid(self.gate(maps["layer2"]))',
        'self.gate(maps["layer2"])[..., 1:]',
        "expected shape",
    ),
    "a number format": ('maps["layer3"] *', 'maps["layer3"].double() *', "float64"),
    "no gradient": ('maps["layer3"] *', 'maps["layer3"].detach() *', "its input got no gradient"),
    "an idle parameter": ('self.gate(maps["layer2"])', 'maps["layer3"]', "gate.weight got no gradient"),
    "not a number": ("torch.sigmoid(", "torch.log(-1 - torch.sigmoid(maps['layer3']) + 0 * ", "not finite"),
    "a device": ('maps["layer3"] *', 'torch.ones(1, 1, 4, 2) * maps["layer3"] *', "on a GPU"),
    "inputs changed": ('maps["layer3"] *', 'maps["layer3"].mul_(2) *', "leave them as they are"),
    "a result that is remembered": (
        'return maps["layer3"] *',
        'self.calls = getattr(self, "calls", 0) + 1\n        return self.calls * maps["layer3"] *',
        "depends on",
    ),
    "another size each time": (
        "3, 2, 1)",
        "3, 2, 1); self.x = nn.Linear(int(1 + 9e6 * torch.rand(())) % 97, 1)",
        "x.weight",
    ),
    "seeds the generator": ("import torch", SEED, "seeds PyTorch's generator"),
    "leaves": ("import torch", "import sys; sys.exit('no licence')\nimport torch", "SystemExit"),
}  # fmt: skip
MEAN = "square().mean()"
WRONG_LOSSES = {
    "a missing class": ("class MyLoss", "class Loss", "no class or function 'MyLoss'; it has"),
    "a file that is not installed": ("import torch", "import helpers", "named 'helpers'"),
    "no module": ("class MyLoss", "def MyLoss(identities, dim): return 0.5\n\nclass X", "gave float"),
    "a signature": ("self, identities, dim", "self, margin, scale, dim", "MyLoss(identities, dim)"),
    "arguments of forward": ("self, pooled, labels", "self, pooled", "TypeError"),
    "a number": (MEAN, f"{MEAN}.item()", "returned float; expected torch.float32 of shape ()"),
    "a value a row": (MEAN, "square().mean(dim=1)", "expected torch.float32 of shape ()"),
    "a number format": (MEAN, f"{MEAN}.double()", "float64"),
    "no gradient": ("(pooled - means)", "(pooled - means).detach()", "has no gradient"),
    "not a number": (MEAN, "sum().sqrt()", "of random features is nan", "not finite"),
    "a gradient at zero": (MEAN, "square().sum().sqrt()", "not finite for features that coincide"),
    "a device": ("(labels[:, None] == labels)", "torch.eye(len(labels))", "on a GPU"),
    "labels changed": ("same = (", "labels += 1; same = (", "leave them as they are"),
    "a memory": (
        f"return (pooled - means).{MEAN}",
        'old = getattr(self, "old", 0)\n        self.old = pooled.detach()\n'
        f"        return (pooled - means - old).{MEAN}",
        "register_buffer",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG_BLOCKS)
def test_a_wrong_block_is_one_line_before_training(place, capsys, case):
    old, new, words = WRONG_BLOCKS[case]
    assert old in PARTS
    write_study(place, PARTS.replace(old, new, 1))
    refused(capsys, "multi_scale = 'studies/mine/my_parts.py:MyBlock'", words, "own_parts.py says")


@pytest.mark.parametrize("case", WRONG_LOSSES)
def test_a_wrong_loss_is_one_line_before_training(place, capsys, case):
    old, new, *words = WRONG_LOSSES[case]
    head, loss = PARTS.partition("class MyBlock")[0], PARTS[PARTS.index("class MyLoss") :]
    assert old in head + loss
    text = (head + loss).replace(old, new, 1)
    write_study(place, text, variants={"mine": {"metric_loss": "my_parts:MyLoss"}})
    err = refused(capsys, "metric_loss = 'studies/mine/my_parts.py:MyLoss'", "own_parts.py says")
    assert any(word in err for word in words), err


def test_a_wrong_part_stops_a_study_before_its_first_stage(place):
    write_study(place, PARTS.replace("class MyLoss", "class Loss"))
    with pytest.raises(ConfigError, match="no class or function 'MyLoss'"):
        make(load_study("mine"))
    assert not (place / "plan").exists()


def one(row):
    return row[0] == "visible/1_0.png"


def changed(column, value, of=one):
    return lambda: [
        [value if k == column and of(row) else cell for k, cell in enumerate(row)] for row in rows()
    ]


# wrong data: rows or settings, and words of the error
WRONG_ROWS = {
    "a picture that is not there": (changed(0, "a/none.png"), "line 2", "no such image is there"),
    "no path": (changed(0, ""), "table.csv, line 2: has no path", "fill it in"),
    "a person in both splits": (changed(4, "test"), "identity 1 trains and is tested", "one split"),
    "a modality": (
        changed(3, "visibel"),
        "line 2: has the modality 'visibel'; expected one of 'visible', 'infrared'",
    ),
    "a split": (changed(4, "trian"), "line 2: has the split 'trian'; expected one of train, val, test"),
    "a camera": (changed(2, "hall"), "line 2: has the camera 'hall'; expected a number"),
    "an identity": (changed(1, "ada"), "has the identity 'ada'; the others are whole numbers"),
    "two meanings": (
        lambda: [*rows(), ["visible/1_0.png", 2, 1, "visible", "train"]],
        "line 62: gives 'visible/1_0.png' another meaning",
    ),
    "a short line": (lambda: [*rows(), ["visible/1_0.png", 1]], "line 62: has 2 columns; expected 5"),
    "nobody to search for": (changed(4, "train", lambda row: True), "search 'night': has no query"),
    "nobody to train on": (changed(4, "test", lambda row: True), "no image trains", "write 'train'"),
    "out of the folder": (changed(0, "../raw/a.png"), "leads out of its folder"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG_ROWS)
def test_a_wrong_csv_is_one_line_before_training(place, capsys, case):
    lines, *words = WRONG_ROWS[case]
    write_study(place, variants={"mine": None})
    write_table(place / DATA, lines())
    refused(capsys, *words, "table.csv", "mscm doctor table data/raw/mine --data mine")


def test_a_csv_that_cannot_be_read_is_one_line(place, capsys):
    write_study(place, variants={"mine": None})
    write_table(place / DATA, rows(), ["file", *HEAD[1:]])
    refused(capsys, "unknown column 'path'", "say them in settings.columns")
    text = (place / DATA / "table.csv").read_text()
    (place / DATA / "table.csv").write_text(text, encoding="utf-16")
    refused(capsys, "table.csv: is not UTF-8 text; save it again as plain UTF-8 text")
    (place / DATA / "table.csv").rename(place / DATA / "list.csv")
    refused(capsys, "table.csv: the file is missing")


WRONG_SETTINGS = {
    "a key": ({"own_cam": True}, "unknown key in settings 'own_cam'; did you mean 'own_camera'?"),
    "a search": (
        {"searches": {"night": {"query": "IR", "gallery": "visible"}}},
        "settings.searches.night.query = 'IR': expected one of 'visible', 'infrared'",
    ),
    "a camera": ({"places": [[2, 9]]}, "table.csv: has no image of camera 9, which the settings"),
    "rules that leave nothing": ({"places": [[2, 1]]}, "none of its 12 queries has a right answer"),
    "a column": ({"columns": {"identity": "pid"}}, "unknown column 'pid'"),
    "splits": ({"trials": [1, 2]}, "has no column for the trial, but settings.trials lists splits"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG_SETTINGS)
def test_a_wrong_protocol_is_one_line_before_training(place, capsys, case):
    settings, words = WRONG_SETTINGS[case]
    data = {"reader": "table", "source": DATA, "height": 64, "width": 32, "settings": settings}
    trials = settings.get("trials", [0])
    write_study(place, variants={"mine": None}, data={"mine": data}, trials=trials[:1])
    refused(capsys, words)


def test_a_batch_that_the_people_cannot_fill_is_one_line(place, capsys):
    write_study(place, variants={"mine": None}, run={"identities_per_batch": 7})
    refused(capsys, "identities_per_batch = 7: the training images have only 6 identities")


@pytest.mark.parametrize(
    ("run", "words"),
    [
        ({"weights": "data/nothere.pth"}, "weights = 'data/nothere.pth': no file at /"),
        ({"weights": "data"}, "weights = 'data': no file at /"),
        ({"weights": "no"}, "weights = 'no': no file at /"),
        ({"weights": ""}, "weights = '': no file at /"),
        ({"weights": False}, "weights = False: expected text"),
        ({"weights": "x" * 300}, "x…: is too long a name"),
        ({"backbone": "timm:convnext_ato"}, "did you mean 'convnext_atto'?"),
        ({"backbone": "timm:resnet50"}, "unknown timm backbone 'resnet50'"),
        ({"backbone": "Resnet50"}, "backbone 'Resnet50'; did you mean 'resnet50'?"),
        ({"device": "gpu"}, "device = 'gpu': expected 'auto', 'cpu', 'cuda'"),
    ],
)
def test_a_network_that_cannot_be_is_one_line(place, capsys, run, words):
    write_study(place, variants={"mine": None}, run=run)
    refused(capsys, words)


@pytest.mark.parametrize(("late", "told"), [([150], "150 is"), ([1], "1 is"), ([], "")])
def test_a_milestone_after_the_last_epoch_is_told(place, capsys, late, told):
    write_study(place, variants={"mine": None}, run={"milestones": late, "epochs": 1})
    out, err = check(capsys)
    said = [line for line in out.splitlines() if "milestones" in line]
    assert not err and len(said) == bool(told)
    assert all(f"milestones: {told} not reached in 1 epochs" in line for line in said)


def test_a_folder_that_is_not_there_yet_is_said_and_stops_the_study(place, capsys):
    (place / DATA).rename(place / "data/raw/other")
    assert "mine: not read, since there is no folder data/raw/mine yet" in check(capsys)[0]
    with pytest.raises(DataError, match="reads a CSV of images there"):
        make(load_study("mine"))


def test_a_truncated_picture_stops_packing_and_is_named(place, capsys):
    path = place / DATA / "visible/1_0.png"
    path.write_bytes(path.read_bytes()[:60])
    write_plan()
    with pytest.raises(DataError, match=r"visible/1_0\.png"):
        prepare("mine")
    assert cli.main(["doctor", "table", str(place / DATA), "--data", "mine"]) == 1
    assert "visible/1_0.png" in capsys.readouterr().out


def test_an_edit_of_one_file_counts_for_the_runs_that_name_it_alone(place):
    write_study(place, variants={
        "mine": {"metric_loss": "my_parts:MyLoss"}, "yours": {"metric_loss": "yours:MyLoss"},
    })  # fmt: skip
    other = place / "studies/mine/yours.py"
    other.write_text(PARTS)
    plan = compiled()
    before = _own_digests()
    assert before.keys() == {"mine-mine", "mine-yours"}
    other.write_text("# a remark\n" + PARTS)
    assert _own_digests() == before
    other.write_text(PARTS.replace("square()", "abs()"))
    after = _own_digests()
    assert after["mine-mine"] == before["mine-mine"] and after["mine-yours"] != before["mine-yours"]
    assert compiled() == plan


def _own_digests():
    write_own_code(load_study("mine"))
    return {path.name: file_digest(path) for path in resolve("build/own/mine").iterdir()}


def test_an_edit_of_the_csv_counts_in_the_fingerprint_of_its_runs(place):
    write_plan()
    first = prepare("mine").images.fingerprint
    write_table(place / DATA, changed(1, 2)())
    assert prepare("mine").images.fingerprint != first


@pytest.fixture
def finished(place):
    """Two datasets of the stranger's with a finished run on each; gives the texts of a notebook."""
    data = yaml.safe_load(documented())["data"]["mine"]
    write_pictures(place / "data/raw/theirs", seed=1)
    both = {"mine": data, "theirs": data | {"source": "data/raw/theirs"}}
    write_study(place, variants={"mine": None}, data=both)
    write_plan()
    study = load_study("mine")
    for dataset in both:
        prepare(dataset)
    for run in study.runs():
        result = train(study.config(run), resolve(f"runs/train/{run.name}"), log=lambda line: None)
        output = resolve(f"runs/evaluate/{run.name}")
        evaluate_run(study.config(run), result.weights, output, progress=False)

    def executed(stem):
        execute(stem, place / f"{stem}.ipynb", {"study": "mine"})
        notebook = nbformat.read(place / f"{stem}.ipynb", as_version=4)
        outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
        return "".join(output.get("text", "") for output in outputs)

    return executed


@pytest.mark.timeout(1800)  # three kernels
def test_notebooks_that_look_into_finished_runs_take_the_stranger_s(finished):
    said = finished("61_score_audit")
    assert "mscmnet, seed 0, of the study mine" in said
    said = finished("62_same_person")
    assert "mscmnet, seed 0:" in said and "made for this page" not in said
    assert "mine, theirs: of the study mine" in finished("63_across_datasets")
