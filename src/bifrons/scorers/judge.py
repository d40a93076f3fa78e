"""Judging an image by questions about it: the share that a judge answers as expected (HermesFlow, Section 3.2).

A judge may be the model itself, another model, or the exact verifier of scenes; all reply in words, and the same rules
read their words. Chance level and the lean towards yes are reported, because a judge that always says yes is right
about every question whose answer is yes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from bifrons.protocol import Sampling, UnifiedModel
from bifrons.records import JudgeQuestion
from bifrons.scenes import QUESTION_KINDS, grade
from bifrons.scorers.content import content_words, words

Report = Callable[[int], None]
NUMBER_WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
NUMBERS = {word: number for number, word in enumerate(NUMBER_WORDS)} | {"zero": 0, "none": 0, "a": 1, "an": 1}


class Judge(Protocol):
    """`name` says who judges: which network with which weights, or which rule."""

    name: str

    def reply(
        self, images: Sequence[Any], questions: Sequence[JudgeQuestion], report: Report | None = None
    ) -> list[str]:
        """What the judge says to each question about the image of the same index."""
        ...


class ModelJudge:
    """A model that answers questions greedily; `wording` is put after each question."""

    def __init__(
        self,
        model: UnifiedModel,
        name: str,
        *,
        wording: str = "",
        max_new_tokens: int = 16,
        batch_size: int = 64,
    ) -> None:
        self.model = model
        self.name = name
        self.wording = wording
        self.sampling = Sampling(temperature=0.0, max_new_tokens=max_new_tokens, batch_size=batch_size)

    def reply(
        self, images: Sequence[Any], questions: Sequence[JudgeQuestion], report: Report | None = None
    ) -> list[str]:
        asked = [f"{shown(question)} {self.wording}".strip() for question in questions]
        return [answer.text for answer in self.model.answer(images, asked, self.sampling, report=report)]


def shown(question: JudgeQuestion) -> str:
    """The question as a judge reads it: choices are named, as TIFA does."""
    return f"{question.text} Choices: {', '.join(question.choices)}." if question.choices else question.text


def right(question: JudgeQuestion, reply: str) -> bool | None:
    """Whether a reply says what is expected; None where it says nothing that can be read.

    By the question's form: yes or no; a number; one of its choices; the scene world's own grading; else every content
    word of the expected answer has to be said.
    """
    if question.yes_no:
        found = re.search(r"\b(yes|no)\b", reply.lower())
        return None if found is None else found[1] == question.answer.strip().lower().rstrip(".")
    wanted = number_of(question.answer)
    if wanted is not None and (
        (question.kind.startswith("count") and question.kind not in QUESTION_KINDS) or question.answer.strip().isdigit()
    ):
        number = number_of(reply)
        return None if number is None else number == wanted
    if question.choices:
        said = [choice for choice in question.choices if names(reply, choice)]
        longest = [c for c in said if not any(c != other and names(other, c) for other in said)]
        return longest[0].lower() == question.answer.strip().lower().rstrip(".") if len(longest) == 1 else None
    if question.kind in QUESTION_KINDS:
        return grade(question.kind, question.answer, reply)
    said_words = content_words(reply)
    return content_words(question.answer) <= said_words if said_words else None


def names(text: str, phrase: str) -> bool:
    """Whether the phrase stands in the text as whole words."""
    return re.search(rf"\b{re.escape(phrase.strip().lower())}\b", text.lower()) is not None


def number_of(text: str) -> int | None:
    """The first number of a text, in words or digits; None for none."""
    for word in words(text):
        if word.isdigit():
            return int(word)
        if word in NUMBERS:
            return NUMBERS[word]
    return None


@dataclass(frozen=True, slots=True)
class Verdict:
    """One image's accuracy over its questions; None where no reply could be read. `each` is in the questions' order."""

    accuracy: float | None
    each: tuple[bool | None, ...]
    replies: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaning:
    """What a judge's accuracy has to be read against. `chance` is the mean over questions whose chance is known.

    `said_yes` and `expected_yes` are shares of the yes/no questions; their difference is the lean towards yes.
    `unread` is the share of replies that say nothing that can be read. None where there is no such question.
    """

    num_questions: int
    accuracy: float | None
    chance: float | None
    num_yes_no: int
    said_yes: float | None
    expected_yes: float | None
    unread: float | None

    @property
    def yes_bias(self) -> float | None:
        return None if self.said_yes is None or self.expected_yes is None else self.said_yes - self.expected_yes


def judge_images(
    judge: Judge,
    images: Sequence[Any],
    questions: Sequence[Sequence[JudgeQuestion]],
    report: Report | None = None,
) -> list[Verdict]:
    """A verdict on each image. A reply that cannot be read is wrong, unless none of the image's replies can.

    Raises ValueError for lists of different lengths, and for an image without questions.
    """
    if len(images) != len(questions):
        raise ValueError(f"{len(images)} images for {len(questions)} lists of questions")
    for index, asked in enumerate(questions):
        if not asked:
            raise ValueError(f"there are no questions about image {index}, so it cannot be judged")
    flat = [(image, question) for image, asked in zip(images, questions, strict=True) for question in asked]
    replies = judge.reply([image for image, _ in flat], [question for _, question in flat], report)
    verdicts: list[Verdict] = []
    start = 0
    for asked in questions:
        said = tuple(replies[start : start + len(asked)])
        start += len(asked)
        verdicts.append(verdict_of(asked, said))
    return verdicts


def verdict_of(questions: Sequence[JudgeQuestion], replies: Sequence[str]) -> Verdict:
    each = tuple(right(question, reply) for question, reply in zip(questions, replies, strict=True))
    read = [value for value in each if value is not None]
    return Verdict(sum(read) / len(each) if read else None, each, tuple(replies))


def leaning(questions: Sequence[Sequence[JudgeQuestion]], verdicts: Sequence[Verdict]) -> Leaning:
    """Chance level, lean towards yes and unread share over all questions that were judged."""
    asked = [question for some in questions for question in some]
    each = [value for verdict in verdicts for value in verdict.each]
    replies = [reply for verdict in verdicts for reply in verdict.replies]
    yes_no = [(q, r.lower()) for q, r in zip(asked, replies, strict=True) if q.yes_no]
    chances = [question.chance for question in asked if question.chance is not None]
    said = [m[1] == "yes" for _, reply in yes_no if (m := re.search(r"\b(yes|no)\b", reply))]
    return Leaning(
        num_questions=len(asked),
        accuracy=share([value is True for value in each]),
        chance=sum(chances) / len(chances) if chances else None,
        num_yes_no=len(yes_no),
        said_yes=share(said),
        expected_yes=share([question.answer.lower().startswith("yes") for question, _ in yes_no]),
        unread=share([value is None for value in each]),
    )


def share(values: Sequence[bool]) -> float | None:
    return sum(values) / len(values) if values else None
