"""Examples from the procedural world."""

from __future__ import annotations

import zlib

import numpy as np

from bifrons.scenes import QUESTION_KINDS, Scene, Split, captions, draw_scene, presence_question, question, render
from bifrons.scenes.world import Pixels
from bifrons.sources.example import Example, Question


def scene_examples(split: Split, count: int, seed: int) -> list[Example]:
    """Different scenes of a split, each with a question of every kind and one presence question of each answer.

    The first caption, which is drawn, is one of the five wordings at random. Splits share no scene, so no image and no
    prompt.
    """
    rng = np.random.default_rng([seed, zlib.crc32(split.encode())])
    examples: list[Example] = []
    seen: set[Scene] = set()
    while len(examples) < count:
        scene = draw_scene(rng, split)
        if scene in seen:
            continue
        seen.add(scene)
        said = captions(scene, rng)
        first = int(rng.integers(len(said)))
        asked = [question(scene, kind, rng) for kind in QUESTION_KINDS]
        presence = [presence_question(scene, present, rng) for present in (True, False)]
        examples.append(
            Example(
                id=f"scene-{split}-{seed}-{len(examples)}",
                image=png(render(scene)),
                captions=(said[first], *said[:first], *said[first + 1 :]),
                questions=tuple(Question(q.kind, q.text, q.answer) for q in asked),
                presence=tuple(Question(q.kind, q.text, q.answer) for q in presence),
            )
        )
    return examples


def png(pixels: Pixels) -> bytes:
    """The same pixels give the same bytes."""
    import io

    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()
