"""Every metric over one model's responses."""

from __future__ import annotations

from bifrons.evaluation import generation, pope, understanding
from bifrons.evaluation.generation import ImageTextScorer
from bifrons.evaluation.metric import Metric, Scores
from bifrons.evaluation.responses import Responses
from bifrons.scorers import LengthConstants

METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        understanding.VQA,
        understanding.VQA_LENGTH_FREE,
        understanding.ACCURACY,
        *pope.METRICS,
        understanding.LENGTH,
        *generation.METRICS,
        *understanding.BY_KIND,
    )
}

PAPER_WORDS = 45.0  # words of an answer at 7B, about the middle of 30 to 100 tokens **(ours)**


def scaled_constants(mean_words: float) -> LengthConstants:
    """The length constants of the VQA score for a model whose base answers have this many words **(ours)**."""
    published = LengthConstants()
    scale = mean_words / PAPER_WORDS
    return LengthConstants(full_bonus=published.full_bonus * scale, very_short=published.very_short * scale)


def evaluate(
    responses: Responses, *, clip: ImageTextScorer | None = None, constants: LengthConstants | None = None
) -> list[Scores]:
    """Scores of every metric, in the order of `METRICS`; one without data carries the reason."""
    found = [
        *understanding.understanding_scores(responses, constants or LengthConstants()),
        *pope.pope_scores(responses),
        *generation.generation_scores(responses, clip),
    ]
    by_name = {scores.metric: scores for scores in found}
    return [by_name[name] for name in METRICS]
