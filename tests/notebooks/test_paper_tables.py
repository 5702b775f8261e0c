"""Figures in print beside figures measured here, with nothing measured and with finished studies."""

import re

import matplotlib.pyplot as plt
import nbformat
import pytest

from mscm_lib.paths import project_root
from mscm_lib.reports.published import DATASETS, columns_of, published_figures
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


@pytest.fixture
def own_names():
    """``own_names(folder)``: the notebook's functions, on what is measured below a folder."""

    def read(folder):
        names = {"display": lambda *_: None}
        notebook = nbformat.read(project_root() / "notebooks/91_paper_tables.ipynb", as_version=4)
        for cell in notebook.cells:
            if cell.cell_type == "code":
                exec(cell.source, names)
                if "parameters" in cell.metadata.get("tags", []):
                    names["results"] = str(folder)
            if "among_peers" in names:
                return names

    yield read
    plt.close("all")


def test_tables_hold_print_and_runs_in_columns_of_their_own(own_names, tmp_path):
    for dataset in DATASETS:
        write_study(tmp_path, dataset)
    (empty := tmp_path / "nothing").mkdir()
    for names in (own_names(empty), own_names(tmp_path)):
        for dataset in DATASETS:
            beside = names["side_by_side"](dataset)
            table = names["comparison_table"](beside)
            assert table.index[0] == "MSCMNet"
            own = table.iloc[1]
            wanted = "50.50 ± 0.71" if len(names["found"].rows) else "not run here"
            assert own.index.get_level_values(0).nunique() >= len(columns_of(dataset))
            assert set(own[own != "–"]) == {wanted}
            figure = names["comparison_figure"](beside, dataset)
            texts = [text.get_text() for axis in figure.axes for text in axis.texts]
            assert ("not run here" in texts) == names["found"].rows.empty


def test_what_is_not_stated_has_a_column_of_its_own(own_names, tmp_path):
    names = own_names(tmp_path)
    table = names["comparison_table"](names["side_by_side"]("regdb"))
    assert table.loc["IFALNet", ("direction not stated", "R1")] == "93.9"
    assert (table.loc["IFALNet", "visible → thermal"] == "–").all()
    table = names["comparison_table"](names["side_by_side"]("llcm"))
    direct, swapped = (table[f"visible → infrared, {s}"] for s in ("direct", "swapped"))
    assert not ((direct != "–") & (swapped != "–")).drop("MSCMNet, here").any(axis=None)
    assert table.loc["BIT", ("visible → infrared, scoring not stated", "R1")] == "73.1 §"
