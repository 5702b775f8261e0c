"""Figures in print beside figures measured here, with nothing measured and with finished studies."""

import re

from mscm_lib.reports.published import published_figures
from tests.reports.finished import write_study

TINY = {"91_paper_tables": {"results": "studies"}}  # a folder that holds no results


def _said(notebook):
    """All text of a notebook's outputs."""
    texts = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            texts += [output.get("text", ""), output.get("data", {}).get("text/html", "")]
    return "\n".join(texts)


def test_where_nothing_was_run_cells_say_so_and_how_to_fill_them(executed):
    said = _said(executed.get("91_paper_tables"))
    assert "0 rows measured here, 0 left out" in said
    for dataset in ("sysu", "regdb", "llcm"):
        assert f"mscm enter {dataset} PATH && make study STUDY={dataset}\n" in said
    assert "here</th>" in said and "not run here" in said
    assert re.search(r"0 of \d+ figures of others are known to share sysu's protocol", said)
    printed = published_figures().set_index(["method", "search", "metric"])["printed"]
    assert (
        printed["MSCMNet", "all", "rank1"] in said and printed["PDM", "indoor", "mean_ap"] in said
    )


def test_finished_studies_enter_and_rehearsals_do_not(executed, tmp_path):
    write_study(tmp_path, "sysu", networks=("mscmnet", "baseline"))
    write_study(tmp_path, "llcm", images={"reader": "llcm", "emulated": True})
    said = _said(executed.run("91_paper_tables", {"results": str(tmp_path), "study": "llcm"}))
    assert "4 rows measured here, 3 left out" in said
    assert re.search(r"mscmnet, here \(sysu\).*50\.50 ± 0\.71", said, re.DOTALL)
    assert "NVIDIA X" in said and "an emulated tree" in said
    assert "here (llcm)" not in said
    assert "make study STUDY=regdb\n" in said and "make study STUDY=sysu\n" not in said
    assert "-28.03" in said  # 50.5 less the 78.53 in print
    figures = published_figures().set_index(["search", "metric"]).loc[("all", "rank1")]
    ahead = sorted(figures[figures["value"] > 78.53]["method"])
    cells = re.findall(r"<td>(78\.53)</td>\s*<td>(\d+)</td>\s*<td>(\d+)</td>", said)
    assert ahead == ["BIT", "MFEN", "PDM"]
    assert cells == [("78.53", "3", str(len(figures) - 2))]  # but MSCMNet and its nearest ablation
    assert "mscmnet, seed 1 (sysu)" in said  # a column of losses beside the authors' log
