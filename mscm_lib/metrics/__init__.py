"""Exact ranking metrics of the field's protocols, and statistics on them."""

from mscm_lib.metrics.distances import rank_metrics
from mscm_lib.metrics.protocols import PROTOCOLS, Protocol
from mscm_lib.metrics.rankings import RankMetrics
from mscm_lib.metrics.reranking import rerank

__all__ = ["PROTOCOLS", "Protocol", "RankMetrics", "rank_metrics", "rerank"]
