"""What one training step saw and did."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

State = dict[str, float | int | bool | list[float]]


@dataclass(frozen=True, slots=True)
class Gramian:
    """Inner products of the two task gradients over the shared parameters: <g_U, g_U>, <g_U, g_G> and <g_G, g_G>."""

    uu: float
    ug: float
    gg: float

    @property
    def norm_understanding(self) -> float:
        return math.sqrt(self.uu)

    @property
    def norm_generation(self) -> float:
        return math.sqrt(self.gg)

    @property
    def cosine(self) -> float | None:
        """<g_U, g_G> / (|g_U| |g_G|), Eq. 6 of the study; None where a norm is zero or not finite."""
        if self.degenerate:
            return None
        return max(-1.0, min(1.0, self.ug / (self.norm_understanding * self.norm_generation)))

    @property
    def generation_over_understanding(self) -> float | None:
        """|g_G| / |g_U|; None where a norm is zero or not finite."""
        return None if self.degenerate else self.norm_generation / self.norm_understanding

    @property
    def degenerate(self) -> bool:
        """True where a task has no usable gradient."""
        finite = math.isfinite(self.uu) and math.isfinite(self.ug) and math.isfinite(self.gg)
        return not (finite and self.uu > 0 and self.gg > 0)


@dataclass(frozen=True, slots=True)
class Weights:
    """Multipliers of the two task gradients."""

    understanding: float
    generation: float
    flag: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskStep:
    """One task's figures in one step: loss, margin (Eq. 2, before beta), log-ratios against the reference.

    All are means over the batch. `spread` is the standard error (nats) of the policy's chosen minus rejected, where its
    log-probabilities are estimates.
    """

    loss: float
    margin: float
    accuracy: float
    chosen_log_ratio: float
    rejected_log_ratio: float
    num_tokens: float
    records: tuple[str, ...]
    spread: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """All that a strategy may look at in one step. `gramian` is None where a task was not run.

    `num_tokens` are the mean response tokens of each task over its data set (understanding, generation).
    """

    step: int
    gramian: Gramian | None
    num_tokens: tuple[float, float]
    understanding: TaskStep | None = None
    generation: TaskStep | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRecord:
    """One line of `steps.jsonl`."""

    step: int
    understanding: TaskStep | None
    generation: TaskStep | None
    gramian: Gramian | None
    layers: tuple[Gramian, ...]
    weights: Weights
    state: State = field(default_factory=dict)
    norm_before_clip: float = 0.0
    learning_rate: float = 0.0
    seconds: float = 0.0
