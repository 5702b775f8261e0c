"""Searching for people: an index of gallery embeddings, kept, reopened and asked with a picture."""

from mscm_lib.retrieval.gallery import GalleryIndex, Match
from mscm_lib.retrieval.search import Searcher, build_index

__all__ = ["GalleryIndex", "Match", "Searcher", "build_index"]
