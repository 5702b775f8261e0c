"""The experiments' notebooks on invented tables, and where nothing has been measured."""

import json
import shutil
from dataclasses import replace

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pandas as pd
import pytest

from mscm_lib.evaluation.probes import COLUMNS
from mscm_lib.paths import project_root
from mscm_lib.reports.experiment_figures import unbeaten
from mscm_lib.reports.experiments import read_experiment
from mscm_lib.study.comparison import FLOOR, benchmark_of, compare_variants
from mscm_lib.study.copies import studies_of_notebooks
from mscm_lib.study.settings import study_on, write_study_on

NOTEBOOKS = [project_root() / f"notebooks/{stem}.ipynb" for stem in studies_of_notebooks()]
PEOPLE = 12
ON_REAL_DATA = {
    f"{name}-{on}": (name, on)
    for name, on in (("components", "sysu"), ("losses", "llcm"), ("alpha", "sysu"), ("albs", "sysu"),
                     ("multi_scale", "sysu"), ("streams", "sysu"), ("augmentations", "sysu"),
                     ("lab", "sysu"), ("size_128", "sysu"), ("methods", "sysu"), ("way_around", "sysu"))
}  # fmt: skip


def invented_tables(study, folder):
    """What the tables stage would leave of runs whose figures are drawn at random."""
    generator = np.random.default_rng(0)
    identities, metrics, probes, records = [], [], [], {}
    hard = generator.uniform(0, 0.3, PEOPLE)
    for run in study.runs():
        own = {"dataset": run.dataset, "variant": run.variant, "trial": 0, "seed": run.seed}
        worth = 0.3 + 0.02 * study.variants.index(run.variant) + 0.02 * generator.standard_normal()
        ap = worth + hard + 0.05 * generator.standard_normal(PEOPLE)
        people = {"search": "all", "scoring": "", "query_id": range(PEOPLE), "queries": 6}
        identities.append(pd.DataFrame({**own, **people, "ap": ap, "hit": ap + 0.1}))
        figures = {"mean_ap": ap.mean(), "rank1": ap.mean() + 0.1}
        place = {"search": "all", "scoring": "", "kind": "trained", "reported": True}
        metrics.append({**own, **figures, **place})
        for kind in ("shared", "own", "other", "camera"):
            probes += [
                [*own.values(), images, kind, kind, 4, 0.4, 0.2]
                for images in ("visible", "infrared")
            ]
        machine = {"device": "cpu", "processor": "AMD EPYC", "threads": 1, "system": "Linux"}
        machine |= {"commit": "c" * 40, "versions": {"torch": "2.13.0"}}
        records[run.name] = machine | {"steps_per_epoch": study.config(run).steps_per_epoch or 73}
    table = pd.concat(identities, ignore_index=True)
    comparison = [
        compare_variants(group, study.reference, metric).assign(
            dataset=dataset, search="all", scoring="", metric=label
        )
        for dataset, group in table.groupby(table["dataset"].map(benchmark_of), sort=False)
        for metric, label in (("ap", "mAP"), ("hit", "R1"))
    ]
    floor = {
        "variant": FLOOR,
        "trial": 0,
        "seed": 0,
        "mean_ap": 0.1,
        "rank1": 0.1,
        "kind": "reference",
    }
    floors = [{"dataset": name, **place, **floor} for name in study.data]
    folder.mkdir(parents=True)
    pd.concat(comparison).to_csv(folder / "comparison.csv", index=False)
    table.to_csv(folder / "identities.csv", index=False)
    runs = pd.DataFrame(metrics)[["dataset", "variant", "trial", "seed"]]
    runs.assign(epoch=0, accuracy=0.5).to_csv(folder / "histories.csv", index=False)
    pd.DataFrame(metrics + floors).to_csv(folder / "metrics.csv", index=False)
    pd.DataFrame(probes, columns=[*own, *COLUMNS]).to_csv(folder / "probes.csv", index=False)
    (folder / "provenance.json").write_text(json.dumps(records))


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    """Two projects: one with results of every experiment, one with none."""
    found = {}
    for name in ("measured", "empty"):
        root = found[name] = tmp_path_factory.mktemp(name)
        for path in ("dvc.yaml", "variants.yaml", "mscm_lib", "notebooks"):
            (root / path).symlink_to(project_root() / path)
        shutil.copytree(project_root() / "studies", root / "studies")
        (root / "results").mkdir()
        (root / "results/benchmarks").symlink_to(project_root() / "results/benchmarks")
    for name, on in (*((n, "") for n in studies_of_notebooks().values()), *ON_REAL_DATA.values()):
        study = study_on(name, on)
        for root in found.values():
            with pytest.MonkeyPatch.context() as patch:
                patch.chdir(root)
                write_study_on(name, on)
        invented_tables(study, found["measured"] / f"results/{study.name}/tables")
    return found


@pytest.fixture
def executed(roots, monkeypatch):
    """Runs a notebook's code in this process and gives its names."""

    def run(path, state, study=""):
        monkeypatch.chdir(roots[state])
        names = {}
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "code":
                exec(cell.source, names)
            if study and "parameters" in cell.metadata.get("tags", []):
                names["study"] = study
        return names

    yield run
    plt.close("all")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_reads_what_was_measured(path, executed, capsys):
    names = executed(path, "measured")
    rows = names["rows"]
    assert names["experiment"].measured and len(rows) == len(names["experiment"].study.variants)
    assert rows["mean"].notna().all()
    said = capsys.readouterr().out
    assert "Measured: " in said and "not measured" not in said and "nan" not in said


@pytest.mark.parametrize("study", ON_REAL_DATA)
def test_it_reads_the_same_experiment_on_real_data(study, executed, capsys):
    name, _ = ON_REAL_DATA[study]
    stem = next(stem for stem, own in studies_of_notebooks().items() if own == name)
    path = project_root() / f"notebooks/{stem}.ipynb"
    names = executed(path, "measured", study)
    assert names["rows"]["mean"].notna().all()
    said = capsys.readouterr().out
    assert f"`make study STUDY={study}` makes them again" in said and "nan" not in said
    again = executed(path, "empty", study)
    assert again["rows"]["mean"].isna().all()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_without_results_it_says_so_and_how_to_make_them(path, executed, capsys):
    names = executed(path, "empty")
    said = capsys.readouterr().out
    assert f"Not measured here. `make study STUDY={names['study']}`" in said
    assert names["rows"]["mean"].isna().all()


def test_curves_and_pages_tell_the_steps_that_were_made(roots, monkeypatch):
    monkeypatch.chdir(roots["measured"])
    real = read_experiment("lab", "sysu")
    assert {*real.histories()["steps"]} == {73} and "150 epochs of 73 steps" in real.about()
    assert {*read_experiment("lab").histories()["steps"]} == {96}
    monkeypatch.chdir(roots["empty"])
    waiting = read_experiment("lab", "sysu")
    assert waiting.histories().empty and "150 epochs of as many steps as fit" in waiting.about()


def test_readers_are_told_labels_and_what_training_costs(executed):
    names = executed(project_root() / "notebooks/34_multi_scale.ipynb", "measured")
    about, beyond = names["experiment"].about(), {*names["beyond"].index}
    assert "none; concatenation; cross attention" in about and "mscmnet" not in about
    assert beyond == {"concatenation", "cross attention", "self attention", "MIMB"}
    names = executed(project_root() / "notebooks/51_other_methods.ipynb", "measured")
    trained = names["price"].set_axis(names["names"])["GFLOP to train on a sample"]
    assert trained["caj-plain"] > trained["hc-triplet"] == trained["baseline"]


def test_every_experiment_has_its_notebook():
    paths = sorted((project_root() / "notebooks").glob("[35]*.ipynb"))
    named = {nbformat.read(path, as_version=4).cells[3].source.split('"')[1] for path in paths}
    assert {*named, "lab"} == set(studies_of_notebooks().values())


def test_another_reference_turns_the_sign(roots, monkeypatch):
    monkeypatch.chdir(roots["measured"])
    experiment = read_experiment("components")
    forth, back = experiment.against("baseline"), experiment.against("mscmnet")
    assert forth.loc["mscmnet", "difference"] == pytest.approx(-back.loc["baseline", "difference"])
    assert forth["mean"].equals(back["mean"])


def test_contrasts_are_tested_as_a_family_of_their_own(roots, monkeypatch):
    monkeypatch.chdir(roots["measured"])
    experiment = read_experiment("components")
    assert experiment.contrasts()["difference"].notna().all()
    stated = {"MIMB": {"mscmnet": 1, "none": -1}, "half": {"mscmnet": 0.5, "none": -0.5}}
    experiment = replace(experiment, study=replace(experiment.study, contrasts=stated))
    found = experiment.contrasts()
    assert list(found["label"]) == list(found.index) == ["MIMB", "half"]
    same = ["difference", "difference_low", "difference_high"]
    pair = experiment.against("none").loc["mscmnet"]
    assert found.loc["MIMB", same].tolist() == pytest.approx(pair[same].tolist())
    assert found.loc["half", same].tolist() == pytest.approx(
        (pair[same].astype(float) / 2).tolist()
    )
    assert found.loc["MIMB", "detectable"] < pair["detectable"]  # two tests, not seven
    assert set(found["verdict"]) == {"not trained far enough"}  # the invented accuracy is 0.5
    alone = experiment.contrasts(world=experiment.dataset)
    assert alone["difference"].notna().all() and not alone[same].equals(found[same])
    assert read_experiment("alpha").contrasts().empty
    assert experiment.weights.loc[["mscmnet", "none", "qct"], "half"].tolist() == [0.5, -0.5, 0]
    foreseen = experiment.foreseen(experiment)["seen four times in five"]
    assert foreseen["half"] == pytest.approx(foreseen["MIMB"] / 2) and foreseen["half"] > 0
    monkeypatch.chdir(roots["empty"])
    nothing = read_experiment("components")
    assert nothing.contrasts()["difference"].isna().all()
    assert list(nothing.contrasts()["label"]) == list(nothing.study.contrasts)


def test_what_costs_more_and_gives_less_is_beaten():
    cost = pd.Series({"plain": 1.0, "dear": 3.0, "poor": 2.0, "equal": 1.0})
    accuracy = pd.Series({"plain": 50.0, "dear": 60.0, "poor": 40.0, "equal": 45.0})
    assert unbeaten(cost, accuracy) == ["plain", "dear"]
