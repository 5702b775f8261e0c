"""The study's tables: every finished run's figures, gathered and summed up over seeds and splits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from mscm_lib.config import RunConfig
from mscm_lib.data.emulated.emulate import MARKER
from mscm_lib.data.packed.opened import PackedDataset, open_packed
from mscm_lib.errors import DataError
from mscm_lib.evaluation.cache import load_embeddings
from mscm_lib.evaluation.embedding import Embeddings
from mscm_lib.evaluation.inspection import center_distances, inspect_network
from mscm_lib.evaluation.probes import FEWEST, probe
from mscm_lib.evaluation.run import load_run_network
from mscm_lib.files import atomic_path, made, read_json, write_json, write_text
from mscm_lib.hardware import choose_hardware
from mscm_lib.markdown import markdown_table
from mscm_lib.paths import resolve
from mscm_lib.study.comparison import Gate, benchmark_of, compare_variants
from mscm_lib.study.plan import planned_config
from mscm_lib.study.settings import RunName, Study, load_study

METRICS = ("rank1", "rank5", "rank10", "rank20", "mean_ap", "mean_inp")
LABELS = {
    "rank1": "R1",
    "rank5": "R5",
    "rank10": "R10",
    "rank20": "R20",
    "mean_ap": "mAP",
    "mean_inp": "mINP",
}
RUN = ["dataset", "variant", "trial", "seed"]
PROTOCOL = [
    "search", "direction", "scoring", "draw", "shots", "feature", "mix_weight", "flip", "rerank",
]  # fmt: skip


def write_tables(name: str) -> None:
    """Write ``results/<study>/tables`` from what the study's runs left.

    - ``metrics.csv``: a row for each run, search and feature: means over gallery trials, as fractions
    - ``identities.csv``: a row for each run, search and searched person: mean AP and rank-1 of the
      reported feature over that person's queries and galleries, from which intervals are drawn
    - ``comparison.csv``: every variant's mAP and rank-1 with intervals over worlds, its paired
      difference from the study's reference, and the verdict (see `mscm_lib.study.comparison`)
    - ``histories.csv``: every run's training history
    - ``summary.csv``, ``summary.md``: mean and standard deviation over seeds and splits, percent
    - ``headline.json``: mAP and rank-1 of each network and search, for `dvc metrics` and `dvc exp`
    - ``probes.csv``: what a linear probe reads from each run's feature: modality, camera, and of
      generated people each attribute (see `mscm_lib.evaluation.probes`)
    - ``inspections.csv``: what each run's ALBs go by, QCT's terms, and how far modalities and people
      lie apart (see `mscm_lib.evaluation.inspection`)
    - ``provenance.json``: of every run, and whether its images are an emulated tree's

    Raises:
        DataError: a run has not left what it should have.
    """
    study = load_study(name)
    metrics = pd.DataFrame(_all_rows(study))
    summary = summarise(metrics)
    identities, histories, inspections = (
        pd.concat(tables(study), ignore_index=True)
        for tables in (_identities, _histories, _inspections)
    )
    compared = _comparisons(identities, metrics, histories, study.reference)
    written = {
        "metrics": (metrics, "%.6f"),
        "identities": (identities, "%.6f"),
        "histories": (histories, "%.6g"),
        "comparison": (pd.concat(compared, ignore_index=True), "%.5g"),
        "inspections": (inspections, "%.4f"),
        "summary": (summary, "%.2f"),
    }
    if probes := [*_probes(study)]:
        written["probes"] = (pd.concat(probes, ignore_index=True), "%.4f")
    with atomic_path(resolve(f"results/{study.name}/tables")) as folder:
        folder.mkdir()
        for file, (table, form) in written.items():
            write_text(folder / f"{file}.csv", table.to_csv(index=False, float_format=form))
        write_text(folder / "summary.md", as_markdown(summary))
        write_json(folder / "headline.json", headline(summary))
        records = {run.name: _provenance(run, study) for run in study.runs()}
        write_json(folder / "provenance.json", records)


def summarise(metrics: pd.DataFrame) -> pd.DataFrame:
    """One row a variant and search: mean and standard deviation over runs, in percent.

    Worlds of one benchmark (``lab-w0``, ``lab-w1``, …) are runs of it. Only the reported feature
    counts here (see `RunConfig.feature`); the others stand in ``metrics.csv``.
    """
    reported = metrics[metrics["reported"]]
    benchmark = reported["dataset"].map(benchmark_of).rename("benchmark")
    rows = []
    for key, group in reported.groupby(
        [benchmark, "search", "direction", "scoring", "variant"], sort=False, dropna=False
    ):
        dataset, search, direction, scoring, variant = key
        row: dict[str, Any] = {
            "network": variant,
            "dataset": dataset,
            "search": f"{search}, {scoring}" if isinstance(scoring, str) and scoring else search,
            "query → gallery": direction,
            "feature": described(group.iloc[0]),
            "runs": len(group),
        }
        for metric in METRICS:
            values = group[metric] * 100
            row[LABELS[metric]] = values.mean()
            row[f"{LABELS[metric]} sd"] = values.std() if len(values) > 1 else float("nan")
        row["command"] = _command(group)
        rows.append(row)
    return pd.DataFrame(rows)


def described(row: Mapping[str, Any] | pd.Series) -> str:
    """Feature and post-processing of a row in words, such as "mix (neck 0.5), flip, re-ranked"."""
    feature = str(row["feature"])
    if feature == "mix":
        feature += f" (neck {row['mix_weight']:g})"
    done = [name for key, name in (("flip", "flip"), ("rerank", "re-ranked")) if row[key]]
    return ", ".join([feature, *done])


def results_table(summary: pd.DataFrame) -> pd.DataFrame:
    """The summary as people read it: mean ± standard deviation over runs, a command a row."""
    shown = summary[["network", "search", "query → gallery", "feature", "runs"]].astype(str)
    for label in ("R1", "R10", "mAP", "mINP"):
        spread = [f" ± {sd:.1f}" if sd == sd else "" for sd in summary[f"{label} sd"]]
        shown[label] = [f"{mean:.1f}{sd}" for mean, sd in zip(summary[label], spread, strict=True)]
    return shown.assign(command=summary["command"])


def as_markdown(summary: pd.DataFrame) -> str:
    """`results_table` for README.md."""
    table = results_table(summary)
    table["command"] = "`" + table["command"] + "`"
    return markdown_table(list(table.columns), table.itertuples(index=False))


def headline(summary: pd.DataFrame) -> dict[str, Any]:
    """mAP and rank-1 in percent by network and search; by dataset first where there are several."""
    found: dict[str, Any] = {}
    several = summary["dataset"].nunique() > 1
    for _, row in summary.iterrows():
        place = found.setdefault(row["dataset"], {}) if several else found
        networks = place.setdefault(row["network"].replace(" ", "-"), {})
        figures = {label: round(float(row[label]), 2) for label in ("mAP", "R1")}
        networks[row["search"].replace(", ", "-")] = figures
    return found


def _command(group: pd.DataFrame) -> str:
    """What makes a row's runs again, each by its name."""
    if group["kind"].iloc[0] == "reference":
        return "dvc repro " + " ".join(f"reference@{name}" for name in group["dataset"].unique())
    columns = (group[key] for key in RUN)
    runs = {RunName(d, v, int(t), int(s)).name: 0 for d, v, t, s in zip(*columns, strict=True)}
    return "dvc repro " + " ".join(f"evaluate@{run}" for run in runs)


def _all_rows(study: Study) -> Iterator[dict[str, Any]]:
    for run in study.runs():
        config = planned_config(run.name)
        for row in _metrics(resolve(f"runs/evaluate/{run.name}/metrics.json")):
            names = dict(zip(RUN, (run.dataset, run.variant, run.trial, run.seed), strict=True))
            yield {"kind": "trained", **names, **row, "reported": _reported(row, config)}
    for dataset in study.data:
        config = planned_config(next(r.name for r in study.runs() if r.dataset == dataset))
        for row in _metrics(resolve(f"runs/reference/{dataset}/metrics.json")):
            about = {"kind": "reference", "dataset": dataset}
            yield {**about, **row, "reported": _reported(row, config)}


def _identities(study: Study) -> Iterator[pd.DataFrame]:
    for run in study.runs():
        config = planned_config(run.name)
        path = made(resolve(f"runs/evaluate/{run.name}/queries.csv"), "`dvc repro` makes it")
        queries = pd.read_csv(path, dtype={"scoring": str})  # empty where there is one way
        reported = queries.apply(lambda row, config=config: _reported(row, config), axis=1)
        queries = queries[reported & queries["valid"]]
        hits = queries.assign(hit=queries["first_hit"] == 1, scoring=queries["scoring"].fillna(""))
        groups = hits.groupby(["search", "scoring", "query_id"])
        table = groups.agg(queries=("ap", "size"), ap=("ap", "mean"), hit=("hit", "mean"))
        yield _of_run(run, table.reset_index())


def _embedded(study: Study) -> Iterator[tuple[RunName, RunConfig, PackedDataset, Embeddings]]:
    """Every run with its dataset and the embeddings that its evaluation left."""
    for run in study.runs():
        config = planned_config(run.name)
        packed = open_packed(resolve(config.data_folder))
        yield run, config, packed, load_embeddings(resolve(f"runs/evaluate/{run.name}"), packed)


def _probes(study: Study) -> Iterator[pd.DataFrame]:
    """Of datasets with people enough to have halves, run by run; attributes where a ledger is."""
    for run, _, packed, found in _embedded(study):
        if len(set(found.table.ids.tolist())) < FEWEST:
            continue
        values = found.features["neck"].numpy()
        root = Path(packed.dataset.root)
        if study.data[run.dataset].reader == "generated":
            ledger = pd.read_csv(root / "ledger.csv", keep_default_na=False)
            attributes = pd.read_csv(root / "attributes.csv")
            bands = dict(zip(attributes["attribute"], attributes["band"], strict=True))
            yield _of_run(run, probe(values, found.table, ledger, bands))
        else:
            yield _of_run(run, probe(values, found.table))


def _inspections(study: Study) -> Iterator[pd.DataFrame]:
    """Of every run: what its network does inside, and how far centers lie apart."""
    for run, config, packed, found in _embedded(study):
        hardware = choose_hardware(config)
        weights = resolve(f"runs/train/{run.name}/model.safetensors")
        net = load_run_network(config, packed, weights, hardware)
        yield _of_run(run, inspect_network(net, packed, config, hardware))
        yield _of_run(run, center_distances(found))


def _of_run(run: RunName, table: pd.DataFrame) -> pd.DataFrame:
    """``table`` with the run's names before its columns."""
    for place, key in enumerate(RUN):
        table.insert(place, key, getattr(run, key))
    return table


def _comparisons(
    identities: pd.DataFrame, metrics: pd.DataFrame, histories: pd.DataFrame, reference: str
) -> Iterator[pd.DataFrame]:
    """By benchmark, which stands under ``dataset`` and whose worlds are replicates, and search."""
    worlds = identities["dataset"].map(benchmark_of)
    for key, group in identities.groupby([worlds, "search", "scoring"], sort=False):
        place = dict(zip(("dataset", "search", "scoring"), map(str, key), strict=True))
        gate = Gate.of(metrics, histories, reference, **place)
        for metric, label in (("ap", "mAP"), ("hit", "R1")):
            table = compare_variants(group, reference, metric, gate=gate)
            names = {**place, "metric": label}
            yield table.assign(**names)[[*names, *table.columns]]


def _reported(row: dict[str, Any], config: RunConfig) -> bool:
    """Whether a row is the one the study reports.

    A network's chosen feature, flip-averaged where the run asks for it, and any feature of a
    reference; never re-ranked: those rows stand beside, in ``metrics.csv``, since re-ranking one
    query uses all the others.
    """
    wanted = row["feature"] not in {"neck", "pooled", "mix"} - {config.feature}
    return wanted and bool(row["flip"]) == config.flip and not row["rerank"]


def _metrics(path: Path) -> list[dict[str, Any]]:
    record = read_json(path)
    if "rows" not in record:
        raise DataError(f"{path}: expected `rows` of metrics; delete the run and make it again")
    return [
        {key: row.get(key) for key in (*_EXTRA, *PROTOCOL, *METRICS, *_BOUNDS)}
        | {key: row[key] for key in RUN[1:] if key in row}
        for row in record["rows"]
    ]


_EXTRA = ("protocol", "gallery_trials", "valid_queries")
_BOUNDS = ("mean_ap_low", "mean_ap_high", "rank1_low", "rank1_high")


def _histories(study: Study) -> Iterator[pd.DataFrame]:
    for run in study.runs():
        path = resolve(f"runs/train/{run.name}/history.csv")
        yield _of_run(run, pd.read_csv(made(path, "`dvc repro` makes it")))


def _provenance(run: RunName, study: Study) -> dict[str, Any]:
    """The run's record, and what read its images: a tree that was drawn looks like a real one."""
    definition = study.data[run.dataset]
    emulated = bool(definition.source) and (resolve(definition.source) / MARKER).is_file()
    images = {"reader": definition.reader, "emulated": emulated}
    return {**read_json(resolve(f"runs/train/{run.name}/run.json")), "images": images}
