"""How much of what an image's captions say an answer says: the VQA score of the study.

score = 4 * (share of the captions' content words mentioned) + min(1, 0.1 * novel content words) + length bonus, in
[0, 6], with a length bonus of min(1, words / 30) and 1 less below 5 words. The 4 and the bonus of 1 are the paper's;
the rest is **(ours)**.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

STOP_WORDS = frozenset(
    [
        "a",
        "an",
        "and",
        "any",
        "are",
        "as",
        "at",
        "be",
        "been",
        "by",
        "can",
        "do",
        "does",
        "for",
        "from",
        "had",
        "has",
        "have",
        "he",
        "her",
        "his",
        "how",
        "i",
        "if",
        "in",
        "into",
        "is",
        "it",
        "its",
        "of",
        "off",
        "on",
        "or",
        "our",
        "she",
        "so",
        "some",
        "that",
        "the",
        "their",
        "them",
        "then",
        "there",
        "these",
        "they",
        "this",
        "those",
        "to",
        "up",
        "was",
        "we",
        "were",
        "what",
        "when",
        "where",
        "which",
        "while",
        "who",
        "will",
        "with",
        "you",
        "your",
        "all",
        "both",
        "picture",
        "image",
        "photo",
        "shows",
        "show",
        "answer",
        "describe",
    ]
)
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
    """The words that carry content, each once, plural s removed."""
    kept = (word for word in words(text) if word not in STOP_WORDS)
    return frozenset(w[:-1] if len(w) > 3 and w.endswith("s") and not w.endswith("ss") else w for w in kept)


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
