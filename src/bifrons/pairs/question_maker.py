"""Questions about a picture from any caption, by rule: objects, attributes, counts and relations (after TIFA, Hu et al.
2023, whose questions a language model writes).

Every yes has a no beside it wherever a false one can be made, so that a judge that always says yes gets one half.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from bifrons.pairs.caption_parts import COLOURS, MATERIALS, SIZES, Mention, Parts, caption_parts
from bifrons.records import JudgeQuestion
from bifrons.scenes import PROMPT_KINDS, captions, draw_prompt, draw_scene, render
from bifrons.scenes.language import NUMBERS, count_sentence
from bifrons.scenes.world import COLOURS as SCENE_COLOURS
from bifrons.scenes.world import SHAPES
from bifrons.scorers.judge import right
from bifrons.scorers.verifier import SceneVerifier

FOILS = ("dog", "car", "bicycle", "boat", "clock", "horse", "umbrella", "bottle", "train", "chair", "bird", "kite")
OPPOSITES = {
    "left of": "right of",
    "to the left of": "to the right of",
    "on the left of": "on the right of",
    "above": "below",
    "in front of": "behind",
    "on top of": "under",
}
OPPOSITES |= {second: first for first, second in OPPOSITES.items()}
NUMBER_WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
VALUES = {"colour": COLOURS, "material": MATERIALS, "size": SIZES}

QuestionMaker = Callable[[str], tuple[JudgeQuestion, ...]]


def general_questions(caption: str) -> tuple[JudgeQuestion, ...]:
    """Yes/no questions in plain English; none for a caption in which the rules find nothing."""
    parts = caption_parts(caption)
    rng = np.random.default_rng(zlib.crc32(caption.lower().encode()))
    made = [
        *objects(parts, rng),
        *(question for mention in parts.mentions for question in attributes(mention, parts, rng)),
        *(question for mention in parts.mentions for question in counts(mention, parts)),
        *relations(parts),
    ]
    return once(made)


def pick(values: Sequence[str], rng: np.random.Generator) -> str:
    return values[int(rng.integers(len(values)))]


def yes_no(kind: str, text: str, answer: bool) -> JudgeQuestion:
    return JudgeQuestion(kind=kind, text=text, answer="yes" if answer else "no")


def article(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def objects(parts: Parts, rng: np.random.Generator) -> list[JudgeQuestion]:
    nouns = list(dict.fromkeys(mention.noun for mention in parts.mentions))
    is_world = bool(nouns) and all(noun in SHAPES for noun in nouns)
    absent = [noun for noun in (SHAPES if is_world else FOILS) if noun not in nouns]
    made: list[JudgeQuestion] = []
    for noun in nouns:
        made.append(yes_no("object", f"Is there {article(noun)} in the picture?", True))
        if absent:
            foil = absent.pop(int(rng.integers(len(absent))))
            made.append(yes_no("object", f"Is there {article(foil)} in the picture?", False))
    return made


def attributes(mention: Mention, parts: Parts, rng: np.random.Generator) -> list[JudgeQuestion]:
    """Of nouns that the caption mentions once: of two circles it cannot be asked whether the circle is red.

    Sizes have no false counterpart, since a caption's size is relative.
    """
    if sum(other.noun == mention.noun for other in parts.mentions) > 1 or mention.count != 1:
        return []
    made: list[JudgeQuestion] = []
    for name, value in mention.attributes.items():
        made.append(yes_no("attribute", f"Is the {mention.noun} {value}?", True))
        if name != "size":
            wrong = pick([other for other in VALUES[name] if other != value], rng)
            made.append(yes_no("attribute", f"Is the {mention.noun} {wrong}?", False))
    return made


def counts(mention: Mention, parts: Parts) -> list[JudgeQuestion]:
    """Of numbers that the caption names, from two on: `a dog` does not say that there is no other."""
    if mention.count is None or mention.count < 2 or sum(m.noun == mention.noun for m in parts.mentions) > 1:
        return []
    noun = PLURALS.get(mention.noun, f"{mention.noun}s")
    asked = ((mention.count, True), (mention.count + 1, False))
    return [
        yes_no("count", f"Are there exactly {NUMBER_WORDS[number]} {noun} in the picture?", truth)
        for number, truth in asked
    ]


PLURALS = {"man": "men", "woman": "women", "person": "people", "child": "children", "foot": "feet", "sheep": "sheep"}


def relations(parts: Parts) -> list[JudgeQuestion]:
    made: list[JudgeQuestion] = []
    for first, relation, second in parts.relations:
        one, two = parts.mentions[first].noun, parts.mentions[second].noun
        if one == two:
            continue
        made.append(yes_no("relation", f"Is the {one} {relation} the {two}?", True))
        if relation in OPPOSITES:
            made.append(yes_no("relation", f"Is the {one} {OPPOSITES[relation]} the {two}?", False))
    return made


def world_questions(caption: str) -> tuple[JudgeQuestion, ...]:
    """Questions in the words that the organism knows, of a caption of the scene world that names every object.

    Presence of each colour and shape, with as many absent ones; colour and name of what stands in each place; where
    each uniquely named object is; the count of each shape.
    """
    parts = caption_parts(caption)
    mentions = [mention for mention in parts.mentions if mention.noun in SHAPES]
    rng = np.random.default_rng(zlib.crc32(caption.lower().encode()))
    made: list[JudgeQuestion] = []
    seen = {(mention.attributes.get("colour", ""), mention.noun) for mention in mentions}
    named = [(colour, shape) for colour, shape in sorted(seen) if colour]
    absent = [(colour, shape) for colour in SCENE_COLOURS for shape in SHAPES if (colour, shape) not in seen]
    wrong = [absent[int(i)] for i in rng.permutation(len(absent))[: len(named)]] if len(named) == len(seen) else []
    for answer, some in (("yes.", named), ("no.", wrong)):
        made += [JudgeQuestion(kind="presence", text=f"is there a {c} {s}?", answer=answer) for c, s in some]
    for mention in mentions:
        colour, size = mention.attributes.get("colour", ""), mention.attributes.get("size", "")
        if mention.place and colour:
            text = f"what colour is the {mention.noun} at the {mention.place}?"
            made.append(JudgeQuestion(kind="attribute", text=text, answer=f"it is {colour}."))
        if mention.place and colour and size:
            answer = f"it is a {size} {colour} {mention.noun}."
            made.append(JudgeQuestion(kind="identification", text=f"what is at the {mention.place}?", answer=answer))
        if (
            mention.place
            and colour
            and sum(m.attributes.get("colour") == colour and m.noun == mention.noun for m in mentions) == 1
        ):
            text = f"where is the {colour} {mention.noun}?"
            made.append(JudgeQuestion(kind="spatial", text=text, answer=f"it is at the {mention.place}."))
    if mentions and all(mention.count is not None for mention in mentions):
        for shape in dict.fromkeys(mention.noun for mention in mentions):
            number = sum(m.count or 0 for m in mentions if m.noun == shape)
            if number < len(NUMBERS):
                text, answer = f"how many {shape}s are there?", count_sentence(number, shape)
                made.append(JudgeQuestion(kind="counting", text=text, answer=answer))
    return once(made)


def once(questions: Sequence[JudgeQuestion]) -> tuple[JudgeQuestion, ...]:
    return tuple({question.text: question for question in questions}.values())


QUESTION_MAKERS: dict[str, QuestionMaker] = {"general": general_questions, "world": world_questions}


@dataclass(frozen=True, slots=True)
class MakerAccuracy:
    """`right` of `made` questions have the answer that the exact verifier gives on the true picture.

    `covered` is the share of captions with at least one question. `by_kind` holds right and made of each kind.
    """

    made: int
    right: int
    covered: float
    by_kind: dict[str, tuple[int, int]]


def maker_accuracy(maker: QuestionMaker, num_scenes: int = 200, seed: int = 0) -> MakerAccuracy:
    """A maker measured on captions in all wordings and on prompts of all kinds, against the exact verifier."""
    rng = np.random.default_rng([seed, zlib.crc32(b"question-maker")])
    shown: list[tuple[str, np.ndarray]] = []
    for _ in range(num_scenes):
        scene = draw_scene(rng)
        shown += [(caption, render(scene)) for caption in captions(scene, rng)]
        prompt, scene = draw_prompt(PROMPT_KINDS[int(rng.integers(len(PROMPT_KINDS)))], rng)
        shown.append((prompt, render(scene)))
    asked = [(image, question) for caption, image in shown for question in maker(caption)]
    covered = sum(bool(maker(caption)) for caption, _ in shown) / len(shown)
    replies = SceneVerifier().reply([image for image, _ in asked], [question for _, question in asked])
    made, good = Counter[str](), Counter[str]()
    for (_, question), reply in zip(asked, replies, strict=True):
        made[question.kind] += 1
        good[question.kind] += right(question, reply) is True
    return MakerAccuracy(made.total(), good.total(), covered, {kind: (good[kind], made[kind]) for kind in made})
