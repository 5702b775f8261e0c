"""The diagrams are what the library draws today, and are drawn from what they show."""

import re
from xml.etree import ElementTree

import pytest
import torch

from mscm_lib.errors import ConfigError
from mscm_lib.models import MSCMNet
from mscm_lib.paths import resolve
from mscm_lib.reports import diagrams
from mscm_lib.reports.svg import WIDTH

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def drawn():
    return diagrams.committed()


def _small(**other):
    with torch.device("meta"):
        return MSCMNet(8, backbone="resnet18", height=96, width=48, **other)


def _words(svg):
    return ["".join(text.itertext()) for text in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def _heads(svg):
    """Where arrows end: the first corner of every three-cornered shape without a marker's size."""
    return re.findall(r'points="(\S+) \S+ \S+" fill', svg)


def test_the_committed_diagrams_are_what_the_library_draws(drawn):
    folder = resolve(diagrams.FOLDER)
    assert {path.name for path in folder.iterdir()} == set(drawn)
    for name, svg in drawn.items():
        assert (folder / name).read_text(encoding="utf-8") == svg, f"{name}: mscm readme draws it"


def test_words_stay_within_the_frame(drawn):
    for name, svg in drawn.items():
        for text in ElementTree.fromstring(svg).iter(f"{SVG}text"):
            size = 15 * 0.68 if text.get("font-weight") else 13 * 0.55  # the widest usual face
            length, x = size * len("".join(text.itertext())), float(text.get("x"))
            left = x - length * {"start": 0, "middle": 0.5}[text.get("text-anchor")]
            assert left > 0 and left + length < WIDTH, (name, "".join(text.itertext()))


def test_sizes_are_the_networks_own(drawn):
    assert "1024×24×12" in _words(drawn["network.svg"])
    small = _words(diagrams.network(_small()))
    assert "256×6×3" in small and "1024×24×12" not in small
    assert "S: 64 tokens of 18" in _words(diagrams.alb(_small()))


@pytest.mark.parametrize(
    ("streams", "stems"), [("quadruple-unshared", 4), ("dual", 2), ("quadruple-shared", 1)]
)
def test_as_many_stems_as_the_streams_have(streams, stems):
    assert _words(diagrams.network(_small(streams=streams))).count("stem") == stems


def test_a_pairing_aims_where_the_loss_aims():
    cross, parallel, own = (_heads(diagrams.qct(name)) for name in ("cross", "parallel", "own"))
    assert len({tuple(heads) for heads in (cross, parallel, own)}) == 3


def test_what_has_no_such_part_is_refused():
    with pytest.raises(ConfigError, match="'pyramid': expected a network with 'mimb'"):
        diagrams.network(_small(multi_scale="pyramid"))
    with pytest.raises(ConfigError, match="stem, layer1, layer2"):
        diagrams.alb(_small(), "layer3")
