"""Datasets: what is in them, how galleries are drawn, packed pixels, batches and their views."""

from mscm_lib.data.base import ReidDataset
from mscm_lib.data.datasets import dataset_from_manifest, open_dataset
from mscm_lib.data.packed.opened import PackedDataset, PackedImages, open_packed, pack_dataset
from mscm_lib.data.tables import ImageTable

__all__ = [
    "ImageTable",
    "PackedDataset",
    "PackedImages",
    "ReidDataset",
    "dataset_from_manifest",
    "open_dataset",
    "open_packed",
    "pack_dataset",
]
