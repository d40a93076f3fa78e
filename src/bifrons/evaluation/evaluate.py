"""Every metric over one model's responses: the table of their names, and one of a user's own as `module:function`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

from bifrons.evaluation import divergence, generation, novelty, pictures, pope, understanding
from bifrons.evaluation.divergence import Divergences
from bifrons.evaluation.generation import ImageTextScorer
from bifrons.evaluation.metric import Metric, Scores
from bifrons.evaluation.pictures import PictureNetworks
from bifrons.evaluation.responses import Responses
from bifrons.scorers import LengthConstants

METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        understanding.VQA,
        understanding.VQA_LENGTH_FREE,
        understanding.ACCURACY,
        *pope.METRICS,
        understanding.SOFT_ACCURACY,
        understanding.LENGTH,
        understanding.PER_WORD,
        *novelty.METRICS,
        *generation.METRICS,
        *pictures.METRICS,
        *divergence.METRICS,
        *understanding.BY_KIND,
    )
}

PAPER_WORDS = 45.0  # words of an answer at 7B, about the middle of 30 to 100 tokens **(ours)**

OwnMetric = Callable[[Responses], tuple[Metric, Scores]]


def scaled_constants(mean_words: float) -> LengthConstants:
    """The length constants of the VQA score for a model whose base answers have this many words **(ours)**."""
    published = LengthConstants()
    scale = mean_words / PAPER_WORDS
    return LengthConstants(full_bonus=published.full_bonus * scale, very_short=published.very_short * scale)


def evaluate(
    responses: Responses,
    *,
    clip: ImageTextScorer | None = None,
    networks: Sequence[PictureNetworks] = (),
    constants: LengthConstants | None = None,
    divergences: Divergences | None = None,
) -> list[Scores]:
    """Scores of every metric, in the order of `METRICS`; one without data carries the reason."""
    found = [
        *understanding.understanding_scores(responses, constants or LengthConstants()),
        *pope.pope_scores(responses),
        *novelty.novelty_scores(responses),
        *generation.generation_scores(responses, clip),
        *pictures.picture_scores(responses, networks),
        *divergence.divergence_scores(divergences),
    ]
    by_name = {scores.metric: scores for scores in found}
    return [by_name[name] for name in METRICS]


def own_metric(name: str) -> OwnMetric:
    """The function that `module:function` names, also from the working folder: responses in, (Metric, Scores) out.

    Raises ValueError for a name of another form and for what cannot be imported.
    """
    module_name, colon, function_name = name.partition(":")
    if not (colon and module_name and function_name):
        raise ValueError(f"no metric {name!r}; there are {', '.join(METRICS)}, or give module:function")
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        found = getattr(import_module(module_name), function_name)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"metric {name}: {error}") from None
    finally:
        sys.path.remove(here)
    if not callable(found):
        raise ValueError(f"metric {name}: is no function")
    return found  # type: ignore[no-any-return]


def scored_by(function: OwnMetric, name: str, responses: Responses) -> tuple[Metric, Scores]:
    """Run a metric of a user's own. Raises ValueError for what it returns instead of a Metric and its Scores."""
    made = function(responses)
    if not (
        isinstance(made, tuple)
        and len(made) == 2
        and isinstance(made[0], Metric)
        and isinstance(made[1], Scores)
        and made[0].name == made[1].metric
    ):
        raise ValueError(f"metric {name}: has to return (Metric, Scores) of one name")
    return made
