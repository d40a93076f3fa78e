"""A model that answers and draws by rule: builders and metrics can be tested without a network."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bifrons.protocol import Answer, Drawing, Identity, Sampling
from bifrons.scenes import Scene, read, render, request, verify
from bifrons.scenes.world import PLACES, Object


class StandIn:
    """Answers come from `say(question, temperature)`; drawings are the scene that the prompt asks for, changed by
    `spoil`.

    A drawing's codes are its scene in numbers, so decoding is exact.
    """

    identity = Identity(name="stand-in", family="none", fingerprint="0", facts={"dtype": "float32"})
    num_image_tokens = 17

    def __init__(
        self,
        say: Callable[[str, float], str] = lambda question, temperature: "it is red.",
        spoil: Callable[[Scene, float], Scene] = lambda scene, temperature: scene,
    ) -> None:
        self.say, self.spoil = say, spoil
        self.calls: list[Sampling] = []

    def answer(
        self, images: Sequence[Any], questions: Sequence[str], sampling: Sampling, report: Any = None
    ) -> list[Answer]:
        self.calls.append(sampling)
        texts = [self.say(question, sampling.temperature) for question in questions]
        return [Answer(text, tuple(range(len(text.split())))) for text in texts]

    def draw(self, prompts: Sequence[str], sampling: Sampling, report: Any = None) -> list[Drawing]:
        self.calls.append(sampling)
        scenes = [self.spoil(wished(prompt), sampling.temperature) for prompt in prompts]
        return [Drawing(scene_codes(scene), render(scene)) for scene in scenes]

    def encode(self, images: Sequence[Any]) -> list[tuple[int, ...]]:
        from bifrons.models.pictures import to_image

        return [scene_codes(read(np.asarray(to_image(image))).scene) for image in images]

    def decode(self, codes: Sequence[Sequence[int]]) -> list[Any]:
        return [render(code_scene(row)) for row in codes]


def wished(prompt: str) -> Scene:
    asked = request(prompt)
    objects = tuple(
        Object(item.place or PLACES[i], item.shape, item.colour or "red", item.size or "big")
        for i, item in enumerate(asked.items)
    )
    return Scene(asked.background or "white", objects)


WORDS = ["white", "grey", "black", "circle", "square", "triangle", "small", "big"]
COLOURS = ["red", "green", "blue", "yellow", "purple", "orange"]


def scene_codes(scene: Scene) -> tuple[int, ...]:
    row = [WORDS.index(scene.background)]
    for place in PLACES:
        found = [o for o in scene.objects if o.place == place]
        row += (
            [WORDS.index(found[0].shape), COLOURS.index(found[0].colour), WORDS.index(found[0].size), 1]
            if found
            else [0] * 4
        )
    return tuple(row)


def code_scene(row: Sequence[int]) -> Scene:
    objects = []
    for i, place in enumerate(PLACES):
        shape, colour, size, there = row[1 + 4 * i : 5 + 4 * i]
        if there:
            objects.append(Object(place, WORDS[shape], COLOURS[colour], WORDS[size]))
    return Scene(WORDS[row[0]], tuple(objects))


class ByVerifier:
    """A stand-in for a CLIP: 100 times the share of attributes that are right."""

    name = "verifier"

    def scores(self, images: Sequence[Any], texts: Sequence[str]) -> list[float]:
        return [100 * verify(request(t), read(i)).attributes_right for i, t in zip(images, texts, strict=True)]


def one_object_less(scene: Scene, temperature: float) -> Scene:
    return Scene(scene.background, scene.objects[1:]) if temperature > 0.9 else scene


class Painter(StandIn):
    """Its codes are the 4 x 4 grey levels that it sees of a photograph; prompt, seed and item decide what it draws."""

    num_image_tokens = 16

    def draw(self, prompts: Sequence[str], sampling: Sampling, report: Any = None) -> list[Drawing]:
        self.calls.append(sampling)
        drawn: list[Drawing] = []
        for i, prompt in zip(sampling.items or range(len(prompts)), prompts, strict=True):
            rng = np.random.default_rng([sampling.seed, i, zlib.crc32(prompt.encode())])
            codes = tuple(rng.integers(0, 256, 16).tolist())
            drawn.append(Drawing(codes, self.decode([codes])[0]))
        return drawn

    def encode(self, images: Sequence[Any]) -> list[tuple[int, ...]]:
        from bifrons.models.pictures import to_image

        levels = [np.asarray(to_image(image).convert("L").resize((4, 4))) for image in images]
        return [tuple(level.flatten().tolist()) for level in levels]

    def decode(self, codes: Sequence[Sequence[int]]) -> list[Any]:
        levels = [np.array(row, np.uint8).reshape(4, 4, 1).repeat(3, axis=2) for row in codes]
        return [level.repeat(8, axis=0).repeat(8, axis=1) for level in levels]


class ByBrightness:
    """A stand-in for a CLIP: the brighter, the better."""

    name = "brightness"

    def scores(self, images: Sequence[Any], texts: Sequence[str]) -> list[float]:
        return [float(np.mean(image)) for image, _ in zip(images, texts, strict=True)]


__all__ = [
    "ByBrightness",
    "ByVerifier",
    "Painter",
    "StandIn",
    "code_scene",
    "one_object_less",
    "scene_codes",
]
