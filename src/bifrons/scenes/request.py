"""What a prompt asks for, read from its words, and how well a drawing gives it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import permutations

from bifrons.scenes.reader import Reading
from bifrons.scenes.world import BACKGROUNDS, COLOURS, PLACES, SHAPES, SIZES, Object

COUNTS = {"a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4}
RELATIONS = ("left of", "right of", "above", "below")

OBJECT = re.compile(
    r"(?:(?P<before>(?:top|bottom) (?:left|right)): )?"
    rf"(?:\b(?P<count>{'|'.join(COUNTS)}) )?"
    rf"(?:\b(?P<size>{'|'.join(SIZES)}) )?"
    rf"(?:\b(?P<colour>{'|'.join(COLOURS)}) )?"
    rf"\b(?P<shape>{'|'.join(SHAPES)})s?\b"
    r"(?:(?: at the| in the)? (?P<after>(?:top|bottom) (?:left|right)))?"
)
BACKGROUND = re.compile(rf"\b({'|'.join(BACKGROUNDS)})\b")


@dataclass(frozen=True, slots=True, order=True)
class Item:
    """One asked object; an empty attribute was not asked for."""

    shape: str
    colour: str = ""
    size: str = ""
    place: str = ""

    def attributes(self) -> tuple[tuple[str, str], ...]:
        pairs = (("shape", self.shape), ("colour", self.colour), ("size", self.size), ("place", self.place))
        return tuple((name, value) for name, value in pairs if value)


@dataclass(frozen=True, slots=True)
class Request:
    """All that a prompt asks for: its objects, a background or none, a relation between the first two or none."""

    items: tuple[Item, ...]
    background: str = ""
    relation: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`exact`: every asked object with every asked attribute, and no object more.

    `attributes_right`: the share of the asked attributes that are right, 0 to 1.
    """

    exact: bool
    attributes_right: float


def request(prompt: str) -> Request:
    """What a prompt asks for. A prompt that names no object of the world gives a request without items."""
    text = prompt.lower()
    items: list[Item] = []
    relation = ""
    end = 0
    for match in OBJECT.finditer(text):
        between = text[end : match.start()].strip()
        if items and between in RELATIONS:
            relation = between
        item = Item(
            shape=match["shape"],
            colour=match["colour"] or "",
            size=match["size"] or "",
            place=match["before"] or match["after"] or "",
        )
        items += [item] * COUNTS.get(match["count"] or "a", 1)
        end = match.end()
    background = BACKGROUND.search(text)
    return Request(tuple(items), background[1] if background else "", relation)


def verify(asked: Request, seen: Reading) -> Verdict:
    """How well a drawing gives what was asked, under the assignment of drawn to asked objects that is kindest to it.

    Raises ValueError for a request without items: such a prompt cannot be verified.
    """
    if not asked.items:
        raise ValueError("the prompt names no object of the scene world, so its drawing cannot be verified")
    drawn: list[Object | None] = list(seen.scene.objects)
    drawn += [None] * max(0, len(asked.items) - len(drawn))
    total = sum(len(item.attributes()) for item in asked.items) + bool(asked.background) + bool(asked.relation)
    right = max(
        sum(matches(item, thing) for item, thing in zip(asked.items, choice, strict=True))
        + (bool(asked.relation) and holds(asked.relation, choice[0], choice[1]))
        for choice in permutations(drawn, len(asked.items))
    ) + (bool(asked.background) and asked.background == seen.scene.background)
    no_more = len(seen.scene.objects) == len(asked.items) and not seen.unreadable
    return Verdict(exact=right == total and no_more, attributes_right=right / total)


def matches(item: Item, thing: Object | None) -> int:
    """How many asked attributes the object has."""
    return 0 if thing is None else sum(getattr(thing, name) == value for name, value in item.attributes())


def holds(relation: str, first: Object | None, second: Object | None) -> bool:
    """Whether a relation holds between two objects, by the rows and columns of their places."""
    if first is None or second is None:
        return False
    row, column = divmod(PLACES.index(first.place), 2)
    other_row, other_column = divmod(PLACES.index(second.place), 2)
    return {
        "left of": column < other_column,
        "right of": column > other_column,
        "above": row < other_row,
        "below": row > other_row,
    }[relation]
