"""Curation one item at a time: the same builders, prompts and scores, but every answer, drawing and score alone.

That is how the public code makes its pairs. Kinder than that code: each call is our own fast one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from bifrons.protocol import Answer, Drawing, Sampling


class ItemByItem:
    """A model and a CLIP behind the builders' interfaces: `generate`, one call an item, and one picture a score."""

    def __init__(self, model: Any, clip: Any) -> None:
        self.model, self.clip = model, clip
        self.name, self.identity = clip.name, model.identity

    def answer(
        self, images: Sequence[Any], questions: Sequence[str], sampling: Sampling, report: Any = None
    ) -> list[Answer]:
        asked = zip(images, questions, strict=True)
        return [self.model.answer([image], [text], one(sampling, i))[0] for i, (image, text) in enumerate(asked)]

    def draw(self, prompts: Sequence[str], sampling: Sampling, report: Any = None) -> list[Drawing]:
        return [self.model.draw([prompt], one(sampling, i))[0] for i, prompt in enumerate(prompts)]

    def encode(self, images: Sequence[Any]) -> list[tuple[int, ...]]:
        return [self.model.encode([image])[0] for image in images]

    def decode(self, codes: Sequence[Sequence[int]]) -> list[Any]:
        return [self.model.decode([row])[0] for row in codes]

    def scores(self, images: Sequence[Any], texts: Sequence[str]) -> list[float]:
        return [self.clip.scores([image], [text])[0] for image, text in zip(images, texts, strict=True)]


def one(sampling: Sampling, index: int) -> Sampling:
    """The sampling of one item, under its own name: the same noise as in a batch, so the same pairs."""
    name = index if sampling.items is None else sampling.items[index]
    return replace(sampling, items=(name,), batch_size=1)
