"""Metrics of drawings: CLIP similarity to the prompt, and the exact verifier of scenes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from bifrons.evaluation.metric import Metric, Scores
from bifrons.evaluation.responses import Responses
from bifrons.scenes import IMAGE_SIZE, read_many, request, verify

CLIP_SCORE_SCENES = Metric(
    name="clip_score_scenes",
    label="CLIP score (scenes)",
    task="generation",
    direction="higher",
    primary=True,
    description="100 x cosine of drawing and prompt by a CLIP trained on scenes, another one than built the pairs.",
)
CLIP_SCORE = Metric(
    name="clip_score",
    label="CLIPScore",
    task="generation",
    direction="higher",
    primary=True,
    optional=True,
    description="100 x cosine of drawing and prompt by a public CLIP, another one than built the pairs.",
)
EXACT = Metric(
    name="exact_scene",
    label="Exact scenes",
    task="generation",
    direction="higher",
    primary=True,
    description="Share of drawings with every asked object and attribute, and no object more, read back from pixels.",
)
ATTRIBUTES = Metric(
    name="attribute_accuracy",
    label="Attributes right",
    task="generation",
    direction="higher",
    description="Share of the asked attributes that the drawing has, read back from pixels.",
)
METRICS = (CLIP_SCORE_SCENES, CLIP_SCORE, EXACT, ATTRIBUTES)


class ImageTextScorer(Protocol):
    """A CLIP, as evaluation sees it. `on_scenes` says that it was trained on scenes: its metric is named so."""

    on_scenes: bool

    def scores(self, images: Sequence[Any], texts: Sequence[str]) -> list[float]: ...


def generation_scores(responses: Responses, clip: ImageTextScorer | None) -> list[Scores]:
    if not responses.drawings:
        return [Scores(metric=metric.name, reason="nothing was drawn") for metric in METRICS]
    pixels = [row.drawing.pixels for row in responses.drawings]
    prompts = [row.example.prompt for row in responses.drawings]
    ids = [row.id for row in responses.drawings]
    similar = similarity_scores(ids, pixels, prompts, clip)
    asked = [request(prompt) for prompt in prompts]
    readable = all(image.shape == (IMAGE_SIZE, IMAGE_SIZE, 3) for image in pixels) and all(r.items for r in asked)
    if not readable:
        why = "the drawings or prompts are not of the scene world, so nothing can be read back"
        return [*similar, Scores(metric=EXACT.name, reason=why), Scores(metric=ATTRIBUTES.name, reason=why)]
    verdicts = [verify(r, seen) for r, seen in zip(asked, read_many(np.stack(pixels)), strict=True)]
    return [
        *similar,
        Scores(metric=EXACT.name, items={i: float(v.exact) for i, v in zip(ids, verdicts, strict=True)}),
        Scores(metric=ATTRIBUTES.name, items={i: v.attributes_right for i, v in zip(ids, verdicts, strict=True)}),
    ]


def similarity_scores(
    ids: list[str], pixels: Sequence[Any], prompts: Sequence[str], clip: ImageTextScorer | None
) -> list[Scores]:
    """The CLIP's scores under the name of its kind, and the reason under the other's."""
    if clip is None:
        return [Scores(metric=metric.name, reason="no CLIP was given") for metric in (CLIP_SCORE_SCENES, CLIP_SCORE)]
    scored = dict(zip(ids, clip.scores(pixels, prompts), strict=True))
    if clip.on_scenes:
        why = "the CLIP that judges was trained on scenes"
        return [Scores(metric=CLIP_SCORE_SCENES.name, items=scored), Scores(metric=CLIP_SCORE.name, reason=why)]
    why = "the CLIP that judges was not trained on scenes"
    return [Scores(metric=CLIP_SCORE_SCENES.name, reason=why), Scores(metric=CLIP_SCORE.name, items=scored)]
