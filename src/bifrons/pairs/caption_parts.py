"""What a caption mentions, by rule: objects with counts, attributes and places, and relations between neighbours.

No part-of-speech tagger: a run of words that no preposition, verb or mark interrupts ends in its noun, and what the
lists below know before it are its attributes. A noun that the rules get wrong gives a question that is wrong.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

COLOURS = [
    *("red", "green", "blue", "yellow", "purple", "orange", "white", "grey", "black", "brown", "pink", "beige"),
    *("gold", "silver", "tan", "turquoise"),
]
SIZES = ["small", "big", "large", "tiny", "huge", "little", "tall", "short", "long"]
MATERIALS = ["wooden", "metal", "plastic", "glass", "stone", "brick", "leather", "paper", "concrete"]
ATTRIBUTES = dict.fromkeys((*COLOURS, "gray"), "colour") | dict.fromkeys(SIZES, "size")
ATTRIBUTES |= dict.fromkeys(MATERIALS, "material")
NUMBERS = {"a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8}
RELATIONS = [
    *("to the left of", "to the right of", "on the left of", "on the right of", "left of", "right of"),
    *(
        "on top of",
        "in front of",
        "next to",
        "above",
        "below",
        "beneath",
        "under",
        "behind",
        "beside",
        "near",
        "inside",
    ),
]
DETERMINERS = {"the", "some", "his", "her", "its", "their", "this", "that", "these", "those", "several", "many", "no"}
STOPS = {  # words that end a run: prepositions, conjunctions, pronouns, common verbs
    *(
        "and",
        "or",
        "with",
        "in",
        "on",
        "at",
        "of",
        "to",
        "by",
        "for",
        "from",
        "as",
        "while",
        "who",
        "which",
        "that",
        "is",
        "are",
    ),
    *("was", "were", "be", "been", "being", "there", "has", "have", "had", "it", "they", "he", "she", "into", "onto"),
    *("over", "through", "up", "down", "out", "off", "around", "along", "across", "between", "against", "about"),
    *("near", "together", "all", "both", "each", "other", "another", "not", "but", "so", "very", "also", "during"),
    *("after", "before", "without", "within", "holds", "holding", "stands", "sits", "rides", "wears"),
    *("looks", "flies", "shows", "show", "eats", "plays", "walks", "runs", "lies", "hangs", "rests", "leans"),
    *("watches", "talks", "drives", "carries", "covers", "faces", "waits", "works", "jumps", "swims", "cuts"),
    *("fills", "sees", "seen", "made", "parked", "sitting", "standing", "covered", "filled"),
}
SCENERY = {"background", "picture", "image", "photo", "photograph", "scene"}  # what an attribute of the whole stands by
IRREGULAR = {"men": "man", "women": "woman", "people": "person", "children": "child", "feet": "foot", "sheep": "sheep"}
PLACE = r"(?:top|bottom) (?:left|right)"
WORD = re.compile(rf"\b(?:{'|'.join(RELATIONS)}|{PLACE})\b|[a-z]+(?:'s)?|[,.:;]")


@dataclass(slots=True)
class Mention:
    """One noun of a caption. `count` is None for a plural without a number."""

    noun: str
    count: int | None = 1
    attributes: dict[str, str] = field(default_factory=dict)
    place: str = ""


@dataclass(slots=True)
class Parts:
    """`relations` are (index of the first mention, relation, index of the second)."""

    mentions: list[Mention] = field(default_factory=list)
    relations: list[tuple[int, str, int]] = field(default_factory=list)
    background: str = ""


def singular(word: str) -> str:
    if word in IRREGULAR:
        return IRREGULAR[word]
    if word.endswith("ies") and len(word) > 4:
        return f"{word[:-3]}y"
    if re.search(r"(ch|sh|x|ss)es$", word):
        return word[:-2]
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


def caption_parts(caption: str) -> Parts:
    """All that the rules find in a caption; nothing for one that names nothing."""
    found = Parts()
    run: list[str] = []
    relation = place = ""
    tokens = [*WORD.findall(caption.lower()), "."]
    for token, after in zip(tokens, [*tokens[1:], "."], strict=True):
        is_place = re.fullmatch(PLACE, token) is not None
        if not (is_place or token in RELATIONS or token in STOPS or token in ",.:;" or is_verb(token)):
            run.append(token)
            continue
        if close(found, run, relation, place):
            relation = place = ""
        elif run and all(word in ATTRIBUTES for word in run):
            found.background = found.background or run[-1]
        run = []
        if is_place and after == ":":  # `top left: a circle`
            place = token
        elif is_place and found.mentions:  # `a circle at the top left`
            found.mentions[-1].place = found.mentions[-1].place or token
        elif token in RELATIONS and found.mentions:
            relation = token
        elif token in ".;,":
            relation = ""
    return found


def is_verb(word: str) -> bool:
    return len(word) > 4 and word.endswith("ing") and word not in ("building", "ceiling", "clothing", "painting")


def close(found: Parts, run: list[str], relation: str, place: str) -> bool:
    """Make a mention of a finished run; whether there was a noun in it, with an article, a number or a plural."""
    words = [word.removesuffix("'s") for word in run]
    plain = [w for w in words if w not in ATTRIBUTES and w not in NUMBERS and w not in DETERMINERS]
    if not plain or words[-1] != plain[-1]:
        return False
    plural = singular(plain[-1]) != plain[-1] or plain[-1] in IRREGULAR
    if not (plural or words[0] in NUMBERS or words[0] in DETERMINERS or words[0] in ATTRIBUTES):
        return False
    attributes = {ATTRIBUTES[word]: word for word in words if word in ATTRIBUTES}
    noun = plain[-1]
    if noun in SCENERY:
        found.background = found.background or attributes.get("colour", "")
        return False
    numbers = [NUMBERS[word] for word in words if word in NUMBERS]
    count = numbers[0] if numbers else None if plural else 1
    found.mentions.append(Mention(singular(noun), count, attributes, place))
    if relation and len(found.mentions) > 1:
        found.relations.append((len(found.mentions) - 2, relation, len(found.mentions) - 1))
    return True
