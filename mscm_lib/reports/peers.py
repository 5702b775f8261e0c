"""A study's own runs beside its peers: what is in print, what others got again, what was run here.

Each row says by which protocol its figure was made, as far as that is known, and whether it is the
study's. What nobody stated is told as not stated, never as the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from mscm_lib.config import check_known, unknown_key
from mscm_lib.errors import ConfigError
from mscm_lib.reports.measured import Measured
from mscm_lib.reports.published import (
    ASPECTS,
    DATASETS,
    ORIGINS,
    UNSTATED,
    columns_of,
    protocols,
    published_figures,
    replications,
)
from mscm_lib.study.settings import Study
from mscm_lib.study.tables import LABELS

CLAIM, AGAIN, HERE, OWN = "in print", "run again by others", "run here", "this study"
NOT_STATED, NOT_RUN = "not stated", "not run here"
SAME = "same protocol"


def peers_of(study: Study) -> tuple[str, list[str]]:
    """The dataset of a study that has figures in print, and the methods to set beside it.

    They are those of the study's ``peers``; where it names none, all that have a figure there.

    Raises:
        ConfigError: a peer has no figure on that dataset, or no dataset of the study has any.
    """
    readers = [definition.reader for definition in study.data.values()]
    dataset = next((reader for reader in readers if reader in DATASETS), None)
    where = f"studies/{study.name}/study.yaml: peers"
    if dataset is None:
        raise ConfigError(
            f"{where}: nothing is in print about images of the reader {readers[0]!r}; name methods "
            "among the study's variants instead, and they are run beside your own"
        )
    figures = published_figures()
    known = list(dict.fromkeys(figures.loc[figures["dataset"] == dataset, "method"]))
    for name in study.peers:
        check_known(f"method in {where}", name, known)
    return dataset, list(study.peers) or known


def peers_table(study: Study, found: Measured, search: str = "", scoring: str = "") -> pd.DataFrame:
    """Claim, runs by others, runs here and the study's own, with their protocols.

    Args:
        study: whose protocol is compared with.
        found: `mscm_lib.reports.measured.measured()`.
        search, scoring: a column of the dataset's tables; "" takes the first.

    Returns:
        A row a method and kind of figure (`CLAIM`, `AGAIN`, `HERE`, `OWN`): R1 and mAP in percent as
        texts, the `ASPECTS`, and `SAME`: "yes", "no: " with what differs, or "not stated: " with what
        is not known. Own variants that were not run here have a row that says so.

    Raises:
        ConfigError: as `peers_of`; or the dataset has no such search or scoring.
    """
    dataset, methods = peers_of(study)
    columns = columns_of(dataset)
    search = search or columns[0][0]
    ways = [way for name, way in columns if name == search]
    if not ways or scoring not in ("", *ways):
        raise ConfigError(unknown_key("search", f"{search}, {scoring}".strip(", "), [
            ", ".join(filter(None, column)) for column in columns]))  # fmt: skip
    scoring = scoring or ways[0]
    own = _protocol(study, study.reference, dataset, scoring)
    rows = [*_others(dataset, methods, search), *_here(study, dataset, found, search, own)]
    table = pd.DataFrame(rows, columns=["method", "whose", "R1", "mAP", *ASPECTS])
    table[SAME] = [_same(row, own) for row in rows]
    return table.replace({"scoring": {"": "one way"}}).set_index(["method", "whose"])


def _protocol(study: Study, variant: str, dataset: str, scoring: str) -> dict[str, str]:
    """The protocol that a study's variant is evaluated by, whether or not it has run."""
    config = study.config(next(run for run in study.runs() if run.variant == variant))
    whole = dataset == "regdb"  # whose gallery is not drawn; its splits are counted instead
    return {
        "scoring": scoring,
        "draw": "whole" if whole else config.draw,
        "galleries": str(len(study.trials) if whole else config.gallery_trials),
        "feature": config.feature,
        "flip": _word(config.flip),
        "re-ranked": _word(config.rerank),
        "epoch": config.selection,
    }


def _same(row: Mapping[str, Any], own: Mapping[str, str]) -> str:
    differing = [a for a in ASPECTS if row[a] not in (own[a], NOT_STATED)]
    unknown = [a for a in ASPECTS if row[a] == NOT_STATED]
    if differing:
        return f"no: {', '.join(differing)}"
    return f"not stated: {', '.join(unknown)}" if unknown else "yes"


def _others(dataset: str, methods: list[str], search: str) -> list[dict[str, Any]]:
    """A row a method and scoring in print, each followed by those of whoever ran it again."""
    claims, again = published_figures(), replications()
    marked = (claims["printed"] + " " + claims["origin"].map(ORIGINS)).str.rstrip()
    claims = claims.assign(whose=CLAIM, source="", text=marked)
    again = again.assign(whose=AGAIN, text=again["value"].map("{:.2f}".format))
    figures = pd.concat([claims, again])
    figures = figures[(figures["dataset"] == dataset) & figures["method"].isin(methods)]
    figures = figures[figures["search"].isin((search, UNSTATED))]
    figures = figures[figures["metric"].isin(("rank1", "mean_ap"))]
    made = protocols()
    made = made[made["dataset"] == dataset]
    rows = []
    kinds = ["method", "whose", "source", "search", "scoring"]
    for (method, whose, _, where, scoring), cell in figures.groupby(kinds, sort=False):
        texts = dict(zip(cell["metric"].map(LABELS), cell["text"], strict=True))
        known = made[made["method"].isin(("*", method))]  # a method's own come last
        stated = dict(zip(known["aspect"], known["value"], strict=True))
        if whose == AGAIN:  # who may have evaluated it otherwise
            stated = {}
        stated["scoring"] = NOT_STATED if UNSTATED in (where, scoring) else scoring
        row = {"method": method, "whose": whose, **{m: texts.get(m, "–") for m in ("R1", "mAP")}}
        rows.append(row | {aspect: stated.get(aspect, NOT_STATED) for aspect in ASPECTS})
    return sorted(rows, key=lambda row: methods.index(row["method"]))


def _here(
    study: Study, dataset: str, found: Measured, search: str, own: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Finished runs on the dataset, the study's own last; a row for each of these that has none."""
    table = found.rows
    table = table[(table["dataset"] == dataset) & (table["search"] == search)]
    table = table.sort_values("study", key=lambda names: names == study.name, kind="stable")
    rows = []
    for _, each in table.iterrows():
        mine = each["study"] == study.name
        feature, *done = str(each["feature"]).split(", ")
        drawn = {"draw": str(each["draw"]), "galleries": str(each["galleries"])}
        rows.append({
            "method": each["network"] if mine else f"{each['network']} ({each['study']})",
            "whose": OWN if mine else HERE,
            **{m: _mean(each, m) for m in ("R1", "mAP")},
            "scoring": each["scoring"],
            **(drawn if dataset != "regdb" else {"draw": "whole", "galleries": own["galleries"]}),
            "feature": feature.partition(" (")[0],
            "flip": _word("flip" in done),
            "re-ranked": _word("re-ranked" in done),
            "epoch": each["epoch kept"],
        })  # fmt: skip
    made = {row["method"] for row in rows if row["whose"] == OWN}
    for variant in study.variants:
        if variant not in made:
            told = _protocol(study, variant, dataset, own["scoring"])
            rows.append({"method": variant, "whose": OWN, "R1": NOT_RUN, "mAP": NOT_RUN, **told})
    return rows


def _mean(row: pd.Series, label: str) -> str:
    """A figure of a run with its interval where there is one."""
    low, high = row[f"{label} low"], row[f"{label} high"]
    return f"{row[label]:.2f}" + (f" [{low:.1f}, {high:.1f}]" if low == low else "")


def _word(value: bool) -> str:
    return "yes" if value else "no"
