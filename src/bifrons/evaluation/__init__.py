"""One file a metric; each states its name, direction and inputs, and keeps per-item scores."""

from bifrons.evaluation.evaluate import METRICS, evaluate, scaled_constants
from bifrons.evaluation.metric import Metric, Scores
from bifrons.evaluation.responses import Answered, Drawn, Responses, is_complete, respond
from bifrons.evaluation.store import ResponseStore, adapter_fingerprint

__all__ = [
    "METRICS",
    "Answered",
    "Drawn",
    "Metric",
    "ResponseStore",
    "Responses",
    "Scores",
    "adapter_fingerprint",
    "evaluate",
    "is_complete",
    "respond",
    "scaled_constants",
]
