"""How much of a method's score is length: score a word, and the correlation of length and score within and across
methods. A function of stored per-item scores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bifrons.evaluation.understanding import LENGTH, VQA
from bifrons.stats import GroupedCorrelation, grouped_correlation

Items = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class LengthRow:
    """One method, its seeds pooled: mean words, mean score, and the score that all its words together earned each."""

    method: str
    mean_words: float
    mean_score: float
    score_per_word: float | None
    n: int


@dataclass(frozen=True, slots=True)
class LengthConfound:
    """`correlation` is None, and `reason` says why, where there are too few answers."""

    score: str
    rows: tuple[LengthRow, ...]
    correlation: GroupedCorrelation | None
    reason: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def length_confound(
    methods: Mapping[str, Sequence[Mapping[str, Items]]], score: str = VQA.name, length: str = LENGTH.name
) -> LengthConfound:
    """`methods` holds, for each method, the items by metric of each of its runs. Items are taken as independent, which
    answers of several seeds to one question are not.
    """
    lengths: list[float] = []
    scores: list[float] = []
    groups: list[str] = []
    rows: list[LengthRow] = []
    for method, runs in methods.items():
        pairs = [
            (run[length][item], value) for run in runs for item, value in run[score].items() if item in run[length]
        ]
        if not pairs:
            continue
        words, earned = (sum(column) for column in zip(*pairs, strict=True))
        per_word = earned / words if words else None
        rows.append(LengthRow(method, words / len(pairs), earned / len(pairs), per_word, len(pairs)))
        lengths += [pair[0] for pair in pairs]
        scores += [pair[1] for pair in pairs]
        groups += [method] * len(pairs)
    if len(lengths) < 4:
        return LengthConfound(score, tuple(rows), None, f"{len(lengths)} answers; a correlation needs four")
    return LengthConfound(score, tuple(rows), grouped_correlation(lengths, scores, groups))
