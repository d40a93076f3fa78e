"""Which caption scorer orders sampled captions of scenes as the truth does: how the embedded default was chosen."""

from __future__ import annotations

import io
from collections.abc import Sequence
from itertools import combinations, permutations

import numpy as np
from PIL import Image

from bifrons.protocol import Sampling, UnifiedModel
from bifrons.scenes import Scene, read, request
from bifrons.scenes.request import Item, matches
from bifrons.scorers.text_similarity import TextScorer
from bifrons.sources import scene_examples


def truth_of(caption: str, scene: Scene) -> float:
    """2 m / (asked + there): attributes that the caption has right, of those that it names and those that are there.

    Under the assignment of named to real objects that is kindest to the caption; 0 for one that names nothing.
    """
    named: list[Item | None] = list(request(caption).items)
    there = 4 * len(scene.objects)
    said = sum(len(item.attributes()) for item in named if item is not None)
    if not said:
        return 0.0
    short = max(0, len(scene.objects) - len(named))
    named += [None] * short
    best = max(
        sum(0 if item is None else matches(item, thing) for item, thing in zip(choice, scene.objects, strict=True))
        for choice in permutations(named[: len(scene.objects) + 2], len(scene.objects))
    )
    return 2 * best / (said + there)


def scorer_accuracy(
    model: UnifiedModel,
    scorers: Sequence[TextScorer],
    *,
    num_scenes: int = 100,
    num_captions: int = 6,
    question: str = "describe the picture. describe in detail.",
    seed: int = 0,
) -> dict[str, tuple[float, int]]:
    """For each scorer the share of pairs of captions of one scene whose truth differs that it orders rightly, a tie
    counting one half, and the number of those pairs.
    """
    examples = scene_examples("pairs", num_scenes, seed)
    scenes = [read(np.asarray(Image.open(io.BytesIO(example.image)))).scene for example in examples]
    rows = [
        model.answer(
            [example.image for example in examples],
            [question] * len(examples),
            Sampling(temperature=1.0, seed=place, batch_size=num_scenes),
        )
        for place in range(num_captions)
    ]
    truths = [[truth_of(answer.text, scene) for answer, scene in zip(row, scenes, strict=True)] for row in rows]
    references = [example.prompt for example in examples]
    found: dict[str, tuple[float, int]] = {}
    for scorer in scorers:
        scores = [scorer.scores([answer.text for answer in row], references) for row in rows]
        right, pairs = 0.0, 0
        for index in range(len(examples)):
            for one, other in combinations(range(num_captions), 2):
                wanted = truths[one][index] - truths[other][index]
                if wanted:
                    got = scores[one][index] - scores[other][index]
                    pairs += 1
                    right += 0.5 if got == 0 else float((got > 0) == (wanted > 0))
        if not pairs:
            raise ValueError("no two captions of a scene differ in truth, so no scorer can be measured on them")
        found[scorer.name] = (right / pairs, pairs)
    return found
