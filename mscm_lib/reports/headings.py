"""Words for the columns of the library's tables, and a dash where there is nothing, for readers.

A live notebook's table has the names that code has, so that one can compute on; a page shows words.
"""

from __future__ import annotations

import re

WORDS = {
    "rank1": "rank-1",
    "rank5": "rank-5",
    "rank10": "rank-10",
    "rank20": "rank-20",
    "mean_ap": "mAP",
    "mean_ap_low": "mAP, 95 % from",
    "mean_ap_high": "mAP, 95 % to",
    "mean_inp": "mINP",
    "rank1_gain": "rank-1, gain",
    "mean_ap_gain": "mAP, gain",
    "difference_low": "95 % from",
    "difference_high": "95 % to",
    "ap": "AP",
    "ap_a": "AP, first",
    "ap_b": "AP, second",
    "inp": "INP",
    "first_hit": "first right place",
    "query_id": "person",
    "query_cam": "query's camera",
    "valid_queries": "valid queries",
    "gallery_trials": "galleries",
    "mix_weight": "weight of the mix",
    "false_match": "false match",
    "trained_on": "trained on",
    "tested_on": "tested on",
    "identity_loss": "identity loss",
    "metric_loss": "metric loss",
    "active_separation": "active: separation",
    "trunk_rate": "rate of the trunk",
    "gradient_head": "gradient, head",
    "gradient_multi_scale": "gradient, multi-scale",
    "gradient_streams": "gradient, streams",
    "gradient_trunk": "gradient, trunk",
    "cka_stem_visible": "CKA, stem, visible",
    "cka_stem_infrared": "CKA, stem, infrared",
    "cka_stem_modalities": "CKA, stem, across modalities",
    "cka_pooled_visible": "CKA, pooled, visible",
    "cka_pooled_infrared": "CKA, pooled, infrared",
    "cka_pooled_modalities": "CKA, pooled, across modalities",
}
EMPTY = "–"
_SAID = WORDS | dict.fromkeys(["NaN", "nan", "None", "NaT", "&lt;NA&gt;"], EMPTY)
_CELL = re.compile(r"(<t[hd]\b[^>]*>\s*)(\w+|&lt;NA&gt;)(?=\s*</t[hd]>)")
_PARAMETERS = re.compile(r"<th[^>]*>\s*parameter\s*</th>")


def in_words(html: str) -> str:
    """A table's HTML with `WORDS` for the names they stand for, and `EMPTY` for cells without a value.

    A table of parameters stays as it is: its names and values are what a reader types.
    """
    if _PARAMETERS.search(html):
        return html
    return _CELL.sub(lambda cell: cell[1] + _SAID.get(cell[2], cell[2]), html)
