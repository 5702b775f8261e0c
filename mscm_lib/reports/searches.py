"""A study's searches to look through: ``results/<study>/rankings.html``."""

from __future__ import annotations

import numpy as np

from mscm_lib.errors import ConfigError
from mscm_lib.files import made, write_text
from mscm_lib.paths import resolve
from mscm_lib.reports.finished_runs import FinishedRun, finished_run, lists_of
from mscm_lib.retrieval.viewer import Search, listed, viewer
from mscm_lib.study.searched import PAGE, searched_run
from mscm_lib.study.settings import load_study

QUERIES = 40


def write_rankings(name: str) -> None:
    """Write the page of a study whose people are generated; the same run gives the same bytes.

    Raises:
        ConfigError: there is no study of that name, or its people are not generated.
        DataError: its run has not been evaluated here.
    """
    study = load_study(name)
    chosen = searched_run(study)
    if chosen is None:
        raise ConfigError(
            f"studies/{name}/study.yaml: its people are not generated, and their pictures are not to "
            "lie in results/; `mscm search --html` writes a page of your own"
        )
    evaluated = resolve(f"runs/evaluate/{chosen.name}/metrics.json")
    made(evaluated, f"`make study STUDY={name}` makes it")
    write_text(resolve(f"results/{name}/{PAGE}"), rankings_page(finished_run(study, chosen)))


def rankings_page(run: FinishedRun, queries: int = QUERIES) -> str:
    """Queries of a run's first search, evenly from the hardest to the easiest, with their lists."""
    trial, lists = lists_of(run)
    own = zip(trial.query.paths, lists, trial.query.cams, trial.query.ids, strict=True)
    every = [Search(path, ms, int(cam), int(id_)).with_figures() for path, ms, cam, id_ in own]
    found = sorted((s for s in every if s.ap is not None), key=lambda s: s.ap or 0)
    spread = np.linspace(0, len(found) - 1, min(queries, len(found))).round().astype(int)
    chosen = [found[place] for place in spread]
    images = run.packed.images
    paths = [[each.name, *(match.path for match in listed(each.matches))] for each in chosen]
    mean = sum(each.ap or 0 for each in found) / len(found)
    about = (
        f"{run.config.dataset}, {trial.direction}: {len(found):,} queries with somebody to find in a "
        f"gallery of {len(trial.gallery):,}, mAP {mean:.1%} in this gallery. Below are {len(chosen)} of "
        "them, in even steps from the lowest average precision (AP) to the highest."
    )
    pictures = [list(images.read(images.rows(each))) for each in paths]
    return viewer(chosen, pictures, f"Searches by {run.name}", about)
