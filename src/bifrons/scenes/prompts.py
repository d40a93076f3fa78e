"""GenEval's six kinds of prompt in this world, each with a scene that fulfils it (Ghosh et al. 2023, GenEval)."""

from __future__ import annotations

from typing import Literal

import numpy as np

from bifrons.scenes.language import plural
from bifrons.scenes.reader import Reading
from bifrons.scenes.request import RELATIONS, request, verify
from bifrons.scenes.world import Scene, Split, draw_scene

PromptKind = Literal["single_object", "two_objects", "counting", "colours", "position", "attribute_binding"]
PROMPT_KINDS: tuple[PromptKind, ...] = (
    "single_object",
    "two_objects",
    "counting",
    "colours",
    "position",
    "attribute_binding",
)


def draw_prompt(kind: PromptKind, rng: np.random.Generator, split: Split | None = None) -> tuple[str, Scene]:
    """A prompt of one kind and a scene that fulfils it exactly.

    Raises ValueError for an unknown kind.
    """
    if kind not in PROMPT_KINDS:
        raise ValueError(f"no prompt kind {kind!r}; there are {', '.join(PROMPT_KINDS)}")
    while True:
        count = 1 if kind in ("single_object", "colours") else 2 + int(kind == "counting" and rng.integers(2))
        scene = draw_scene(rng, split, num_objects=count)
        first, *others = scene.objects
        order = [scene.objects[int(i)] for i in rng.permutation(len(scene.objects))]
        if kind == "single_object":
            prompt = f"a {first.shape}"
        elif kind == "colours":
            prompt = f"a {first.colour} {first.shape}"
        elif kind == "counting":
            if any(other.shape != first.shape for other in others):
                continue
            prompt = plural(len(scene.objects), first.shape)
        elif kind == "two_objects":
            prompt = f"a {order[0].shape} and a {order[1].shape}"
        elif kind == "attribute_binding":
            prompt = f"a {order[0].colour} {order[0].shape} and a {order[1].colour} {order[1].shape}"
        else:
            relation = RELATIONS[int(rng.integers(len(RELATIONS)))]
            prompt = f"a {order[0].shape} {relation} a {order[1].shape}"
            if not verify(request(prompt), Reading(scene, 0.0, ())).exact:
                continue
        return prompt, scene
