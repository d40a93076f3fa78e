"""A stand-in whose captions and drawings differ from sample to sample by rule, and that counts what it is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from bifrons.pairs.homologous import CurationSettings, Curator, HomologousInput, inputs_of
from bifrons.protocol import Answer, Drawing, Sampling
from bifrons.scenes import Scene, read, render
from bifrons.scenes.language import join, phrase
from bifrons.scenes.world import COLOURS
from bifrons.scorers.text_similarity import ContentF1
from bifrons.scorers.verifier import SceneVerifier
from bifrons.sources import scene_examples
from stand_in import StandIn, scene_codes, wished

EXAMPLES = scene_examples("pairs", 12, 0)
INPUTS = inputs_of(EXAMPLES)
SETTINGS = CurationSettings(question="describe the picture.", num_captions=3, num_drawings=3, seed=1)


class Painter(StandIn):
    """Sample 0 is right in everything; later ones have that many objects wrong, in caption and drawing alike."""

    def __init__(self, wrong: Any = lambda place: place) -> None:
        super().__init__()
        self.wrong = wrong
        self.asked: list[tuple[str, int]] = []
        self.items: list[tuple[int, ...]] = []

    def answer(
        self, images: Sequence[Any], questions: Sequence[str], sampling: Sampling, report: Any = None
    ) -> list[Answer]:
        from bifrons.records.pictures import to_image

        self.asked += [(question, sampling.seed) for question in questions]
        self.items.append(sampling.items or ())
        scenes = [self.changed(read(np.asarray(to_image(image))).scene, sampling.seed % 1000) for image in images]
        texts = [f"{join([phrase(o) for o in scene.objects])} on a {scene.background} background." for scene in scenes]
        return [Answer(text, tuple(len(word) for word in text.split())) for text in texts]

    def draw(self, prompts: Sequence[str], sampling: Sampling, report: Any = None) -> list[Drawing]:
        self.asked += [(prompt, sampling.seed) for prompt in prompts]
        scenes = [self.changed(wished(prompt), sampling.seed % 1000) for prompt in prompts]
        return [Drawing(scene_codes(scene), render(scene)) for scene in scenes]

    def changed(self, scene: Scene, place: int) -> Scene:
        colours = list(COLOURS)
        objects = [
            replace(o, colour=colours[(colours.index(o.colour) + 1) % len(colours)], size="small", shape="circle")
            if number < self.wrong(place)
            else o
            for number, o in enumerate(scene.objects)
        ]
        return Scene(scene.background, tuple(objects))


def curator(model: Any, inputs: list[HomologousInput] = INPUTS, **changes: Any) -> Curator:
    settings = changes.pop("settings", SETTINGS)
    scorer, judge = changes.pop("scorer", ContentF1()), changes.pop("judge", SceneVerifier())
    return Curator(model, inputs, settings, scorer, judge, **{"revision": "base", **changes})
