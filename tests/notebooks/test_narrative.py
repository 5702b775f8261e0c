"""The background notebooks run as they stand, wherever they are started from, and check themselves.

Their claims are assertions in their cells, so a run that ends is a claim that holds.
"""

import base64
import io
import re

import pytest
from nbclient.exceptions import CellExecutionError
from papermill.iorw import load_notebook_node
from PIL import Image

from mscm_lib.reports.guide import broken_links
from tests.notebooks.shared import ROOT

TINY = {
    "00_guide": {"people": 1},
    "01_datasets": {"people": 6},
    "02_protocols_and_metrics": {"identities": 24, "draws": 10},
    "03_qfe": {"people": 3},
    "04_mimb_alb": {"people": 2},
    "05_qct": {"images": 2, "steps": 60},
    "60_why_numbers_differ": {"people": 6, "epochs": 1, "images": 100, "watch": 2},
    "61_score_audit": {"people": 6, "epochs": 1},
    "62_same_person": {"people": 6, "epochs": 1},
    "63_across_datasets": {"people": 6, "epochs": 1},
    "22_released_checkpoint": {"people": 2, "gallery_trials": 1},
}
STEMS = (*TINY, "91_paper_tables")  # the small parameters of others stand beside their own tests
PHONE = 375  # CSS pixels


# from the root the pipeline's test executes others, by the same code
@pytest.mark.parametrize("stem, place", [*((s, "notebooks") for s in STEMS), ("00_guide", "root")])
def test_runs_and_shows_readable_figures(executed, stem, place):
    notebook = executed.get(stem, place)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert not [o for o in outputs if o.get("name") == "stderr"]
    figures = [o for o in outputs if "image/png" in o.get("data", {})]
    assert figures
    for figure in figures:
        # a sentence for readers who do not see it, and again below for those who do
        text = figure.metadata["image/png"]["alt"]
        assert text.endswith(".") and len(text) > 20
        assert any(text in o.get("data", {}).get("text/markdown", "") for o in outputs)
        with Image.open(io.BytesIO(base64.b64decode(figure.data["image/png"]))) as picture:
            # at 120 dots an inch: labels of 9 points stay above 5 CSS pixels on a telephone
            assert 9 * (120 / 72) * PHONE / picture.width > 5, (stem, text, picture.size)


def test_a_misspelt_parameter_stops_the_notebook(executed):
    with pytest.raises(CellExecutionError, match="did you mean 'draws'"):
        executed.run("02_protocols_and_metrics", {"drows": 3})


@pytest.mark.parametrize("stem", STEMS)
def test_every_link_leads_somewhere(stem):
    assert broken_links(stem) == []


@pytest.mark.parametrize("stem", STEMS)
def test_opens_with_a_claim_and_closes_with_a_lesson_and_the_next_step(stem):
    prose = [
        cell.source
        for cell in load_notebook_node(str(ROOT / "notebooks" / f"{stem}.ipynb")).cells
        if cell.cell_type == "markdown"
    ]
    assert "**Claim: " in prose[0]
    assert prose[-1].startswith("## What we learned")
    assert re.search(r"\]\(\w+\.ipynb\)", prose[-1])
