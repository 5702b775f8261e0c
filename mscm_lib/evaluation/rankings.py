"""A dataset's rankings under its own protocol: searches, scorings, trials, features."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from mscm_lib.config import RunConfig
from mscm_lib.data.base import ReidDataset
from mscm_lib.data.tables import ImageTable
from mscm_lib.evaluation.embedding import Embeddings
from mscm_lib.metrics import RankMetrics, rank_metrics, rerank
from mscm_lib.metrics.distances import negative_cosines
from mscm_lib.metrics.inference import bootstrap_over_identities
from mscm_lib.protocols import ProtocolName

RANKS = (1, 5, 10, 20)
Scorings = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Trial:
    """One ranking to make: who is searched in what.

    Attributes:
        search: of the dataset.
        scoring: how the search is scored, where the field has two ways; else empty.
        number: the gallery's trial.
        query, gallery: images.
    """

    search: str
    scoring: str
    number: int
    query: ImageTable
    gallery: ImageTable

    @property
    def direction(self) -> str:
        """Modality of the query → modality of the gallery."""
        names = ["infrared" if t.infrared.all() else "visible" for t in (self.query, self.gallery)]
        return " → ".join(names)


@dataclass
class Figures:
    """What an evaluation found: a row a search and feature, a row a trial, a row a query."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    trials: list[dict[str, Any]] = field(default_factory=list)
    queries: list[pd.DataFrame] = field(default_factory=list)

    def extend(self, others: Figures) -> None:
        """Take in what another ranking found."""
        self.rows += others.rows
        self.trials += others.trials
        self.queries += others.queries


def trial_numbers(dataset: ReidDataset, config: RunConfig) -> list[int]:
    """The trials that are averaged.

    Where trials are splits (RegDB), the run's own split is the one that counts; elsewhere they are
    galleries, of which the first ``config.gallery_trials`` are taken.
    """
    splits = len(dataset.training_trials) > 1
    return [config.trial] if splits else list(dataset.trials)[: config.gallery_trials]


def trials(
    dataset: ReidDataset, config: RunConfig, scorings: Scorings | None = None
) -> Iterator[Trial]:
    """Every ranking of ``dataset``: all searches and scorings, every gallery trial.

    ``scorings`` replace the dataset's own.
    """
    numbers = trial_numbers(dataset, config)
    for search in dataset.searches:
        for scoring in (scorings or dataset.scorings).get(search, ("",)):
            for number in numbers:
                query = dataset.query(search, trial=number)
                gallery = dataset.gallery(search, number, config.draw, config.shots)
                if scoring == "swapped":  # the drawn images search all images of the other kind
                    query, gallery = gallery, query
                yield Trial(search, scoring, number, query, gallery)


def rank_all(
    dataset: ReidDataset,
    config: RunConfig,
    embeddings: Embeddings,
    features: tuple[str, ...],
    labels: dict[str, Any],
    protocol: ProtocolName | None = None,
    scorings: Scorings | None = None,
) -> Figures:
    """Rank every trial by every feature, and with ``config.rerank`` once more after re-ranking.

    Args:
        dataset: whose searches, galleries and protocol apply.
        config: draw, shots, trials, re-ranking, weight of a mix.
        embeddings: of all images that a trial names.
        features: names in ``embeddings``.
        labels: columns that go with every row (variant, seed, flip, …).
        protocol: whose rules replace the dataset's own; named in every row.
        scorings: by search, the ways of scoring that replace the dataset's own.

    Raises:
        ProtocolError: an image has no embedding, or no query has anything to find.
    """
    figures = Figures()
    found: dict[tuple[str, str], list[Trial]] = {}
    for trial in trials(dataset, config, scorings):
        found.setdefault((trial.search, trial.scoring), []).append(trial)
    for group in found.values():
        figures.extend(
            rank_search(group, config, embeddings, features, labels, protocol or dataset.protocol)
        )
    return figures


def rank_search(
    group: Sequence[Trial],
    config: RunConfig,
    embeddings: Embeddings,
    features: tuple[str, ...],
    labels: dict[str, Any],
    protocol: ProtocolName,
) -> Figures:
    """Rank the trials of one search and scoring; see `rank_all`."""
    figures = Figures()
    for feature in features:
        for reranked in (False, True) if config.rerank else (False,):
            names = {
                "search": group[0].search,
                "direction": group[0].direction,
                "scoring": group[0].scoring or None,
                "protocol": protocol,
                "draw": config.draw,
                "shots": config.shots,
                "feature": feature,
                "mix_weight": config.mix_weight if feature == "mix" else None,
                "rerank": reranked,
                **labels,
            }
            found = [(t, _rank(t, embeddings, feature, reranked, protocol)) for t in group]
            _enter(figures, names, found)
    return figures


def _rank(
    trial: Trial, embeddings: Embeddings, feature: str, reranked: bool, protocol: ProtocolName
) -> RankMetrics:
    query, gallery = (embeddings.of(table, feature) for table in (trial.query, trial.gallery))
    # Pooled features of a trained network differ from one another by less than float32 tells.
    distances = rerank(query, gallery) if reranked else negative_cosines(query, gallery)
    return rank_metrics(
        distances,
        trial.query.ids,
        trial.gallery.ids,
        trial.query.cams,
        trial.gallery.cams,
        protocol,
        max_rank=max(RANKS),
    )


def _enter(figures: Figures, names: dict[str, Any], found: list[tuple[Trial, RankMetrics]]) -> None:
    """One row of means over trials with their intervals; the trials and queries behind it."""
    each = [{**names, "gallery_trial": t.number, **_figures(r)} for t, r in found]
    tables = []
    for trial, result in found:
        table = result.queries.rename(columns={"id": "query_id", "cam": "query_cam"})
        table.insert(0, "path", trial.query.paths)
        tables.append(table.assign(gallery_trial=trial.number, **names))
    queries = pd.concat(tables, ignore_index=True)
    frame = pd.DataFrame(each)
    row = {
        **names,
        "gallery_trials": len(each),
        "valid_queries": int(frame["valid_queries"].mean()),
    }
    for metric in _figures(found[0][1]):
        if metric != "valid_queries":
            row[metric] = float(frame[metric].mean())
            row[f"{metric}_sd"] = float(frame[metric].std(ddof=1)) if len(each) > 1 else None
    per_query = queries[queries["valid"]].assign(hit=queries["first_hit"] == 1)
    for metric, column in (("mean_ap", "ap"), ("rank1", "hit")):
        interval = bootstrap_over_identities(per_query[column], per_query["query_id"])
        row[f"{metric}_low"], row[f"{metric}_high"] = interval.low, interval.high
    figures.rows.append(row)
    figures.trials += each
    figures.queries.append(queries)


def _figures(result: RankMetrics) -> dict[str, float]:
    ranks = {f"rank{k}": result.rank(k) for k in RANKS}
    return {
        **ranks,
        "mean_ap": result.mean_ap,
        "mean_inp": result.mean_inp,
        "valid_queries": result.valid_queries,
    }
