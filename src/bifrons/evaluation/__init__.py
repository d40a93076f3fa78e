"""One file a metric; each states its name, direction and inputs, and keeps per-item scores."""

from bifrons.evaluation.divergence import Divergences, measure_divergence
from bifrons.evaluation.evaluate import METRICS, evaluate, own_metric, scaled_constants, scored_by
from bifrons.evaluation.length import LengthConfound, length_confound
from bifrons.evaluation.metric import Metric, Scores
from bifrons.evaluation.responses import Answered, Drawn, Responses, is_complete, respond
from bifrons.evaluation.store import ResponseStore, adapter_fingerprint

__all__ = [
    "METRICS",
    "Answered",
    "Divergences",
    "Drawn",
    "LengthConfound",
    "Metric",
    "ResponseStore",
    "Responses",
    "Scores",
    "adapter_fingerprint",
    "evaluate",
    "is_complete",
    "length_confound",
    "measure_divergence",
    "own_metric",
    "respond",
    "scaled_constants",
    "scored_by",
]
