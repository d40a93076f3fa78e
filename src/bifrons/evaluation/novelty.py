"""Words of an answer that its image's captions do not hold, split into true and false where the image is a scene.

A scene is known in full: its picture is read back, and a word of the world (an attribute, a place, a number) either
holds of it or does not. Words that claim nothing (object, background) and yes and no are neither.
"""

from __future__ import annotations

import numpy as np

from bifrons.evaluation.metric import Metric, Scores
from bifrons.evaluation.responses import Responses
from bifrons.records.pictures import to_image
from bifrons.scenes import IMAGE_SIZE, Scene, read_many
from bifrons.scenes.language import NUMBERS
from bifrons.scenes.world import BACKGROUNDS, COLOURS, PLACES, SHAPES, SIZES
from bifrons.scorers.content import content_words

TRUE = Metric(
    name="novel_words_true",
    label="Novel words, true",
    task="understanding",
    direction="neither",
    unit="words",
    description="Words of an answer that no caption of the image holds, but that hold of it.",
)
FALSE = Metric(
    name="novel_words_false",
    label="Novel words, false",
    task="understanding",
    direction="lower",
    unit="words",
    description="Words of an answer that claim what the image does not show.",
)
METRICS = (TRUE, FALSE)

PLACE_WORDS = frozenset(word for place in PLACES for word in place.split())
COUNTS = NUMBERS[1:]  # "no" claims nothing by itself
CLAIMS = frozenset((*SHAPES, *COLOURS, *SIZES, *PLACE_WORDS, *BACKGROUNDS, *COUNTS))


def holding(scene: Scene) -> frozenset[str]:
    """The words of the world that hold of a scene; a number does where so many objects share a shape or a colour, or
    are there in all.
    """
    found = {scene.background}
    kinds = [thing.shape for thing in scene.objects] + [thing.colour for thing in scene.objects]
    for thing in scene.objects:
        found |= {thing.shape, thing.colour, thing.size, *thing.place.split()}
    counts = {len(scene.objects), *(kinds.count(kind) for kind in kinds)}
    return frozenset(found | {NUMBERS[count] for count in counts if 0 < count < len(NUMBERS)})


def novelty_scores(responses: Responses) -> list[Scores]:
    if not responses.answers:
        return [Scores(metric=metric.name, reason="no questions were asked") for metric in METRICS]
    answers = [row for row in responses.answers if row.example.captions]
    if not answers:
        return [Scores(metric=metric.name, reason="no image that was asked about has captions") for metric in METRICS]
    pictures = [np.asarray(to_image(row.example.image, row.example.id)) for row in answers]
    if any(picture.shape != (IMAGE_SIZE, IMAGE_SIZE, 3) for picture in pictures):
        why = "the images are not of the scene world, so what is true of them is not known"
        return [Scores(metric=metric.name, reason=why) for metric in METRICS]
    true: dict[str, float] = {}
    false: dict[str, float] = {}
    for row, seen in zip(answers, read_many(np.stack(pictures)), strict=True):
        captioned = frozenset[str]().union(*(content_words(caption) for caption in row.example.captions))
        claimed = (content_words(row.answer.text) - captioned) & CLAIMS
        holds = holding(seen.scene)
        true[row.id], false[row.id] = float(len(claimed & holds)), float(len(claimed - holds))
    return [Scores(metric=TRUE.name, items=true), Scores(metric=FALSE.name, items=false)]
