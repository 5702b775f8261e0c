"""Diagrams of the method and of the pipeline, as SVG, drawn from the things themselves.

Sizes are asked of a network, arrows of the loss's pairings and of the pipeline's files. Each is
plain text without identifiers or styles, so that several stand on one page; on a light ground of
its own, which reads in dark mode; narrow, with letters that a telephone still shows.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import yaml
from IPython.display import Markdown, display

from mscm_lib.errors import ConfigError
from mscm_lib.files import write_text
from mscm_lib.losses.quadruple_center import PAIRINGS
from mscm_lib.models import ALB, MIMB, MSCMNet
from mscm_lib.models.streams import STREAMS
from mscm_lib.paths import resolve
from mscm_lib.reports.style import (
    EXCLUDED,
    INFRARED,
    PALETTE,
    STREAM_COLOURS,
    STREAM_MARKERS,
    VISIBLE,
)
from mscm_lib.reports.svg import FAINT, INK, Drawing, Point

FOLDER = "results/diagrams"
MIXED = PALETTE[2]
STAGES = {
    "prepare": (10, 122, 440, VISIBLE),
    "train": (10, 196, 148, INFRARED),
    "reference": (270, 196, 180, INFRARED),
    "evaluate": (122, 288, 176, INFRARED),
    "tables": (10, 380, 440, MIXED),
    "figures": (10, 454, 220, MIXED),
    "reports": (10, 528, 440, MIXED),
}
"""Where a stage stands: left, top, width, colour."""
HANDED: dict[tuple[str, str], tuple[Point, ...]] = {
    ("prepare", "train"): ((75, 167), (75, 196)),
    ("prepare", "reference"): ((360, 167), (360, 196)),
    ("prepare", "evaluate"): ((205, 167), (205, 288)),
    ("train", "evaluate"): ((90, 258), (90, 319), (122, 319)),
    ("train", "tables"): ((40, 258), (40, 380)),
    ("reference", "tables"): ((380, 258), (380, 380)),
    ("evaluate", "tables"): ((205, 350), (205, 380)),
    ("tables", "figures"): ((120, 425), (120, 454)),
    ("tables", "reports"): ((340, 425), (340, 528)),
    ("figures", "reports"): ((120, 499), (120, 528)),
}
"""The way of an arrow from one stage to another that reads what it wrote."""


def network(net: MSCMNet) -> str:
    """Four views → stems → trunk, MIMB beside it → layer 4 → head, with the size of every map.

    Raises:
        ConfigError: the network's multi-scale block is not MIMB.
    """
    blocks, size = _blocks(net), _sizes(net)
    d = Drawing(640, "MSCMNet: four stems, a shared trunk with MIMB beside it, layer 4, the head")
    d.words(118, 22, "visible image")
    d.words(342, 22, "infrared image")
    left = dict(zip(STREAMS, (10, 122, 234, 346), strict=True))
    for view, x in left.items():
        kind = "global view" if view[2] == "g" else "channel view"
        d.box(x, 30, 104, 44, [f"{view[0].upper()}_{view[2]}", kind], STREAM_COLOURS[view])
        d.arrow((x + 52, 74), (x + 52, 90))
        d.arrow((x + 52, 134), (x + 52, 150))
    for name, stem in net.streams.stems.items():
        served = [left[view] for view in STREAMS if net.streams.stem_of[view] == name]
        weights = f"{sum(p.numel() for p in stem.parameters()):,} weights"
        width = served[-1] - served[0] + 104
        d.box(served[0], 90, width, 44, ["stem", weights], STREAM_COLOURS.get(name, FAINT))
    d.box(10, 150, 440, 28, [f"one batch: {size['stem']} a view"], FAINT)

    d.words(68, 212, "thick: what is refined", at="start")
    d.words(68, 230, "dashed: its guide", at="start")
    d.arrow((56, 178), (56, 268))
    for number, name in enumerate(("layer1", "layer2", "layer3"), 1):
        y = 200 + 68 * number
        d.box(10, y, 180, 56, [f"layer {number}", size[name], _inside(net, name)], FAINT)
        if number > 1:
            d.arrow((56, y - 12), (56, y))
    d.add("rect", x=250, y=190, width=200, height=290, rx=8, fill="none", stroke=MIXED,
          stroke_width=1.5, stroke_dasharray="2 3")  # fmt: skip
    d.words(264, 472, "MIMB", bold=True, at="start")
    d.arrow((190, 442), (226, 442), (226, 220), (264, 220), thick=3, colour=VISIBLE)
    for place, (name, block) in enumerate(blocks.items()):
        y = 206 + 68 * place
        d.box(
            264,
            y,
            172,
            44,
            [f"ALB {place + 1}", f"guided by {'itself' if block.source is None else _said(name)}"],
            MIXED,
        )
        d.arrow((350, y + 44), (350, y + 68 if place < len(blocks) - 1 else 500), thick=3,
                colour=VISIBLE)  # fmt: skip
        if block.source is not None:
            row = 200 + 68 * list(size).index(name)
            start = ((410, 178),) if name == "stem" else ((190, row + 36),)
            d.arrow(*start, (410, y) if name == "stem" else (264, y + 30), colour=INFRARED,
                    dashes="5 4")  # fmt: skip
    d.box(264, 500, 172, 44, ["layer 4", size["layer4"]], FAINT)
    d.arrow((350, 544), (350, 558), (75, 558), (75, 574))
    head = {
        "feature f": ["GeM pooling", f"{net.channels}, for QCT"],
        "feature g": ["batch norm", f"{net.channels}, for ranking"],
        "scores": ["classifier", f"{net.identities} identities"],
    }
    for place, (name, lines) in enumerate(head.items()):
        d.box(10 + 155 * place, 574, 130, 58, [name, *lines], PALETTE[4])
        if place:
            d.arrow((155 * place - 15, 603), (155 * place + 10, 603))
    return d.svg()


def alb(net: MSCMNet, source: str = "stem") -> str:
    """One ALB: a strip is a token, a channel's whole picture; what asks, what is asked, what moves.

    Raises:
        ConfigError: the network has no such block, or it is the one that is its own source.
    """
    blocks, size = _blocks(net), _sizes(net)
    block = blocks.get(source)
    if block is None or block.source is None:
        able = ", ".join(name for name, each in blocks.items() if each.source is not None)
        raise ConfigError(f"source = {source!r}: expected the source of an ALB here: {able}")
    conv, tokens = block.source, block.narrow.out_channels
    positions = block.attention.out_proj.in_features
    d = Drawing(
        690, "An ALB: tokens are channels; the source gives query and key, layer 3 the value"
    )
    d.words(115, 26, f"source: {_said(source)}", bold=True)
    d.words(115, 44, size[source])
    d.words(345, 26, "layer 3", bold=True)
    d.words(345, 44, f"{size['layer3']}, or the last ALB")
    kernel, stride = conv.kernel_size[0], conv.stride[0]
    steps = {115: [f"{kernel}×{kernel} convolution", f"stride {stride}, then layer norm"],
             345: ["1×1 convolution", "then layer norm"]}  # fmt: skip
    for x, colour, name in ((115, INFRARED, "S"), (345, VISIBLE, "X")):
        d.arrow((x, 50), (x, 68))
        d.box(x - 95, 68, 190, 44, steps[x], colour)
        d.arrow((x, 112), (x, 132))
        for row in range(6):
            for column in range(18):
                shade = 0.15 + 0.75 * math.sin(row * row + column * (0.4 + 0.1 * row)) ** 2
                d.add("rect", x=x - 90 + 10 * column, y=136 + 14 * row, width=10, height=11,
                      fill=colour, fill_opacity=round(shade, 2))  # fmt: skip
        d.words(x, 236, f"{name}: {tokens} tokens of {positions}", bold=True)
    d.words(115, 256, "a strip is a token: a channel")
    d.words(345, 256, "its cells: the places of the map")
    d.arrow((75, 268), (75, 290), colour=INFRARED)
    d.arrow((155, 268), (155, 290), colour=INFRARED)
    d.box(30, 290, 84, 30, ["query"], INFRARED)
    d.box(120, 290, 84, 30, ["key"], INFRARED)
    d.arrow((75, 320), (75, 346))
    d.arrow((155, 320), (155, 346))
    d.box(20, 346, 200, 62, ["attention", f"{tokens}×{tokens}: channel to channel",
                             f"in each of {block.attention.heads} heads"], MIXED)  # fmt: skip
    d.arrow((345, 268), (345, 290), colour=VISIBLE, thick=3)
    d.arrow((208, 178), (230, 178), (230, 305), (260, 305), colour=INFRARED, dashes="5 4")
    d.box(260, 290, 170, 30, ["X + 0.1 · S"], VISIBLE)
    d.arrow((300, 320), (300, 362))
    d.box(256, 362, 92, 30, ["value"], VISIBLE)
    d.arrow((120, 408), (120, 440))
    d.arrow((300, 392), (300, 440))
    d.box(20, 440, 340, 44, ["channels, mixed", "S says which with which"], MIXED)
    d.arrow((190, 484), (190, 512))
    d.arrow((400, 320), (400, 527), (370, 527), colour=VISIBLE, thick=3)
    d.box(20, 512, 350, 30, ["added to X + 0.1 · S"], VISIBLE)
    d.arrow((190, 542), (190, 562))
    hidden = block.mlp.expand.out_features
    d.box(20, 562, 350, 44, ["MLP, added", f"{positions} → {hidden} → {positions} places"], FAINT)
    d.arrow((190, 606), (190, 626))
    d.box(20, 626, 350, 44, ["1×1 convolution", f"{size['layer3']}; no way around"], VISIBLE)
    return d.svg()


def qct(pairing: str = "cross") -> str:
    """QCT's centers and the arrows to them, for one feature a term; ``pairing`` as in the loss."""
    d = Drawing(516, f"QCT: what draws a feature and what pushes it, pairing {pairing}")
    d.words(110, 28, "visible", bold=True)
    d.words(350, 28, "infrared", bold=True)
    places = {}
    for stream, (x, y) in zip(STREAMS, ((110, 80), (110, 230), (350, 80), (350, 230)), strict=True):
        side = -1 if stream[0] == "v" else 1
        places[stream] = [(x + side * a, y + b) for a, b in ((22, -20), (22, 16), (-14, 24))]
        d.words(x + side * 66, y + 8, f"{stream[0].upper()}_{stream[2]}", bold=True)
        for point in places[stream]:
            d.marker(STREAM_MARKERS[stream], point, STREAM_COLOURS[stream])
        d.cross(_mean(places[stream]), STREAM_COLOURS[stream])
    infrared, stranger = _mean(places["i_g"] + places["i_c"]), (110.0, 335.0)
    d.cross(infrared, INK)
    d.words(infrared[0] + 14, infrared[1] - 3, "center of", at="start")
    d.words(infrared[0] + 14, infrared[1] + 14, "infrared", at="start")
    d.add("circle", cx=stranger[0], cy=stranger[1], r=96, fill=EXCLUDED, fill_opacity=0.12,
          stroke=FAINT, stroke_dasharray="3 3")  # fmt: skip
    d.cross(stranger, FAINT)
    d.words(216, 332, "another person's center,", at="start")
    d.words(216, 349, "and the margin m around it", at="start")

    drawn, pushed = places["v_g"][2], places["v_c"][2]
    aim = _mean(places[STREAMS[PAIRINGS[pairing][0]]])
    kinds = {
        "dual, 1 − α: to the center of the other modality": (INK, "none"),
        f"quadruple, α: to one stream's center ({pairing})": (PALETTE[2], "6 4"),
        "separation: away from others nearer than m": (PALETTE[3], "2 3"),
    }
    ways = (
        (_short(drawn, infrared, 10), _short(infrared, drawn, 12)),
        (_short(drawn, aim, 10), _short(aim, drawn, 12)),
        (_short(pushed, stranger, -10), _short(pushed, stranger, -56)),
    )
    for number, (said, (colour, dashes)) in enumerate(kinds.items()):
        begin, end = ways[number]
        d.arrow(begin, end, colour=colour, dashes=dashes, thick=2.4)
        d.arrow((14, 452 + 22 * number), (58, 452 + 22 * number), colour=colour, dashes=dashes,
                thick=2.4)  # fmt: skip
        d.words(68, 457 + 22 * number, said, at="start")
    return d.svg()


def pipeline() -> str:
    """The stages, what each writes, and who reads it, as ``dvc.yaml`` and a study's file have it.

    All later stages depend on digests of code and on the plan or the study's file: one arrow.
    """
    stages: dict[str, Any] = {}
    for path in ("dvc.yaml", "studies/quick/dvc.yaml"):
        stages |= yaml.safe_load(resolve(path).read_text(encoding="utf-8"))["stages"]
    stages.pop("rankings")  # a page beside the figures, with arrows from everywhere
    # one box: a stage a notebook, each on the tables, and the front page on all of them
    told = [*stages.pop("summary")["deps"], *stages["report-90_results"]["deps"]]
    stages = {name: stage for name, stage in stages.items() if not name.startswith("report-")}
    deps = [path for path in told if "/reports/" not in path]
    stages["reports"] = {"deps": deps, "outs": ["results/quick/reports, README.md"]}
    reads = {name: stage.get("do", stage)["deps"] for name, stage in stages.items()}
    writes = {name: _written(stage) for name, stage in stages.items()}
    shown = {name: _for_readers(path) for name, path in writes.items()}
    d = Drawing(590, "The pipeline: a study is planned; its data are prepared; runs are trained, "
                "evaluated, and told in tables, figures and notebooks")  # fmt: skip
    d.box(10, 12, 215, 62, ["mscm plan", "studies/<study>/study.yaml", "→ plan/, runs.json"], FAINT)
    d.box(235, 12, 215, 62, ["strip", "notebooks, mscm_lib", f"→ {shown['strip']}"], FAINT)
    d.words(230, 96, "parameters and digests of code: to every stage")
    d.arrow((230, 102), (230, 122))
    for name, (x, y, width, colour) in STAGES.items():
        notebook = re.search(r"\d\d_\w+", str(stages[name]))
        lines = [name, *([notebook[0]] if notebook else []), f"→ {shown[name]}"]
        d.box(x, y, width, 11 + 17 * len(lines), lines, colour)
        begins = writes[name].split("${")[0]
        for reader in stages:
            if any(path.startswith(begins) for path in reads[reader]):
                d.arrow(*HANDED[name, reader])
    return d.svg()


def _written(stage: Mapping[str, Any]) -> str:
    """The first thing that a stage writes, as DVC has it."""
    out = stage.get("do", stage)["outs"][0]
    return str(out if isinstance(out, str) else next(iter(out)))


def _for_readers(path: str) -> str:
    what = "<run>" if path.startswith(("runs/train", "runs/evaluate")) else "<data>"
    return path.replace("${key}", what).replace("/quick/", "/<study>/")


def show_diagram(svg: str, text: str) -> None:
    """Show a diagram in a notebook, with ``text`` as what it says and as the line below it."""
    alternative = {"image/svg+xml": {"alt": text}}
    display({"image/svg+xml": svg, "text/plain": text}, metadata=alternative, raw=True)
    display(Markdown(f"*{text}*"))


def committed() -> dict[str, str]:
    """Every diagram that `FOLDER` holds, by its file's name; the network at full size."""
    with torch.device("meta"):
        full = MSCMNet(395, backbone="resnet50", height=384, width=192)
    drawn = {"network": network(full), "alb": alb(full), "qct": qct(), "pipeline": pipeline()}
    return {f"{name}.svg": svg for name, svg in drawn.items()}


def write_diagrams() -> None:
    """Draw them into `FOLDER`."""
    for name, svg in committed().items():
        write_text(resolve(f"{FOLDER}/{name}"), svg)


def _blocks(net: MSCMNet) -> dict[str, ALB]:
    if not isinstance(net.multi_scale, MIMB):
        raise ConfigError(
            f"multi_scale = {net.config.multi_scale!r}: expected a network with 'mimb' to draw"
        )
    return {name: block for name, block in net.multi_scale.blocks.items() if isinstance(block, ALB)}


def _sizes(net: MSCMNet) -> dict[str, str]:
    """Channels × rows × columns of every map, computed without any numbers."""
    image = torch.empty(1, 3, net.config.height, net.config.width, device="meta")
    with torch.device("meta"):
        twin = MSCMNet(net.identities, **net.architecture())
        maps = twin.trunk.shallow(twin.streams([image] * len(STREAMS)))
        maps["layer4"] = twin.trunk.deep(twin.multi_scale(maps))
    return {name: "×".join(map(str, value.shape[1:])) for name, value in maps.items()}


def _inside(net: MSCMNet, layer: str) -> str:
    names = [name for name, _ in getattr(net.trunk, layer).named_children()]
    extra = sum(name.startswith("non_local") for name in names)
    return f"{len(names) - extra} blocks" + (f" + {extra} non-local" if extra else "")


def _said(name: str) -> str:
    return name if name == "stem" else f"layer {name[-1]}"


def _mean(points: Sequence[Point]) -> Point:
    xs, ys = zip(*points, strict=True)
    return sum(xs) / len(xs), sum(ys) / len(ys)


def _short(begin: Point, end: Point, by: float) -> Point:
    """``begin`` moved towards ``end`` by so many pixels."""
    length = math.dist(begin, end)
    return begin[0] + by * (end[0] - begin[0]) / length, begin[1] + by * (
        end[1] - begin[1]
    ) / length
