"""One file a metric; each states its name, direction and inputs, and keeps per-item scores."""

from bifrons.evaluation.evaluate import METRICS, evaluate, scaled_constants
from bifrons.evaluation.metric import Metric, Scores
from bifrons.evaluation.responses import Answered, Drawn, Responses, respond

__all__ = ["METRICS", "Answered", "Drawn", "Metric", "Responses", "Scores", "evaluate", "respond", "scaled_constants"]
