"""The experiments on the generated benchmark, one after the other, with the runs they share."""

from __future__ import annotations

from collections.abc import Sequence

from mscm_lib.config import unknown_key
from mscm_lib.errors import ConfigError
from mscm_lib.files import write_text
from mscm_lib.paths import resolve
from mscm_lib.study.pipeline import repro_side_by_side
from mscm_lib.study.presets import experiments, study_text
from mscm_lib.study.settings import load_study


def run_experiments(names: Sequence[str] = (), jobs: int = 1) -> None:
    """Make the named experiments' results, or all; the chosen study is the same afterwards.

    Args:
        names: of experiments; all when none is named.
        jobs: runs at a time.

    Raises:
        ConfigError: no experiment has that name.
        StudyError: a stage failed; its own message stands above.
    """
    known = experiments()
    for name in names:
        if name not in known:
            raise ConfigError(unknown_key("experiment", name, known))
    chosen = resolve("params.yaml").read_text(encoding="utf-8")
    try:
        for name in names or known:
            write_text(resolve("params.yaml"), study_text(f"presets/{name}.yaml"))
            study = load_study()
            print(f"\n{study.title}: {sum(1 for _ in study.runs())} runs", flush=True)
            repro_side_by_side(f"the experiment {name!r}", study, jobs)
    finally:
        write_text(resolve("params.yaml"), chosen)
    print("\nWhere to look:")
    for name in names or known:
        print(f"  results/{name}/reports/index.html")
