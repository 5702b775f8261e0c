"""An experiment's tables as its notebook reads them, measured or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import pandas as pd

from mscm_lib.config import unknown_key
from mscm_lib.errors import ConfigError, DataError
from mscm_lib.files import read_json
from mscm_lib.paths import resolve
from mscm_lib.study.comparison import (
    CONTRASTS,
    Gate,
    benchmark_of,
    compare_gaps,
    compare_pairs,
    compare_variants,
)
from mscm_lib.study.settings import Study, study_on

_COMPARISON = [
    "dataset", "search", "scoring", "metric", "variant", "worlds", "seeds", "mean", "low", "high",
    "improvement", "difference", "difference_low", "difference_high", "p", "p_holm",
    "p_equivalence", "detectable", "verdict",
]  # fmt: skip
CONTRASTED = {*chain(*CONTRASTS.values())}
"""The variants of all contrasts."""
_MEASURES = {"mAP": ("ap", "mean_ap"), "R1": ("hit", "rank1")}


@dataclass(frozen=True, eq=False)
class Experiment:
    """What a study compares, and what it found where it has been run.

    Attributes:
        study: its definition.
        comparison: ``comparison.csv``; without rows where the study has not been run here.
        identities: ``identities.csv``, or without rows.
        metrics: ``metrics.csv``, or without rows.
        provenance: a record a run, by name.
    """

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
    def has_contrasts(self) -> bool:
        """Whether all that was stated in advance can be asked: of fewer, the tests are another family."""
        return {*self.study.variants} >= CONTRASTED

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

    def among(self, places: Mapping[str, float]) -> dict[str, float]:
        """The part of ``places`` whose keys are datasets or variants of this study."""
        known = {*self.study.data, *map(benchmark_of, self.study.data), *self.study.variants}
        return {name: place for name, place in places.items() if name in known}

    def about(self) -> str:
        """What was asked of which networks, on what, and by which machine: a list in Markdown."""
        run = self.study.config(next(self.study.runs()))
        data = self.study.data[self.dataset]
        facts = {
            "datasets": ", ".join(f"{n} ({d.reader})" for n, d in self.study.data.items()),
            "people searched": str(data.settings.get("test_identities", "as the dataset has")),
            "image size": f"{run.height} × {run.width} pixels",
            "backbone": f"{run.backbone}, initial weights: {run.weights}",
            "training": f"{run.epochs} epochs of {run.steps_per_epoch or 'as many as fit'} steps, "
            f"{run.identities_per_batch} people × {run.images_per_identity} images a modality",
            "variants": ", ".join(self.study.variants),
            "seeds": ", ".join(map(str, self.study.seeds)) or "each world's own",
            "compared with": self.study.reference,
        }
        if self.measured:
            record = next(iter(self.provenance.values()))
            facts["machine"] = (
                f"{record['device']}, {record['threads']} threads, {record['system']}"
            )
            facts["commit"] = ", ".join(
                sorted({r["commit"][:12] for r in self.provenance.values()})
            )
        return "\n".join(f"- {name}: {text}" for name, text in facts.items())

    def rows(self, metric: str = "mAP", dataset: str = "", search: str = "") -> pd.DataFrame:
        """The variants' figures in percent, in the study's order, by variant.

        Args:
            metric: "mAP" or "R1".
            dataset: the first by default.
            search: the dataset's first by default.

        Returns:
            Column label, and those of `mscm_lib.study.comparison.compare_variants`.

        Raises:
            ConfigError: no such measure, dataset or search among the results.
        """
        table = self._of(self.comparison, dataset, search)
        table = table[table["metric"] == self._measure(metric)]
        table = table.set_index("variant").reindex(
            [v for v in self.study.variants if not self.measured or v in set(table["variant"])]
        )
        table.insert(0, "label", [self.label(str(name)) for name in table.index])
        return table.drop(columns=["dataset", "search", "scoring", "metric"])

    def against(self, reference: str, metric: str = "mAP") -> pd.DataFrame:
        """`rows` with another reference: other pairs, each with the interval it has anywhere."""
        if not self.measured:
            return self.rows(metric)
        people = self._of(self.identities, "", "")
        column = _MEASURES[self._measure(metric)][0]
        found = compare_variants(people, reference, column, gate=self.gate())
        return self._named(found.set_index("variant").reindex(self.study.variants))

    def contrasts(self, metric: str = "mAP", world: str = "") -> pd.DataFrame:
        """The contrasts stated in advance whose variants this study has, by their names.

        Args:
            metric: "mAP" or "R1".
            world: a dataset, to see whether its people alone say the same; "" for all worlds.

        Returns:
            Column label, and those of `mscm_lib.study.comparison.compare_pairs`; the contrasts are
            one family, apart from the study's other pairs.
        """
        known = {name: p for name, p in CONTRASTS.items() if {*p} <= {*self.study.variants}}
        if not self.measured:
            return self.rows(metric).iloc[:0].reindex([*known]).assign(label=[*known])
        people = self._of(self.identities, world, "")
        people = people[people["dataset"] == world] if world else people
        column = _MEASURES[self._measure(metric)][0]
        found = compare_pairs(people, known.values(), column, gate=self.gate(world))
        found.insert(0, "label", [*known])
        return found.set_index("label", drop=False)

    def gate(self, dataset: str = "", search: str = "") -> Gate:
        """Floor, reference network and training accuracies, which verdicts depend on."""
        people = self._of(self.identities, dataset, search)[["dataset", "search", "scoring"]]
        dataset, search, scoring = people.astype(object).fillna("").iloc[0]
        histories = pd.read_csv(resolve(f"results/{self.study.name}/tables/histories.csv"))
        return Gate.of(self.metrics, histories, self.study.reference, dataset, search, scoring)

    def gaps(self, here: str, there: str, metric: str = "mAP") -> pd.DataFrame:
        """How much each variant gains on the reference from dataset ``there`` to dataset ``here``.

        Columns label, seeds, difference, difference_low, difference_high, verdict; see
        `mscm_lib.study.comparison.compare_gaps`. Without figures where the study is not of both.
        """
        known = {*self.study.data, *map(benchmark_of, self.study.data)}
        if not self.measured or not {here, there} <= known:
            return self.rows(metric).assign(difference=float("nan"))
        first, second = (self._of(self.identities, name, "") for name in (here, there))
        column = _MEASURES[self._measure(metric)][0]
        gates = [self.gate(name) for name in (here, there)]
        found = compare_gaps(first, second, self.study.reference, column, gates=gates)
        return self._named(found.set_index("variant"))

    def _named(self, table: pd.DataFrame) -> pd.DataFrame:
        table.insert(0, "label", [self.label(str(name)) for name in table.index])
        return table

    def seeds(self, metric: str = "mAP", dataset: str = "", search: str = "") -> pd.DataFrame:
        """Each run's figure in percent: columns dataset, variant, label, seed, value."""
        column = _MEASURES[self._measure(metric)][1]
        table = self._of(self.metrics, dataset, search)
        if self.measured:
            table = table[table["reported"] & (table["kind"] == "trained")]
        found = table[["dataset", "variant", "seed"]].copy()
        found.insert(2, "label", [self.label(str(name)) for name in found["variant"]])
        found["value"] = 100 * table[column].astype(float)
        return found

    def histories(self, dataset: str = "") -> pd.DataFrame:
        """Every epoch of every run on a dataset (the first by default), with a column label."""
        path = resolve(f"results/{self.study.name}/tables/histories.csv")
        if not path.is_file():
            return pd.DataFrame(columns=["label", "epoch", "accuracy"])
        table = pd.read_csv(path)
        table = table[table["dataset"] == (dataset or self.dataset)]
        return table.assign(label=[self.label(str(name)) for name in table["variant"]])

    def _of(self, table: pd.DataFrame, dataset: str, search: str) -> pd.DataFrame:
        """Rows of one search on a dataset, or on all worlds of its benchmark."""
        if not self.measured:
            return table
        benchmark = benchmark_of(dataset or self.dataset)
        for column, wanted in (("dataset", benchmark), ("search", search)):
            own = table[column].map(benchmark_of) if column == "dataset" else table[column]
            known = list(dict.fromkeys(own))
            if wanted and wanted not in known:
                raise ConfigError(unknown_key(column, wanted, known))
            table = table[own == (wanted or known[0])]
        return table

    @staticmethod
    def _measure(metric: str) -> str:
        if metric not in _MEASURES:
            raise ConfigError(unknown_key("metric", metric, list(_MEASURES)))
        return metric


def read_experiment(name: str, on: str = "") -> Experiment:
    """The study of that name with its results, or without where it has not been run here.

    Args:
        name: of a study.
        on: the study whose data its variants are put on; "" for its own.

    Raises:
        ConfigError: no study has the name.
        DataError: its tables are damaged.
    """
    study = study_on(name, on)
    folder = resolve(f"results/{study.name}/tables")
    if not (folder / "comparison.csv").is_file():
        none = pd.DataFrame(columns=["dataset", "variant", "seed", "mean_ap", "rank1"])
        return Experiment(study, pd.DataFrame(columns=_COMPARISON), none, none, {})
    comparison, identities, metrics = (
        pd.read_csv(folder / f"{table}.csv") for table in ("comparison", "identities", "metrics")
    )
    records = read_json(folder / "provenance.json")
    return Experiment(study, comparison, identities, metrics, records)


def costs(variants: Sequence[str]) -> pd.DataFrame:
    """What each variant costs at the paper's size and backbone, from ``results/benchmarks/cost.csv``.

    Raises:
        DataError: the table is missing, or lacks a variant.
    """
    path = resolve("results/benchmarks/cost.csv")
    if not path.is_file():
        raise DataError(f"{path}: no such file; `python benchmarks/cost.py` makes it")
    table = pd.read_csv(path).set_index("variant")
    missing = [name for name in variants if name not in table.index]
    if missing:
        raise DataError(
            f"{path}: lacks {', '.join(missing)}; `python benchmarks/cost.py --variants "
            f"{' '.join(missing)}` adds them"
        )
    return table.loc[list(variants), list(_COSTS)].rename(columns=_COSTS)


_COSTS = {
    "without_classifier_M": "parameters, millions",
    "embed_GFLOP_per_image": "GFLOP to embed an image",
    "latency_ms_batch_1": "latency of one image, ms",
    "activations_MiB_per_sample": "activations, MiB a sample",
}


def in_words(rows: pd.DataFrame) -> str:
    """Each difference as a sentence in Markdown; the verdicts are those of the intervals."""
    told = rows.dropna(subset=["difference"])
    if told.empty:
        return "*Not measured here.*"
    return "\n".join(
        f"- **{row.label}**: {span(row, ' points')}, {row.verdict}" for row in told.itertuples()
    )


def span(row: Any, unit: str = "") -> str:
    """The difference of a row of `Experiment.rows` with its interval, in points."""
    low, high = row.difference_low, row.difference_high
    return f"{_signed(row.difference)}{unit} [{low:+.1f}, {high:+.1f}]"


def _signed(value: object) -> str:
    """One decimal with its sign; what rounds to zero is not called negative."""
    return f"{value:+.1f}".replace("-0.0", "+0.0")


def as_percent(rows: pd.DataFrame) -> pd.DataFrame:
    """`Experiment.rows` for reading: means and differences with intervals, how often a run beats
    one of the reference, the difference that could have been seen, verdicts."""
    measured = rows.dropna(subset=["mean"])
    shown = pd.DataFrame(index=rows["label"].rename(""))
    empty = ["not run here"] * len(rows)
    shown["seeds"] = [str(int(n)) for n in rows["seeds"]] if len(measured) else "–"
    shown["mean [95 %]"] = _spans(rows, "", "{:.1f}") if len(measured) else empty
    shown["difference [95 %]"] = _spans(rows, "difference", "{:+.1f}") if len(measured) else empty
    plain = {"improvement": ("beats it", "{:.0%}"), "detectable": ("could have seen", "{:.1f}")}
    for column, (title, form) in plain.items():
        texts = ["" if value != value else form.format(value) for value in rows[column]]
        shown[title] = texts if len(measured) else empty
    shown["verdict"] = rows["verdict"].fillna("").to_numpy() if len(measured) else empty
    return shown


def _spans(rows: pd.DataFrame, name: str, form: str) -> list[str]:
    columns = [name or "mean", f"{name}_low".lstrip("_"), f"{name}_high".lstrip("_")]
    return [
        "" if mean != mean else f"{form} [{form}, {form}]".format(mean, low, high)
        for mean, low, high in rows[columns].itertuples(index=False)
    ]
