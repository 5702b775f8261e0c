"""Evaluation of networks and features under each dataset's own protocol."""

from mscm_lib.evaluation.cache import load_embeddings
from mscm_lib.evaluation.embedding import Embeddings, embed_table
from mscm_lib.evaluation.references import (
    rank_at_random,
    rank_by_gradients,
    rank_by_histogram,
    rank_oracle,
    rank_untrained,
)
from mscm_lib.evaluation.run import Evaluation, evaluate_run

__all__ = [
    "Embeddings",
    "Evaluation",
    "embed_table",
    "evaluate_run",
    "load_embeddings",
    "rank_at_random",
    "rank_by_gradients",
    "rank_by_histogram",
    "rank_oracle",
    "rank_untrained",
]
