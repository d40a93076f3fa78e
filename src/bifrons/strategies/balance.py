"""Gradient weighting: weights that give both tasks the same weighted norm (study, Eq. 8, 9)."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from bifrons.records import Gramian, Observation, State, Task, Weights
from bifrons.strategies.fixed import BOTH

DEFAULT_INTERVAL = 50  # steps between two computations of the weights, K in the paper


def balanced(norm_understanding: float, norm_generation: float) -> Weights:
    """w_U = 2|g_G| / (|g_U| + |g_G|) and w_G = 2|g_U| / (|g_U| + |g_G|), so that w_U |g_U| = w_G |g_G|."""
    total = norm_understanding + norm_generation
    return Weights(2 * norm_generation / total, 2 * norm_understanding / total)


@dataclass(frozen=True, slots=True)
class GradientWeighted:
    """(1, 1) until step K; from then on computed at every multiple of K from that step's norms, and held.

    A zero or non-finite task norm at such a step gives (1, 1) and the flag `degenerate`.
    """

    interval: int = DEFAULT_INTERVAL
    tasks: tuple[Task, ...] = BOTH
    weighs_head: bool = True

    def __post_init__(self) -> None:
        if self.interval < 1:
            raise ValueError(f"the interval of gradient_weighted is {self.interval}; it has to be at least 1")

    def start(self) -> State:
        return {"understanding": 1.0, "generation": 1.0}

    def weigh(self, state: State, seen: Observation) -> tuple[State, Weights]:
        if seen.step == 0 or seen.step % self.interval:
            return state, Weights(number(state["understanding"]), number(state["generation"]))
        weights = from_gramian(seen.gramian)
        return {"understanding": weights.understanding, "generation": weights.generation}, weights


@dataclass(frozen=True, slots=True)
class GradientWeightedSmoothed:
    """Weights from the median norms of the last K steps, within [0.05, 1.95] **(ours)**.

    So one odd pair cannot starve a task.
    """

    interval: int = DEFAULT_INTERVAL
    lowest: float = 0.05
    tasks: tuple[Task, ...] = BOTH
    weighs_head: bool = True

    def __post_init__(self) -> None:
        if self.interval < 1:
            raise ValueError(f"the interval of gradient_weighted_smoothed is {self.interval}; it has to be at least 1")

    def start(self) -> State:
        return {"understanding": [], "generation": []}

    def weigh(self, state: State, seen: Observation) -> tuple[State, Weights]:
        if seen.gramian is None or seen.gramian.degenerate:
            return state, Weights(1.0, 1.0, "degenerate")
        window = self.interval
        understanding = [*numbers(state["understanding"]), seen.gramian.norm_understanding][-window:]
        generation = [*numbers(state["generation"]), seen.gramian.norm_generation][-window:]
        weights = balanced(median(understanding), median(generation))
        bounded = min(max(weights.understanding, self.lowest), 2 - self.lowest)
        return {"understanding": understanding, "generation": generation}, Weights(bounded, 2 - bounded)


def from_gramian(gramian: Gramian | None) -> Weights:
    if gramian is None or gramian.degenerate:
        return Weights(1.0, 1.0, "degenerate")
    return balanced(gramian.norm_understanding, gramian.norm_generation)


def number(value: float | int | bool | list[float]) -> float:
    assert not isinstance(value, list)
    return float(value)


def numbers(value: float | int | bool | list[float]) -> list[float]:
    assert isinstance(value, list)
    return value
