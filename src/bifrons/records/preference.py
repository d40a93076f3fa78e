"""Preference data: one pair of responses to one context, for either face, with the provenance of every part."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Literal

Task = Literal["understanding", "generation"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Who made a pair's responses and who judged them. Empty text and None mean: not known."""

    builder: str
    model: str = ""
    revision: str = ""
    scorer: str = ""
    seed: int | None = None
    chosen_score: float | None = None
    rejected_score: float | None = None
    details: dict[str, str | int | float | bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnderstandingPair:
    """Two answers to one question about one image. `image` is an encoded picture (PNG or JPEG bytes).

    Token ids are those that the model sampled, where it did, without the end token; None where the text came from
    elsewhere.
    """

    id: str
    image: bytes
    question: str
    chosen: str
    rejected: str
    provenance: Provenance
    kind: str = ""
    chosen_tokens: tuple[int, ...] | None = None
    rejected_tokens: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        for name in ("question", "chosen", "rejected"):
            if not getattr(self, name).strip():
                raise ValueError(f"understanding pair {self.id!r} has no {name}")
        if not self.image:
            raise ValueError(f"understanding pair {self.id!r} has no image")
        if self.chosen == self.rejected:
            raise ValueError(f"understanding pair {self.id!r}: chosen and rejected are the same answer")

    @property
    def context_keys(self) -> tuple[str, ...]:
        """Content hashes of what training and evaluation must not share: the image."""
        return (content_hash(self.image),)


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationPair:
    """Two drawings of one prompt, as VQ codes in raster order: the tokens that were sampled, and those trained on."""

    id: str
    prompt: str
    chosen_codes: tuple[int, ...]
    rejected_codes: tuple[int, ...]
    provenance: Provenance
    kind: str = ""

    def __post_init__(self) -> None:
        if not self.prompt.strip():
            raise ValueError(f"generation pair {self.id!r} has no prompt")
        for name in ("chosen_codes", "rejected_codes"):
            if not getattr(self, name):
                raise ValueError(f"generation pair {self.id!r} has no {name}")
        if len(self.chosen_codes) != len(self.rejected_codes):
            raise ValueError(f"generation pair {self.id!r}: chosen and rejected drawings differ in length")
        if self.chosen_codes == self.rejected_codes:
            raise ValueError(f"generation pair {self.id!r}: chosen and rejected are the same drawing")

    @property
    def context_keys(self) -> tuple[str, ...]:
        """Content hashes of what training and evaluation must not share: the prompt."""
        return (content_hash(self.prompt.strip().lower().encode()),)


Pair = UnderstandingPair | GenerationPair


def content_hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:20]


def pairs_hash(pairs: list[UnderstandingPair] | list[GenerationPair]) -> str:
    """A hash of all that training sees of these pairs, in order."""
    digest = hashlib.sha256()
    for pair in pairs:
        fields = {k: v for k, v in asdict(pair).items() if k != "provenance"}
        plain = {k: content_hash(v) if isinstance(v, bytes) else v for k, v in fields.items()}
        digest.update(json.dumps(plain, sort_keys=True).encode())
    return digest.hexdigest()[:20]
