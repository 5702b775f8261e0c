"""Commands that take a finished network elsewhere: an index to search in, files for other programs."""

from __future__ import annotations

import argparse
import os

from mscm_lib.arguments import Add, a_run, picture, share, there, whole
from mscm_lib.errors import ConfigError
from mscm_lib.outputs import check_place
from mscm_lib.paths import absent, here, located, resolve
from mscm_lib.thresholds import FALSE_MATCH


def declare(add: Add) -> None:
    """Declare them."""
    index = add("index", _index, "keep a finished run's gallery as an index to search in")
    index.add_argument("run", type=a_run, help="such as quick-mscmnet-t0-s0")
    index.add_argument("--search", help="whose gallery; the dataset's first search by default")
    index.add_argument(
        "--method", choices=["exact", "approximate"], default="exact",
        help="exact, or approximate for millions",
    )  # fmt: skip
    index.add_argument(
        "--false-match", type=share, default=FALSE_MATCH,
        help="of pairs of different people, the share that `mscm search --decide` may take for one",
    )  # fmt: skip
    index.add_argument("--out", type=here, help="folder; build/index/<run> by default")
    search = add("search", _search, "rank a gallery index for a picture, or several")
    search.add_argument("folder", type=there("folder"), help="what `mscm index` wrote")
    search.add_argument(
        "image", nargs="+", type=picture,
        help="pictures of persons; - alone: their paths from standard input, a line each",
    )  # fmt: skip
    search.add_argument("modality", choices=["visible", "infrared"], help="visible or infrared")
    search.add_argument("--top", type=whole(1), default=10, help="ranks wanted; 10 by default")
    search.add_argument("--camera", type=whole(1), help="of the picture: follow the camera rule")
    search.add_argument("--identity", type=whole(0), help="of the person: mark right and wrong")
    search.add_argument(
        "--decide", action="store_true",
        help="list only who counts as the same person; the answer may be: nobody here",
    )  # fmt: skip
    search.add_argument("--figure", type=here, help="draw the list into this PNG file")
    search.add_argument("--html", type=here, help="write the lists as a page to look through")
    export = add("export", _export, "write a trained network for other programs, a file a modality")
    export.add_argument("weights", help="a finished run, or its model.safetensors")
    export.add_argument("out", type=here, help="folder for visible and infrared")
    export.add_argument(
        "--format", choices=["onnx", "pt2"], default="onnx", help="onnx, or pt2 of torch.export"
    )
    export.add_argument(
        "--feature", choices=["neck", "pooled"], default="neck", help="neck, or pooled"
    )


def _index(options: argparse.Namespace) -> None:
    from mscm_lib.retrieval import build_index
    from mscm_lib.study.plan import planned_config

    config = planned_config(options.run)
    folder = options.out or resolve(f"build/index/{options.run}")
    weights = resolve(f"runs/train/{options.run}/model.safetensors")
    index = build_index(
        config, weights, folder, options.search, options.method, options.false_match
    )
    told = os.path.relpath(folder)
    print(f"{len(index):,} images of {config.dataset}. Ask it: mscm search {told} IMAGE MODALITY")


def _search(options: argparse.Namespace) -> int:
    from mscm_lib.retrieval.command import search

    return search(options)


def _export(options: argparse.Namespace) -> None:
    weights = located(options.weights)
    if not weights.is_file():
        weights = resolve(f"runs/train/{options.weights}/model.safetensors")
    if not weights.is_file():
        raise ConfigError(f"{absent(options.weights)}; nor is it a finished run (no {weights})")
    check_place(options.out)
    from mscm_lib.models.export import export_halves
    from mscm_lib.models.given import SAFETENSORS, check_kind

    check_kind(weights)
    if weights.suffix != SAFETENSORS:
        raise ConfigError(f"{weights}: no model.safetensors, which is what a finished run has")

    for path in export_halves(weights, options.out, options.format, options.feature):
        print(f"{path}: images (B, 3, H, W) -> {options.feature} features (B, C)")
