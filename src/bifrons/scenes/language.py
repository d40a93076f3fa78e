"""What can be said of a scene: captions, questions with exact answers, and the grading of a given answer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np

from bifrons.scenes.request import request
from bifrons.scenes.world import COLOURS, PLACES, SHAPES, SIZES, Object, Scene

QuestionKind = Literal["identification", "counting", "spatial", "attribute", "description", "presence"]
QUESTION_KINDS: tuple[QuestionKind, ...] = ("identification", "counting", "spatial", "attribute", "description")
NUMBERS = ("no", "one", "two", "three", "four")
SHORT_WORDING = "answer in one sentence."
DETAILED_WORDING = "describe in detail."
NUM_CAPTIONS = 5


@dataclass(frozen=True, slots=True)
class Question:
    """A question about one scene and its exact answer in one sentence; `answer_in_detail` adds true sentences."""

    kind: QuestionKind
    text: str
    answer: str
    answer_in_detail: str


def phrase(thing: Object, joint: str = " at the ") -> str:
    return f"a {thing.size} {thing.colour} {thing.shape}{joint}{thing.place}"


def join(parts: list[str], last: str = " and ") -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + last + parts[-1]


def captions(scene: Scene, rng: np.random.Generator) -> tuple[str, ...]:
    """Five captions in five wordings, each naming every object with all its attributes and the background."""

    def shuffled() -> list[Object]:
        return [scene.objects[int(i)] for i in rng.permutation(len(scene.objects))]

    ground = scene.background
    return (
        f"{join([phrase(o) for o in shuffled()])} on a {ground} background.",
        f"on {ground}: {', '.join(f'{o.size} {o.colour} {o.shape} {o.place}' for o in shuffled())}.",
        " ".join(f"{o.place}: a {o.size} {o.colour} {o.shape}." for o in shuffled()) + f" the background is {ground}.",
        f"the {ground} picture shows {join([phrase(o, ' in the ') for o in shuffled()])}.",
        f"there is {join([phrase(o) for o in shuffled()])}, all on {ground}.",
    )


def plural(count: int, noun: str) -> str:
    return f"{NUMBERS[count]} {noun}" if count == 1 else f"{NUMBERS[count]} {noun}s"


def count_sentence(count: int, noun: str) -> str:
    return f"there {'is' if count == 1 else 'are'} {plural(count, noun)}."


def details(scene: Scene, rng: np.random.Generator) -> str:
    """One more true sentence about the scene."""
    total = count_sentence(len(scene.objects), "object")[:-1]
    thing = scene.objects[int(rng.integers(len(scene.objects)))]
    return (f"{total} on a {scene.background} background.", f"the picture shows {phrase(thing)}.")[int(rng.integers(2))]


def question(scene: Scene, kind: QuestionKind, rng: np.random.Generator) -> Question:
    """A question of one kind about the scene.

    Spatial and attribute questions name their object by features that no other object of the scene shares. Presence
    questions have the answer yes half of the time.
    """
    thing = scene.objects[int(rng.integers(len(scene.objects)))]
    wording = int(rng.integers(2))
    if kind == "identification":
        text = (f"what is at the {thing.place}?", f"which object is in the {thing.place}?")[wording]
        answer = f"it is a {thing.size} {thing.colour} {thing.shape}."
    elif kind == "counting":
        noun = ("object", *SHAPES)[int(rng.integers(1 + len(SHAPES)))]
        count = len(scene.objects) if noun == "object" else sum(o.shape == noun for o in scene.objects)
        text = (f"how many {noun}s are there?", f"count the {noun}s.")[wording]
        answer = count_sentence(count, noun)
    elif kind == "spatial":
        name = unique_name(scene, thing)
        text = (f"where is the {name}?", f"in which place is the {name}?")[wording]
        answer = f"it is at the {thing.place}."
    elif kind == "attribute":
        if rng.integers(4) == 0:
            text = (
                f"what size is the {thing.shape} at the {thing.place}?",
                f"how big is the object at the {thing.place}?",
            )
            answer = f"it is {thing.size}."
        else:
            text = (
                f"what colour is the {thing.shape} at the {thing.place}?",
                f"which colour has the object at the {thing.place}?",
            )
            answer = f"it is {thing.colour}."
        text = text[wording]
    elif kind == "description":
        text = ("what is in the picture?", "describe the picture.")[wording]
        answer = join([phrase(o, " ") for o in scene.objects]) + "."
    elif kind == "presence":
        return presence_question(scene, bool(rng.integers(2)), rng)
    else:
        raise ValueError(f"no question kind {kind!r}; there are {', '.join(QUESTION_KINDS)} and presence")
    return Question(kind, text, answer, f"{answer} {details(scene, rng)}")


def presence_question(scene: Scene, present: bool, rng: np.random.Generator) -> Question:
    """Is there such an object? The asked colour and shape are in the scene exactly if `present`."""
    seen = {(o.colour, o.shape) for o in scene.objects}
    if present:
        colour, shape = sorted(seen)[int(rng.integers(len(seen)))]
    else:
        absent = sorted({(c, s) for c in COLOURS for s in SHAPES} - seen)
        colour, shape = absent[int(rng.integers(len(absent)))]
    answer = "yes." if present else "no."
    return Question("presence", f"is there a {colour} {shape}?", answer, f"{answer} {details(scene, rng)}")


def unique_name(scene: Scene, thing: Object) -> str:
    """The shortest name that fits this object alone: shape; colour and shape; all three; else all three and place."""
    names = (
        lambda o: o.shape,
        lambda o: f"{o.colour} {o.shape}",
        lambda o: f"{o.size} {o.colour} {o.shape}",
        lambda o: f"{o.size} {o.colour} {o.shape} at the {o.place}",
    )
    for name in names:
        if sum(name(o) == name(thing) for o in scene.objects) == 1:
            return name(thing)
    raise AssertionError("two objects of one scene share a place")


ANSWER_WORDS: dict[QuestionKind, frozenset[str]] = {
    "identification": frozenset((*SIZES, *COLOURS, *SHAPES)),
    "counting": frozenset(NUMBERS),
    "spatial": frozenset(word for place in PLACES for word in place.split()),
    "attribute": frozenset((*SIZES, *COLOURS)),
    "presence": frozenset(("yes", "no")),
}


def grade(kind: QuestionKind, truth: str, answer: str) -> bool | None:
    """Whether the answer's first sentence says what the true one says; None where it says nothing that can be read.

    Descriptions are right when they name exactly the objects of the truth, with all attributes.
    """
    given, wanted = first_sentence(answer), first_sentence(truth)
    if kind == "description":
        found = request(given).items
        return sorted(found) == sorted(request(wanted).items) if found else None
    words = ANSWER_WORDS[kind]
    said = {word for word in re.findall("[a-z]+", given) if word in words}
    return said == {word for word in re.findall("[a-z]+", wanted) if word in words} if said else None


def first_sentence(text: str) -> str:
    return text.lower().strip().split(".")[0]
