"""Which executed notebooks a study leaves in ``results/<study>/reports``, and what each is made of.

What a stage ran (training, evaluation, reference) is shown for one run; what tells results is executed
on the study's tables. What belongs to no study lies beside the quick one's, and `make pages` makes it.
DVC keeps each as long as all that `dependencies` names is the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from mscm_lib.config import LICENSED
from mscm_lib.own_parts import sources
from mscm_lib.paths import from_root, resolve
from mscm_lib.study.code import FOLDER, REFERENCE, STAGES
from mscm_lib.study.settings import RunName, Study

QUICK = "quick"
RAN = (*STAGES.values(),)
TOLD = ("11_training_report", "90_results")
PAPER = "91_paper_tables"
# Their tables are of all studies. The results of others are no dependency, or DVC would make them:
# README.md is, whose tables `mscm readme` takes from all that has been measured.
_OF_ALL = ("00_guide", PAPER, "92_first_edition")
_OF_PARTS = ("03_qfe", "04_mimb_alb")  # with costs, and what finished runs made of them


def all_notebooks() -> list[Path]:
    """The notebooks in the order of their digits."""
    return sorted(resolve("notebooks").glob("[0-9][0-9]_*.ipynb"))


def studies_of_notebooks() -> dict[str, str]:
    """For each notebook about one experiment, by stem: the study that its parameters name."""
    named = {
        p.stem: _study_of(p, p.stat().st_mtime_ns) for p in all_notebooks() if p.stem[0] in "235"
    }
    return {stem: study for stem, study in named.items() if study}


@cache
def _study_of(path: Path, changed: int) -> str:
    """The study that a notebook's parameters name, or ""; asked for again once it has changed."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    given = [c for c in cells if "parameters" in c["metadata"].get("tags", [])]
    texts = ["".join(cell["source"]) for cell in given]
    found = [re.search(r"^study = [\"'](\w+)", text, re.MULTILINE) for text in texts]
    return next((match[1] for match in found if match), "")


def notebooks_of(study: Study) -> list[str]:
    """Those that a study leaves an executed copy of, in the order to read them in."""
    own = studies_of_notebooks()
    wanted = {*RAN, *TOLD, *(s for s, n in own.items() if n == (study.variants_of or study.name))}
    if _licensed(study):
        wanted.add(PAPER)
    return [path.stem for path in all_notebooks() if path.stem in wanted]


def _licensed(study: Study) -> bool:
    return any(definition.reader in LICENSED for definition in study.data.values())


def of_no_study() -> list[str]:
    """Those that explain, look inside or compare studies."""
    others = {*RAN, *TOLD, *studies_of_notebooks()}
    return [path.stem for path in all_notebooks() if path.stem not in others]


def copies_beside(study: Study) -> list[str]:
    """All whose executed copies may lie among a study's reports."""
    others = of_no_study() if study.name == QUICK else []
    return sorted({*notebooks_of(study), *others})


def copy_path(study: str, stem: str) -> Path:
    """Where the executed copy of a notebook lies, or would."""
    return resolve(f"results/{study}/reports/{stem}.ipynb")


def home(stem: str) -> str:
    """The study whose copy of a notebook is the one to read first."""
    return studies_of_notebooks().get(stem, QUICK)


def shown_run(study: Study) -> RunName:
    """The run whose training and evaluation are shown: not of the reference where there is another."""
    runs = [*study.runs()]
    return next((run for run in runs if run.variant != study.reference), runs[0])


def executed_by_stage(study: Study, stem: str) -> str:
    """What the pipeline left of one of its own notebooks."""
    run = shown_run(study)
    return f"runs/notebooks/{stem}/{run.dataset if stem == REFERENCE else run.name}.ipynb"


def parameters(study: Study, stem: str) -> Mapping[str, str]:
    """What a telling notebook is executed with."""
    own = stem in TOLD or stem in studies_of_notebooks() or (stem == PAPER and _licensed(study))
    return {"study": study.name} if own else {}


def dependencies(study: Study, stem: str) -> list[str]:
    """All that the bytes of an executed copy depend on."""
    code = [f"{FOLDER}/told/{stem}", f"{FOLDER}/reports"]
    if stem in RAN:
        return [*code, executed_by_stage(study, stem)]
    tables = f"results/{study.name}/tables"
    if stem in studies_of_notebooks():  # beside other experiments' results
        own = map(from_root, own_files(study))
        return [*code, tables, "results/benchmarks", "README.md", *definitions(study), *own]
    if stem in TOLD:
        return [*code, tables, *definitions(study)]
    found = [*code, "variants.yaml", *definitions(study)]
    if stem in _OF_PARTS:
        found.append("results/benchmarks")
    if stem in _OF_ALL:
        found += [tables, "README.md", *published()]
    if stem == PAPER and not _licensed(study):
        found.append("studies/sysu/study.yaml")  # whose protocol it compares with there
    if stem == "92_first_edition":
        found.append("results/first_edition.csv")
    if stem in _OF_PARTS or stem[0] in "46":  # they look into finished runs on the first dataset
        first = next(iter(study.data))
        runs = [run.name for run in study.runs() if run.dataset == first]
        found += [f"runs/{kind}/{run}" for run in runs for kind in ("train", "evaluate")]
    return found


def definitions(study: Study) -> list[str]:
    """The files that define a study."""
    names = (study.name, study.variants_of, study.data_of)
    return [f"studies/{name}/study.yaml" for name in names if name]


def own_files(study: Study) -> list[Path]:
    """The user's own files that a study's runs name parts in, whether or not they are there."""
    return sorted({path for run in study.runs() for path in sources(study.config(run))})


def published() -> list[str]:
    """The tables of figures in print."""
    return sorted(map(from_root, resolve("mscm_lib/reports").glob("published*.csv")))
