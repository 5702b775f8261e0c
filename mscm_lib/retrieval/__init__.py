"""Searching for people: an index of gallery embeddings, kept, reopened and asked with a picture."""

from mscm_lib.retrieval.build import build_index
from mscm_lib.retrieval.gallery import GalleryIndex, Match
from mscm_lib.retrieval.search import Searcher

__all__ = ["GalleryIndex", "Match", "Searcher", "build_index"]
