"""Strategies whose weights do not depend on gradients."""

from __future__ import annotations

from dataclasses import dataclass

from bifrons.records import Observation, State, Task, Weights

BOTH: tuple[Task, ...] = ("understanding", "generation")


@dataclass(frozen=True, slots=True)
class Fixed:
    """The same weights in every step: single-task training, naive joint (Eq. 5) and `fixed_weight`."""

    understanding: float = 1.0
    generation: float = 1.0
    weighs_head: bool = True

    @property
    def tasks(self) -> tuple[Task, ...]:
        pairs: tuple[tuple[Task, float], ...] = (("understanding", self.understanding), ("generation", self.generation))
        return tuple(task for task, weight in pairs if weight != 0)

    def start(self) -> State:
        return {}

    def weigh(self, state: State, seen: Observation) -> tuple[State, Weights]:
        return state, Weights(self.understanding, self.generation)


@dataclass(frozen=True, slots=True)
class LengthNormalized:
    """w_U : w_G = T_G : T_U, normalised to sum 2, with the mean response tokens T of the data sets."""

    tasks: tuple[Task, ...] = BOTH
    weighs_head: bool = True

    def start(self) -> State:
        return {}

    def weigh(self, state: State, seen: Observation) -> tuple[State, Weights]:
        understanding, generation = seen.num_tokens
        total = understanding + generation
        return state, Weights(2 * generation / total, 2 * understanding / total)
