"""The protocol says what the code does."""

import re

from mscm_lib.metrics.inference import Estimate
from mscm_lib.paths import project_root
from mscm_lib.study import comparison
from mscm_lib.study.settings import load_study

TEXT = (project_root() / "PROTOCOL.md").read_text(encoding="utf-8")
FLAT = " ".join(TEXT.split())


def test_contrasts_gate_and_verdicts_are_those_of_the_code():
    stated = dict(re.findall(r"\| (\w+ last) \| `mscmnet` \| `([\w-]+)` \|", TEXT))
    assert load_study("lab").contrasts == {
        name: {"mscmnet": 1, against: -1} for name, against in stated.items()
    }
    assert f"training accuracy {comparison.ACCURACY} at its end" in FLAT
    assert comparison.HALF_AGAIN == 1.5 and f"half again the mAP of {comparison.FLOOR}" in FLAT
    for verdict in (*comparison.VERDICTS, comparison.UNTRAINED, comparison.EASY):
        assert f"*{verdict}" in FLAT


def test_what_worlds_can_see_is_what_the_library_computes():
    rows = re.findall(r"^\| (\d+) ((?:\| [\d.]+ ){6})\|$", TEXT, re.MULTILINE)
    assert len(rows) == 4
    for worlds, cells in rows:
        count = int(worlds)
        computed = [
            Estimate(0, spread / count**0.5, count - 1).detectable(family)
            for family in (3, 7)
            for spread in (1, 1.5, 2)
        ]
        assert re.findall(r"[\d.]+", cells) == [f"{value:.1f}" for value in computed]
