"""The exact verifier of scenes as a judge: it reads the picture back and answers the world's questions in words."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bifrons.records import JudgeQuestion
from bifrons.scenes import IMAGE_SIZE, Scene, read_many, request
from bifrons.scenes.language import NUMBERS, join, phrase
from bifrons.scenes.request import Item, holds, matches
from bifrons.scenes.world import PLACES, SHAPES, Object

Report = Callable[[int], None]
NOTHING = "there is nothing like that."
PLACE = "|".join(PLACES)
RELATION = re.compile(r"^is (?:a|the) (.+?) (left of|right of|above|below) (?:a|the) (.+?)\?$")


class SceneVerifier:
    """Raises ValueError for pictures that are not of the scene world's size."""

    name = "verifier of scenes"

    def reply(
        self, images: Sequence[Any], questions: Sequence[JudgeQuestion], report: Report | None = None
    ) -> list[str]:
        readings: dict[bytes, Scene] = {}
        pixels = [pixels_of(image) for image in images]
        fresh = {array.tobytes(): array for array in pixels}
        for key, seen in zip(fresh, read_many(np.stack(list(fresh.values()))) if fresh else [], strict=True):
            readings[key] = seen.scene
        if report:
            report(len(images))
        return [say(q.text, readings[array.tobytes()]) for q, array in zip(questions, pixels, strict=True)]


def pixels_of(image: Any) -> np.ndarray:
    if isinstance(image, bytes):
        import io

        from PIL import Image

        image = np.asarray(Image.open(io.BytesIO(image)).convert("RGB"))
    array = np.asarray(image)
    if array.shape != (IMAGE_SIZE, IMAGE_SIZE, 3):
        raise ValueError(f"the verifier of scenes takes pictures of {IMAGE_SIZE} x {IMAGE_SIZE} x 3, not {array.shape}")
    return array


def say(question: str, scene: Scene) -> str:
    """The true answer to a question of the scene world, in the world's words.

    Raises ValueError for a question of another form: the verifier must not guess.
    """
    text = " ".join(question.lower().split()).replace(" in the picture?", "?").replace("exactly ", "")
    if text in ("what is?", "describe the picture."):
        return f"{join([phrase(o, ' ') for o in scene.objects])}." if scene.objects else NOTHING
    ground = re.match(r"^is the background (\w+)\?$", text)
    if ground:
        return yes(scene.background == ground[1])
    relation = RELATION.match(text)
    if relation:
        first, second = (fitting(name, scene) for name in (relation[1], relation[3]))
        return yes(any(holds(relation[2], one, two) for one in first for two in second if one != two))
    there = re.match(r"^(is|are) there (.+)\?$", text)
    if there:
        wanted = request(there[2]).items
        found = found_of(wanted[0], scene) if wanted else []
        return yes(len(found) == len(wanted) if there[1] == "are" else bool(found))
    being = re.match(rf"^is the ({'|'.join(SHAPES)}) (\w+)\?$", text)
    if being:
        return yes(any(being[2] in (o.colour, o.size) for o in fitting(being[1], scene)))
    counted = re.match(rf"^(?:how many|count the) (object|{'|'.join(SHAPES)})s(?: are there)?[?.]$", text)
    if counted:
        number = len(scene.objects) if counted[1] == "object" else sum(o.shape == counted[1] for o in scene.objects)
        return f"there {'is' if number == 1 else 'are'} {NUMBERS[number]} {counted[1]}{'' if number == 1 else 's'}."
    placed = re.search(rf"\b(?:at|in) the ({PLACE})\?$", text)
    where = re.match(r"^(?:where is|in which place is) the (.+)\?$", text)
    if where:
        found = fitting(where[1], scene)
        return f"it is at the {found[0].place}." if len(found) == 1 else NOTHING
    if placed:
        return of_place(text, placed[1], scene)
    raise ValueError(f"the verifier of scenes cannot answer {question!r}")


def of_place(text: str, place: str, scene: Scene) -> str:
    """The object of a place, its size or its colour. A shape that the question names has to be there."""
    found = [thing for thing in scene.objects if thing.place == place]
    named = [shape for shape in SHAPES if re.search(rf"\b{shape}\b", text)]
    if not found or (named and found[0].shape != named[0]):
        return NOTHING
    thing = found[0]
    if text.startswith(("what is at", "which object is")):
        return f"it is a {thing.size} {thing.colour} {thing.shape}."
    if text.startswith(("what size", "how big")):
        return f"it is {thing.size}."
    if text.startswith(("what colour", "which colour")):
        return f"it is {thing.colour}."
    raise ValueError(f"the verifier of scenes cannot answer {text!r}")


def fitting(name: str, scene: Scene) -> list[Object]:
    """The objects of a scene that a name such as `small red circle` fits."""
    items = request(name).items
    return found_of(items[0], scene) if items else []


def found_of(item: Item, scene: Scene) -> list[Object]:
    return [thing for thing in scene.objects if matches(item, thing) == len(item.attributes())]


def yes(value: bool) -> str:
    return "yes." if value else "no."
