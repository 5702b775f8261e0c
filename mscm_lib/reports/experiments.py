"""An experiment's tables as its notebook reads them, measured or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from mscm_lib.config import check_known
from mscm_lib.errors import DataError
from mscm_lib.files import read_json
from mscm_lib.metrics.inference import Estimate
from mscm_lib.paths import resolve
from mscm_lib.provenance import mixed
from mscm_lib.study.comparison import (
    Gate,
    benchmark_of,
    compare_contrasts,
    compare_variants,
)
from mscm_lib.study.settings import RunName, Study, study_on

_COMPARISON = [
    "dataset", "search", "scoring", "metric", "variant", "worlds", "seeds", "mean", "low", "high",
    "improvement", "difference", "difference_low", "difference_high", "p", "p_holm",
    "p_equivalence", "detectable", "verdict",
]  # fmt: skip
_JUDGED = ["p_holm", "p_equivalence", "detectable", "verdict"]
_TURNED = {"better": "worse", "worse": "better"}
_RUNS = ["dataset", "variant", "seed", "mean_ap", "rank1"]
Metric = Literal["mAP", "R1"]
_MEASURES = {"mAP": ("ap", "mean_ap"), "R1": ("hit", "rank1")}
"""A measure's column in ``identities.csv``, and in ``metrics.csv``, which has a row a run."""


@dataclass(frozen=True, eq=False)
class Experiment:
    """What a study compares, and its tables and records, which are empty where it was not run here."""

    study: Study
    comparison: pd.DataFrame
    identities: pd.DataFrame
    metrics: pd.DataFrame
    provenance: dict[str, Any]

    @property
    def measured(self) -> bool:
        """Whether the study's results are here."""
        return len(self.comparison) > 0

    @property
    def command(self) -> str:
        """What makes, or makes again, the results."""
        return f"make study STUDY={self.study.name}"

    @property
    def state(self) -> str:
        """One sentence: measured and how it is made again, or not."""
        if not self.measured:
            return f"Not measured here. `{self.command}` measures it."
        runs = len(self.provenance)
        return f"Measured: {runs} runs. `{self.command}` makes them again."

    @property
    def dataset(self) -> str:
        """The first dataset, on which variants are compared."""
        return next(iter(self.study.data))

    def label(self, variant: str) -> str:
        """A variant's name for readers."""
        return self.study.labels.get(variant, variant.replace("-", " "))

    def beside(self, name: str) -> Experiment:
        """Another experiment on the same data as this one."""
        placed = self.study.variants_of and self.study.data_of
        return read_experiment(name, self.study.data_of if placed else "")

    def about(self) -> str:
        """What was asked of which networks, on what, and by which machine: a list in Markdown."""
        first = next(self.study.runs())
        run, data = self.study.config(first), self.study.data[self.dataset]
        steps = self.provenance.get(first.name, {}).get("steps_per_epoch", run.steps_per_epoch)
        facts = {
            "datasets": ", ".join(f"{n} ({d.reader})" for n, d in self.study.data.items()),
            "people searched": str(data.settings.get("test_identities", "as the dataset has")),
            "image size": f"{run.height} × {run.width} pixels",
            "backbone": f"{run.backbone}, initial weights: {run.weights}",
            "training": f"{run.epochs} epochs of {steps or 'as many'} steps{'' if steps else ' as fit'}, "
            f"{run.identities_per_batch} people × {run.images_per_identity} images a modality",
            "variants": "; ".join(map(self.label, self.study.variants)),
            "seeds": ", ".join(map(str, self.study.seeds)) or "each world's own",
            "compared with": self.label(self.study.reference),
        }
        if records := [*self.provenance.values()]:
            facts["machine"] = "{device}, {threads} threads, {system}".format(**records[0])
            facts["commit"] = ", ".join(sorted({each["commit"][:12] for each in records}))
            facts |= {"mixed": said} if (said := mixed(records)) else {}
        return "\n".join(f"- {name}: {text}" for name, text in facts.items())

    def rows(self, metric: Metric = "mAP", dataset: str = "") -> pd.DataFrame:
        """The variants' figures in percent, in the study's order, by variant.

        Of the first search on a dataset, the first by default. Columns: label, and those of
        `mscm_lib.study.comparison.compare_variants`.

        Raises:
            ConfigError: no such dataset among the results.
        """
        table = self._of(self.comparison, dataset)
        table = table[table["metric"] == metric].set_index("variant")
        table = table.reindex(
            [v for v in self.study.variants if not self.measured or v in table.index]
        )
        return self._named(table.drop(columns=["dataset", "search", "scoring", "metric"]))

    def against(self, reference: str) -> pd.DataFrame:
        """`rows` with another reference: other pairs, each with the interval it has anywhere.

        The one with the study's own reference has its verdict of `rows`, so that no pair has two.
        """
        if not self.measured:
            return self.rows()
        people = self._of(self.identities)
        found = compare_variants(people, reference, gate=self.gate()).set_index("variant")
        if reference != self.study.reference:
            own = self.rows().loc[reference, _JUDGED]
            found.loc[self.study.reference, _JUDGED] = own.replace(_TURNED)
        return self._named(found.reindex(self.study.variants))

    def contrasts(self, metric: Metric = "mAP", world: str = "") -> pd.DataFrame:
        """The contrasts that the study states in advance, by their names.

        They are one family, apart from the pairs of `rows`. Of one ``world``, a dataset, they show
        whether its people alone say the same. Columns: label, and those of
        `mscm_lib.study.comparison.compare_contrasts`.
        """
        stated = self.study.contrasts
        if not self.measured:
            return self.rows(metric).iloc[:0].reindex([*stated]).assign(label=[*stated])
        people = self._of(self.identities, world)
        people = people[people["dataset"] == world] if world else people
        figure, _ = _MEASURES[metric]
        found = compare_contrasts(people, stated, figure, gate=self.gate(world))
        return found.rename(columns={"contrast": "label"}).set_index("label", drop=False)

    @property
    def weights(self) -> pd.DataFrame:
        """What the contrasts are made of: a row a variant, a column a contrast."""
        return pd.DataFrame(self.study.contrasts).reindex(self.study.variants).fillna(0)

    def foreseen(self, known: Experiment) -> pd.DataFrame:
        """What the tests of the contrasts see four times in five, in points, by the spread of other runs.

        A run of ``known`` departs from what its world and its variant lead to expect by a standard
        deviation s, a contrast with weights w between worlds by s · sqrt(sum of w²).
        """
        runs = known.seeds().pivot_table(index="dataset", columns="variant", values="value")
        left = runs.sub(runs.mean(axis=1), axis=0) - (runs.mean() - runs.mean().mean())
        freedom = max((len(runs) - 1) * (runs.shape[1] - 1), 1)
        spread = (left.pow(2).sum().sum() / freedom) ** 0.5 * self.weights.pow(2).sum() ** 0.5
        worlds = len(self.study.data)
        estimates = [Estimate(0, each / worlds**0.5, worlds - 1) for each in spread]
        seen = [each.detectable(len(spread)) for each in estimates]
        return pd.DataFrame({"spread between worlds": spread, "seen four times in five": seen})

    def gate(self, dataset: str = "") -> Gate:
        """Floor, reference network and training accuracies, which verdicts depend on."""
        people = self._of(self.identities, dataset)[["dataset", "search", "scoring"]]
        place = people.astype(object).fillna("").iloc[0]
        histories = read_table(self.study.name, "histories")
        return Gate.of(self.metrics, histories, self.study.reference, *place)

    def _named(self, table: pd.DataFrame) -> pd.DataFrame:
        table.insert(0, "label", [self.label(str(name)) for name in table.index])
        return table

    def seeds(self, metric: Metric = "mAP") -> pd.DataFrame:
        """Each run's figure in percent: columns dataset, variant, label, seed, value."""
        table = self._of(self.metrics)
        if self.measured:
            table = table[table["reported"] & (table["kind"] == "trained")]
        found = table[["dataset", "variant", "seed"]].copy()
        found.insert(2, "label", [self.label(str(name)) for name in found["variant"]])
        _, figure = _MEASURES[metric]
        return found.assign(value=100 * table[figure].astype(float))

    def histories(self, dataset: str = "") -> pd.DataFrame:
        """Every epoch of every run on a dataset (the first by default): its label, and steps made by then."""
        run = ["dataset", "variant", "trial", "seed"]
        table = read_table(self.study.name, "histories", [*run, "epoch", "accuracy"])
        table = table[table["dataset"] == (dataset or self.dataset)]
        names = [RunName(*each).name for each in table[run].itertuples(index=False)]
        made = [self.provenance[name]["steps_per_epoch"] for name in names]
        labels = [self.label(str(name)) for name in table["variant"]]
        return table.assign(label=labels, steps=(table["epoch"] + 1) * made)

    def distances(self) -> pd.DataFrame:
        """How far means of modalities, and of people, lie apart in each run, and the one over the other.

        By dataset and variant; columns modalities, people, gap. Empty where nothing was looked into.
        """
        columns = ["dataset", "variant", "measure", "part", "value"]
        looked = read_table(self.study.name, "inspections", columns)
        centers = looked[looked["measure"] == "distance of centers"]
        apart = centers.pivot(index=["dataset", "variant"], columns="part", values="value")
        apart = apart.reindex(columns=["modalities", "people"]).astype(float)
        return apart.assign(gap=apart["modalities"] / apart["people"])

    def _of(self, table: pd.DataFrame, dataset: str = "") -> pd.DataFrame:
        """Rows of the first search on a dataset, or on all worlds of its benchmark."""
        if not self.measured:
            return table
        own, wanted = table["dataset"].map(benchmark_of), benchmark_of(dataset or self.dataset)
        check_known("dataset", wanted, dict.fromkeys(own))
        table = table[own == wanted]
        return table[table["search"] == table["search"].iloc[0]]


def read_experiment(name: str, on: str = "") -> Experiment:
    """A study with its results, or without where it has not been run here; ``on`` another's data.

    Raises:
        ConfigError: no study has the name.
        DataError: its provenance is missing or damaged.
    """
    study = study_on(name, on)
    comparison = read_table(study.name, "comparison", _COMPARISON)
    identities, metrics = (read_table(study.name, t, _RUNS) for t in ("identities", "metrics"))
    path = resolve(f"results/{study.name}/tables/provenance.json")
    records = read_json(path) if len(comparison) else {}
    return Experiment(study, comparison, identities, metrics, records)


def read_measured(name: str) -> Experiment:
    """`read_experiment` of a study that has been run here; else a `DataError` with the command."""
    experiment = read_experiment(name)
    if not experiment.measured:
        raise DataError(f"results/{name}/tables: no results; `{experiment.command}` makes them")
    return experiment


def read_table(study: str, name: str, columns: Sequence[str] = ()) -> pd.DataFrame:
    """``results/<study>/tables/<name>.csv``; ``columns`` without rows where it is not there."""
    path = resolve(f"results/{study}/tables/{name}.csv")
    return pd.read_csv(path) if path.is_file() else pd.DataFrame(columns=[*columns])


def costs(variants: Sequence[str]) -> pd.DataFrame:
    """What each variant costs at the paper's size and backbone, from ``results/benchmarks/cost.csv``.

    Raises:
        DataError: the table lacks a variant, or is not there.
    """
    path = resolve("results/benchmarks/cost.csv")
    table = pd.read_csv(path, index_col="variant") if path.is_file() else pd.DataFrame()
    if missing := [name for name in variants if name not in table.index]:
        add = f"`python benchmarks/cost.py --variants {' '.join(missing)}` adds them"
        raise DataError(f"{path}: lacks {', '.join(missing)}; {add}")
    return table.loc[list(variants), list(_COSTS)].rename(columns=_COSTS)


_COSTS = {
    "without_classifier_M": "parameters, millions",
    "embed_GFLOP_per_image": "GFLOP to embed an image",
    "train_GFLOP_per_sample": "GFLOP to train on a sample",
    "latency_ms_batch_1": "latency of one image, ms",
    "activations_MiB_per_sample": "activations, MiB a sample",
}


def span(row: Any, unit: str = "") -> str:
    """The difference of a row of `Experiment.rows` with its interval, in points."""
    low, high = row.difference_low, row.difference_high
    return f"{row.difference:+z.1f}{unit} [{low:+z.1f}, {high:+z.1f}]"


def as_percent(rows: pd.DataFrame) -> pd.DataFrame:
    """`Experiment.rows` or the like for reading: means and differences with intervals, how often a run
    beats one of the reference, the difference that could have been seen, verdicts."""
    measured = rows["worlds"].notna().any()
    shown = pd.DataFrame(index=rows["label"].rename(""))
    runs = rows["worlds"] * rows["seeds"]
    shown["runs"] = [str(int(n)) for n in runs] if measured else "–"
    for title, (columns, form) in _TOLD.items():
        if columns[0] not in rows or (measured and rows[columns[0]].isna().all()):
            continue  # a sum of many means has none of its own, and no second run to beat
        values = rows[columns].itertuples(index=False)
        told = ["" if pd.isna(each[0]) else form.format(*each) for each in values]
        shown[title] = told if measured else "not run here"
    verdicts = rows["verdict"].fillna("").str.replace(r" \(could have seen .*", "", regex=True)
    shown["verdict"] = verdicts.to_numpy() if measured else "not run here"
    return shown


_DIFFERENCE = ["difference", "difference_low", "difference_high"]
_TOLD = {
    "mean [95 %]": (["mean", "low", "high"], "{:.1f} [{:.1f}, {:.1f}]"),
    "difference [95 %]": (_DIFFERENCE, "{:+z.1f} [{:+z.1f}, {:+z.1f}]"),
    "beats it": (["improvement"], "{:.0%}"),
    "could have seen": (["detectable"], "{:.1f}"),
}
