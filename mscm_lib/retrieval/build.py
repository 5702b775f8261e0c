"""A run's gallery embedded and kept, with the halves of its network that queries go through."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from mscm_lib.config import RunConfig, check_known
from mscm_lib.data.packed.opened import PackedDataset, open_packed
from mscm_lib.errors import CheckpointError, ConfigError
from mscm_lib.files import atomic_path, file_digest
from mscm_lib.outputs import check_place
from mscm_lib.paths import resolve
from mscm_lib.retrieval.gallery import RECORD, GalleryIndex
from mscm_lib.retrieval.neighbours import Method
from mscm_lib.retrieval.search import MODALITIES, half_of
from mscm_lib.thresholds import FALSE_MATCH


def build_index(
    config: RunConfig,
    weights: Path | str,
    folder: Path | str,
    search: str | None = None,
    method: Method = "exact",
    false_match: float = FALSE_MATCH,
    progress: bool = True,
) -> GalleryIndex:
    """Embed every image that a search's gallery may hold, and keep it with the network.

    Args:
        config: of the run; says dataset, split and feature. Features are not flip-averaged.
        weights: of the run.
        folder: written whole or not at all.
        search: one of the dataset's searches; None: the first.
        method: "exact", or "approximate" for a graph that may miss neighbours.
        false_match: share of pairs of different people that `Searcher.decided` may take for one.
        progress: show a bar.

    Raises:
        CheckpointError: there are no weights, or they belong to another dataset, split or number of
            identities.
        ConfigError: no such search or method, a share that is none, or the folder holds something
            else or cannot be made.
        DataError: the packed images are missing or damaged.
    """
    packed = open_packed(resolve(config.data_folder))
    search = search or packed.dataset.searches[0]
    _check(packed, Path(weights), Path(folder), search, method)
    # What is asked for is there: now what takes seconds to import.
    from mscm_lib.evaluation.embedding import embed_table
    from mscm_lib.evaluation.run import load_run_network
    from mscm_lib.evaluation.verification import run_thresholds
    from mscm_lib.hardware import choose_hardware
    from mscm_lib.models.export import InferenceNetwork, export_onnx

    hardware = choose_hardware(config)
    net = load_run_network(config, packed, weights, hardware)
    split = config.trial if len(packed.dataset.training_trials) > 1 else None
    table = packed.dataset.gallery_pool(search, split)
    found = embed_table(net, packed.images, table, hardware=hardware, progress=progress)
    found = found.ranked_by(config)
    thresholds = run_thresholds(net, packed, config, hardware, false_match, progress)
    images = packed.dataset.images
    about = {
        "dataset": config.dataset,
        "dataset_fingerprint": packed.images.fingerprint,
        "data_folder": config.data_folder,
        "search": search,
        "feature": config.feature,
        "height": config.height,
        "width": config.width,
        "weights": file_digest(weights),
        "thresholds": thresholds and thresholds.as_dict(),
        "cameras": {
            "visible": sorted({*images.visible_images.cams.tolist()}),
            "infrared": sorted({*images.infrared_images.cams.tolist()}),
        },
    }
    with atomic_path(folder) as part:
        part.mkdir()
        for modality in MODALITIES:
            half = InferenceNetwork(net, modality, config.feature, config.mix_weight, pixels=True)
            export_onnx(half_of(part, modality), half)
        about["halves"] = {each: file_digest(half_of(part, each)) for each in MODALITIES}
        features = found.features[config.feature]
        index = GalleryIndex.build(table, features, packed.dataset.protocol, method, about)
        index.write(part)
    return index


def _check(packed: PackedDataset, weights: Path, folder: Path, search: str, method: str) -> None:
    check_known("method", method, get_args(Method))
    check_known("search", search, packed.dataset.searches)
    if not weights.is_file():
        raise CheckpointError(f"{weights}: no such file; expected a finished run's weights")
    foreign = folder.exists() and not (folder / RECORD).is_file()
    if foreign and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(
            f"{folder}: is there already and is no index; it would be replaced as a whole: "
            "name a new folder"
        )
    check_place(folder)
