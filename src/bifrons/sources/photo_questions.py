"""The study's five kinds of question about a photograph, with the answers that its boxes give.

A box says what is where and how large, so identification, counting and relations have answers in the plane of the
picture; colours and other attributes have none. What is not known has an empty answer and is scored by captions alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from bifrons.sources.example import Question

MOST_COUNTED = 10
COUNTS = tuple(map(str, range(MOST_COUNTED + 1)))
CLEARLY_LARGER = 2.0  # ratio of two boxes' areas **(ours)**
SAME_PLURAL = ("sheep", "skis", "scissors")
PLURALS = {"person": "people", "mouse": "mice", "knife": "knives"}


@dataclass(frozen=True, slots=True)
class Box:
    """An object: its category, and its box in pixels. `crowd` marks a region of uncounted objects."""

    name: str
    left: float
    top: float
    width: float
    height: float
    crowd: bool = False

    @property
    def area(self) -> float:
        return self.width * self.height


def plural(name: str) -> str:
    """Of an English category name, as in COCO: `wine glasses`, `people`, `skis`."""
    first, _, last = name.rpartition(" ")
    if last in SAME_PLURAL:
        made = last
    elif last in PLURALS:
        made = PLURALS[last]
    elif last.endswith(("s", "x", "ch", "sh")):
        made = f"{last}es"
    elif last.endswith("y") and last[-2:-1] not in tuple("aeiou"):
        made = f"{last[:-1]}ies"
    else:
        made = f"{last}s"
    return f"{first} {made}".strip()


def photo_questions(
    image: int, boxes: Sequence[Box] | None, categories: tuple[str, ...], seed: int
) -> tuple[Question, ...]:
    """One question of each kind, in the order of the study; a function of image and seed.

    `boxes` None means that nothing is known of the image, and no boxes that it holds nothing of the categories.
    """
    rng = np.random.default_rng([seed, image])
    seen = [box for box in boxes or () if box.area > 0]
    times = Counter(box.name for box in seen)
    crowded = {box.name for box in seen if box.crowd}
    single = [box for box in seen if times[box.name] == 1 and not box.crowd]
    single = [single[int(i)] for i in rng.permutation(len(single))]
    countable = sorted(name for name in times if name not in crowded and times[name] <= MOST_COUNTED)
    return (
        identification(seen, categories),
        counting(countable[int(rng.integers(len(countable)))] if countable else "", times),
        spatial(single),
        attribute(single),
        Question("description", "Describe this image."),
    )


def identification(seen: Sequence[Box], categories: tuple[str, ...]) -> Question:
    """The category with the largest box, where no other comes near."""
    largest: dict[str, float] = {}
    for box in seen:
        largest[box.name] = max(box.area, largest.get(box.name, 0.0))
    ordered = sorted(largest, key=lambda name: -largest[name])
    if ordered and (len(ordered) == 1 or largest[ordered[0]] >= CLEARLY_LARGER * largest[ordered[1]]):
        return Question("identification", "What is the largest object in this image?", ordered[0], categories)
    return Question("identification", "What objects are in this image?")


def counting(name: str, times: Counter[str]) -> Question:
    if not name:
        return Question("counting", "How many objects are in this image?")
    return Question("counting", f"How many {plural(name)} are there in this image?", str(times[name]), COUNTS)


def spatial(single: Sequence[Box]) -> Question:
    """Two objects that are each the only one of their kind, and whose boxes do not overlap along one direction."""
    for one, other in combinations(single, 2):
        if one.left + one.width <= other.left or other.left + other.width <= one.left:
            answer = "left" if one.left < other.left else "right"
            text = f"Is the {one.name} to the left or to the right of the {other.name} in this image?"
            return Question("spatial", text, answer, ("left", "right"))
        if one.top + one.height <= other.top or other.top + other.height <= one.top:
            answer = "above" if one.top < other.top else "below"
            return Question(
                "spatial",
                f"Is the {one.name} above or below the {other.name} in this image?",
                answer,
                ("above", "below"),
            )
    if single:
        return Question("spatial", f"Where in this image is the {single[0].name}?")
    return Question("spatial", "What is on the left and what is on the right of this image?")


def attribute(single: Sequence[Box]) -> Question:
    """Which of two looks larger, where one is so clearly; else a colour, which no box knows."""
    for one, other in combinations(single, 2):
        small, large = sorted((one, other), key=lambda box: box.area)
        if large.area >= CLEARLY_LARGER * small.area:
            text = f"Which looks larger in this image, the {one.name} or the {other.name}?"
            return Question("attribute", text, large.name, (one.name, other.name))
    if single:
        return Question("attribute", f"What colour is the {single[0].name}?")
    return Question("attribute", "Which colours are in this image?")
