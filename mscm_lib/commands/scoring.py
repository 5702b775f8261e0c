"""Commands about figures: where a claimed one comes from, and what networks reach on other datasets."""

from __future__ import annotations

import argparse

from mscm_lib.arguments import Add, a_claim, a_dataset, a_run, there, whole
from mscm_lib.claims import refuse_fractions
from mscm_lib.outputs import check_file
from mscm_lib.paths import here, resolve


def declare(add: Add) -> None:
    """Declare them."""
    audit = add(
        "audit", _audit, "find the way of scoring that gives a claimed figure, from its features",
        "Exit status: 0 where some way reproduces the claim, 1 where none does.",
    )  # fmt: skip
    audit.add_argument(
        "features", type=there("file"), help=".npz, .mat or .safetensors, with paths"
    )
    audit.add_argument(
        "dataset", type=a_dataset, help="of the plan, such as quick, or a dataset's folder"
    )
    audit.add_argument(
        "--claim", nargs="+", required=True, type=a_claim, metavar="FIGURE=PERCENT",
        help="as printed, such as rank1=61.5 map=58.25; also rank5, rank10, rank20, minp",
    )  # fmt: skip
    audit.add_argument("--search", help="that the claim is of; any of the dataset's by default")
    audit.add_argument(
        "--steps", type=whole(1), default=2, help="choices off the plain way; 2 at most by default"
    )
    audit.add_argument("--out", type=here, help="write all ways and their figures to this CSV file")
    across = add(
        "across", _across, "test finished runs on datasets that they were not trained on",
        "Everything else refuses weights of another dataset; here they are asked for by name.",
    )  # fmt: skip
    across.add_argument("runs", nargs="+", type=a_run, help="such as quick-mscmnet-t0-s0")
    across.add_argument(
        "--on", nargs="+", required=True, type=a_dataset, metavar="DATASET",
        help="packed datasets of the plan, or their folders",
    )  # fmt: skip
    across.add_argument("--out", type=here, help="write all figures to this CSV file")


def _audit(options: argparse.Namespace) -> int:
    refuse_fractions(options.claim)
    if options.out:
        check_file(options.out)
    from mscm_lib.evaluation.audit import audit
    from mscm_lib.evaluation.feature_files import find_dataset, read_features
    from mscm_lib.files import write_text

    dataset = find_dataset(options.dataset[1])
    embeddings = read_features(options.features, dataset)
    found = audit(dataset, embeddings, options.claim, options.search, options.steps)
    print(found.render(), flush=True)
    if options.out:
        write_text(options.out, found.table.to_csv(index=False, float_format="%.6f"))
    return 0 if len(found.reproducing) else 1


def _across(options: argparse.Namespace) -> None:
    if options.out:
        check_file(options.out)
    from mscm_lib.evaluation.across import evaluate_across, matrix
    from mscm_lib.files import write_text
    from mscm_lib.study.plan import planned_config

    runs = {
        name: (planned_config(name), resolve(f"runs/train/{name}/model.safetensors"))
        for name in options.runs
    }
    found = evaluate_across(runs, dict(options.on))
    for figure, title in (("rank1", "Rank 1"), ("mean_ap", "mAP")):
        print(f"{title}, %: trained on (row) and tested on (column)")
        shown = (100 * matrix(found, figure)).rename_axis(index=None, columns=None)
        print(f"{shown.to_string(float_format='%.2f')}\n", flush=True)
    if options.out:
        write_text(options.out, found.to_csv(index=False, float_format="%.6f"))
