"""What a builder returns: the pairs that it kept, and what it dropped, by cause."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from bifrons.records import GenerationPair, UnderstandingPair

P = TypeVar("P", UnderstandingPair, GenerationPair)
Report = Callable[[int], None]


@dataclass(slots=True)
class Built(Generic[P]):
    """`notes` are counts beside the drops, such as how often the cooler drawing won."""

    pairs: list[P] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)

    @property
    def asked(self) -> int:
        return len(self.pairs) + self.dropped.total()

    def summary(self) -> dict[str, object]:
        return {"kept": len(self.pairs), "dropped": dict(self.dropped), "notes": dict(self.notes)}
