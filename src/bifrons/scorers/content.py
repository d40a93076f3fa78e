"""How much of what an image's captions say an answer says: the VQA score of the study.

score = 4 * (share of the captions' content words mentioned) + min(1, 0.1 * novel content words) + length bonus, in
[0, 6], with a length bonus of min(1, words / 30) and 1 less below 5 words. The 4 and the bonus of 1 are the paper's;
the rest is **(ours)**.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

STOP_TEXT = """
a about all also am an and any are as at be because been being both but by can could did do does doing done each for
from had has have having he her hers him his how i if in into is it its itself just may me might my of off on or our
ours s she should so some such t than that the their theirs them then there these they this those to too up us very
was we were what when where which while who whose why will with would you your yours
answer describe image photo picture show shows
"""
STOP_WORDS = frozenset(STOP_TEXT.split())
MAX_SCORE = 6.0


@dataclass(frozen=True, slots=True)
class LengthConstants:
    """Words that earn the full length bonus, and below which an answer is very short; they scale with a small model's
    answers.
    """

    full_bonus: float = 30.0
    very_short: float = 5.0


@dataclass(frozen=True, slots=True)
class ContentScore:
    """`total` is clamped to [0, 6]; `length_free` keeps only the first two terms."""

    total: float
    length_free: float
    overlap: float
    novel_words: int
    num_words: int


def words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())


def content_words(text: str) -> frozenset[str]:
    """The lemmas of the words that carry content, each once: `circles` is circle, `men` is man, `riding` is ride."""
    return frozenset(lemma(word) for word in words(text) if word not in STOP_WORDS)


@cache
def lemma(word: str) -> str:
    """By dictionary and rules (simplemma); a word that it does not know stays as it is."""
    from simplemma import lemmatize  # reads its dictionary: a quarter of a second that only scoring should pay

    return lemmatize(word, lang="en").lower()


def content_score(answer: str, captions: Sequence[str], constants: LengthConstants = LengthConstants()) -> ContentScore:
    """Score an answer against the captions of its image. Raises ValueError for captions without a content word."""
    truth = frozenset[str]().union(*(content_words(caption) for caption in captions))
    if not truth:
        raise ValueError("the captions hold no content word, so no answer can be scored against them")
    said, num_words = content_words(answer), len(words(answer))
    overlap = len(said & truth) / len(truth)
    novel = len(said - truth)
    length_free = 4 * overlap + min(1.0, 0.1 * novel)
    bonus = min(1.0, num_words / constants.full_bonus) - (1.0 if num_words < constants.very_short else 0.0)
    return ContentScore(max(0.0, min(MAX_SCORE, length_free + bonus)), length_free, overlap, novel, num_words)


def check_lengths(candidates: Sequence[str], references: Sequence[str]) -> None:
    if len(candidates) != len(references):
        raise ValueError(f"{len(candidates)} candidates for {len(references)} references")
