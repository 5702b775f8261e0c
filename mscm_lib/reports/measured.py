"""What has been measured here on the datasets of the paper, and what may not stand beside print.

A row enters only where its tables say that it saw the whole of a real dataset under the protocol
that figures in print follow. What is left out is named with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from mscm_lib.errors import DataError
from mscm_lib.files import made, read_json
from mscm_lib.paths import resolve
from mscm_lib.provenance import machine
from mscm_lib.reports.published import DATASETS, TITLES
from mscm_lib.study.comparison import benchmark_of
from mscm_lib.study.tables import LABELS, RUN

TRAINED_ON = {"sysu": 395, "regdb": 206, "llcm": 713}
"""Training identities of the whole dataset, or of one of RegDB's splits."""
VALID_QUERIES = {
    ("sysu", "all"): 3803,
    ("sysu", "indoor"): 2208,
    ("regdb", "visible-to-thermal"): 2060,
    ("regdb", "thermal-to-visible"): 2060,
}
"""Queries with a correct gallery image; of LLCM nobody published how many there are."""

ROW = [
    "study", "dataset", "search", "scoring", "network", "feature", "runs", "draw", "galleries",
    "epoch kept", *LABELS.values(), *(f"{label} sd" for label in LABELS.values()),
    "R1 low", "R1 high", "mAP low", "mAP high", "machine", "commit", "command",
]  # fmt: skip
LEFT_OUT = ["study", "network", "search", "reason"]
GENERATED = "drawn by the generator: nothing in print to set beside it"


@dataclass(frozen=True)
class Measured:
    """Finished runs below a folder of results.

    Attributes:
        rows: a row a study, network, search and scoring, in percent; columns `ROW`.
        left_out: study, network, search and reason of what is not in ``rows``.
        histories: every epoch of the trainings behind ``rows``, with ``study`` and ``dataset``.
    """

    rows: pd.DataFrame
    left_out: pd.DataFrame
    histories: pd.DataFrame


def measured(results: Path | str = "results") -> Measured:
    """Every finished study below ``results``, one folder each with its ``tables``.

    Raises:
        DataError: a study's tables are not all there, or not of one make.
    """
    summaries = sorted(resolve(results).glob("*/tables/summary.csv"))
    studies = [_Tables(path.parent) for path in summaries]
    found = pd.DataFrame([row for each in studies for row in each.rows()], columns=[*ROW, "reason"])
    rows = found[found["reason"] == ""][ROW].reset_index(drop=True)
    histories = [each.histories(rows[rows["study"] == each.study]) for each in studies]
    gathered = [table for table in histories if len(table)]
    none = pd.DataFrame(columns=["study", *RUN])
    left_out = found[found["reason"] != ""][LEFT_OUT].reset_index(drop=True)
    return Measured(rows, left_out, pd.concat(gathered, ignore_index=True) if gathered else none)


class _Tables:
    """One study's tables; see `mscm_lib.study.tables.write_tables`."""

    def __init__(self, folder: Path) -> None:
        self.study, self.folder = folder.parent.name, folder
        self.summary, self.metrics, self.intervals, self.epochs = (
            _table(folder / f"{name}.csv")
            for name in ("summary", "metrics", "comparison", "histories")
        )
        self.metrics["dataset"] = self.metrics["dataset"].map(benchmark_of)
        self.provenance = read_json(folder / "provenance.json")

    def rows(self) -> Iterator[dict[str, Any]]:
        """A row for each trained network of the summary, with the reason to leave it out or ""."""
        reported = self.metrics[self.metrics["reported"] & (self.metrics["kind"] == "trained")]
        for _, row in self.summary.iterrows():
            search, _, scoring = str(row["search"]).partition(", ")
            network = row["dataset"], row["network"]
            runs = _where(reported, *network, search, scoring)
            if runs.empty:  # a reference ranking, which no network was trained for
                continue
            records = [each for each in self.provenance.values() if _trained(each) == network]
            if not records:
                raise DataError(
                    f"{self.folder}/provenance.json: nothing about {row['network']} on "
                    f"{row['dataset']}; write its tables anew with: mscm tables {self.study}"
                )
            dataset = self._reader(row["dataset"])
            found = {key: row[key] for key in ROW if key in row} | {
                "study": self.study,
                "dataset": dataset,
                "search": search,
                "scoring": scoring,
                "draw": _joined(runs["draw"]),
                "galleries": int(runs["gallery_trials"].max()),
                "epoch kept": _joined(record["selection"] for record in records),
                "machine": _joined(machine(record) for record in records),
                "commit": _joined(record["commit"][:9] for record in records),
                "reason": _reason(dataset, search, records, runs),
            }
            for _, interval in _where(self.intervals, *network, search, scoring).iterrows():
                found |= {f"{interval['metric']} {end}": interval[end] for end in ("low", "high")}
            yield found

    def histories(self, rows: pd.DataFrame) -> pd.DataFrame:
        """The trainings of ``rows``."""
        wanted = {*zip(rows["dataset"], rows["network"], strict=True)}
        readers = self.epochs["dataset"].map(self._reader)
        kept = [name in wanted for name in zip(readers, self.epochs["variant"], strict=True)]
        return self.epochs[kept].assign(study=self.study, dataset=readers[kept])

    def _reader(self, dataset: str) -> str:
        """What read the images of the study's own ``dataset``."""
        for record in self.provenance.values():
            if _trained(record)[0] == benchmark_of(dataset):
                return str(record.get("images", {}).get("reader", dataset))
        return dataset


def _trained(record: Mapping[str, Any]) -> tuple[str, str]:
    """Benchmark and variant."""
    return benchmark_of(record["parameters"]["dataset"]), record["parameters"]["variant"]


def _reason(
    dataset: str, search: str, records: Sequence[Mapping[str, Any]], runs: pd.DataFrame
) -> str:
    """Why runs may not stand beside figures in print; "" where they may."""
    if dataset not in DATASETS:
        return GENERATED
    title = TITLES[dataset]
    if any("emulated" not in record.get("images", {}) for record in records):
        return "its provenance does not say whether the tree is real; write it anew: mscm tables"
    if any(record["images"]["emulated"] for record in records):
        return f"an emulated tree: its people are drawn and laid out like {title}"
    if any(record["parameters"]["validation"] != "merged" for record in records):
        return "trained without the people held out for validation; figures in print use all"
    trained = {record["identities"] for record in records}
    if trained != {TRAINED_ON[dataset]}:
        return f"trained on {_either(trained)} people; {title} has {TRAINED_ON[dataset]}"
    wanted = VALID_QUERIES.get((dataset, search))
    valid = set(runs["valid_queries"])
    if wanted and valid != {wanted}:
        return f"{_either(valid)} valid queries; {title} has {wanted} in this search"
    if set(runs["shots"]) != {1}:
        return "multi-shot galleries; figures in print are single-shot"
    return ""


def _where(table: pd.DataFrame, *place: str) -> pd.DataFrame:
    """The rows of a dataset, variant, search and scoring."""
    return table[(table[["dataset", "variant", "search", "scoring"]] == list(place)).all(axis=1)]


def _either(values: set[int]) -> str:
    return " or ".join(map(str, sorted(values)))


def _joined(values: Any) -> str:
    return ", ".join(dict.fromkeys(map(str, values)))


def _table(path: Path) -> pd.DataFrame:
    table = pd.read_csv(made(path, f"write its tables anew with: mscm tables {path.parts[-3]}"))
    if "scoring" in table:  # one way only is an empty cell
        table["scoring"] = table["scoring"].astype(object).fillna("")
    return table
