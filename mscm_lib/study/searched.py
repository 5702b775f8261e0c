"""Whose searches a study shows as a page to look through, ``results/<study>/rankings.html``."""

from __future__ import annotations

from mscm_lib.study.code import FOLDER
from mscm_lib.study.copies import definitions
from mscm_lib.study.settings import RunName, Study

PAGE = "rankings.html"
TEMPLATE = "mscm_lib/retrieval/viewer.html"  # no Python: the stage depends on the file itself


def searched_run(study: Study) -> RunName | None:
    """The first run on the study's first dataset of MSCMNet, or else of the reference.

    None where the dataset's people are not generated: a page with pictures of anybody else is not to
    lie in git.
    """
    dataset = next(iter(study.data))
    if study.data[dataset].reader != "generated":
        return None
    variant = "mscmnet" if "mscmnet" in study.variants else study.reference
    return RunName(dataset, variant, study.trials[0], study.seeds_of(dataset)[0])


def read_by_page(study: Study) -> list[str]:
    """All that the page depends on; nothing where the study has none."""
    run = searched_run(study)
    if run is None:
        return []
    made = [f"runs/train/{run.name}", f"runs/evaluate/{run.name}", f"data/packed/{run.dataset}"]
    return [f"{FOLDER}/rankings", TEMPLATE, "variants.yaml", *definitions(study), *made]
