"""Which examples of a file train and which evaluate: decided by content, so that no seed or count moves one across."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from bifrons.records import content_hash
from bifrons.sources.example import Example, prompt_key

Side = Literal["pairs", "evaluation"]
EVALUATION_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Draft:
    """An example that is not read yet: its prompt, and what reads it."""

    prompt: str
    read: Callable[[], Example]


def side_of(content: bytes, evaluation_share: float) -> Side:
    """Evaluation for that share of all contents, by their hash."""
    return "evaluation" if int(content_hash(content)[:12], 16) < evaluation_share * 16**12 else "pairs"


def select(
    name: str, drafts: Sequence[Draft], side: Side, count: int, seed: int, evaluation_share: float = EVALUATION_SHARE
) -> list[Example]:
    """`count` examples of a side in an order drawn from the seed; images are read one after the other until they
    suffice.

    The image decides the side. A prompt that several images have (COCO repeats some captions) could stand on both, so
    it never trains, and evaluates once. Raises ValueError that names the source when the side has fewer examples.
    """
    times = Counter(prompt_key(draft.prompt) for draft in drafts)
    found: list[Example] = []
    seen: set[str] = set()
    for index in np.random.default_rng(seed).permutation(len(drafts)):
        if len(found) == count:
            break
        draft = drafts[int(index)]
        if side == "pairs" and times[prompt_key(draft.prompt)] > 1:
            continue
        example = draft.read()
        keys = set(example.context_keys)
        if side_of(example.image, evaluation_share) == side and not keys & seen:
            found.append(example)
            seen |= keys
    if len(found) < count:
        raise ValueError(f"{name}: has {len(found)} images for {side}, and {count} are asked for")
    return found
