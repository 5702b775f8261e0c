"""Exact ranking metrics of the field's protocols, and statistics on them."""

from mscm_lib.metrics.compare import Comparison, compare_runs
from mscm_lib.metrics.distances import rank_metrics
from mscm_lib.metrics.features import rank_features
from mscm_lib.metrics.inference import Interval, bootstrap_over_identities
from mscm_lib.metrics.rankings import RankMetrics
from mscm_lib.metrics.reranking import rerank
from mscm_lib.protocols import PROTOCOLS, Protocol

__all__ = [
    "PROTOCOLS",
    "Comparison",
    "Interval",
    "Protocol",
    "RankMetrics",
    "bootstrap_over_identities",
    "compare_runs",
    "rank_features",
    "rank_metrics",
    "rerank",
]
