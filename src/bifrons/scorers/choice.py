"""Whether an answer picks the right one of a closed question's choices: left or right, a number, a category."""

from __future__ import annotations

import re

from bifrons.scorers.content import lemma, words
from bifrons.sources import Question
from bifrons.sources.vqa_answers import NUMBERS


def picks(question: Question, answer: str) -> bool | None:
    """True where the answer's first sentence names the right choice and no other; None where it names none.

    Number words count as digits and plurals as their singular; a choice within a longer one that was said (`bear` in
    `teddy bear`) was not said.
    """
    first = re.split(r"[.!?](?:\s|$)", answer.strip())[0]
    said = f" {plain(first)} "
    named: set[str] = set()
    for choice in sorted(question.choices, key=len, reverse=True):
        form = f" {plain(choice)} "
        if form in said:
            named.add(choice)
            said = said.replace(form, " | ")
    return named == {question.answer} if named else None


def plain(text: str) -> str:
    return " ".join(NUMBERS.get(word, lemma(word)) for word in words(text))
