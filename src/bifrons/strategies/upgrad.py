"""UPGrad (Quinton and Rey 2024): the mean of both gradients' projections onto their dual cone."""

from __future__ import annotations

from dataclasses import dataclass

from bifrons.records import Observation, State, Task, Weights
from bifrons.strategies.fixed import BOTH
from bifrons.strategies.pcgrad import PCGrad


@dataclass(frozen=True, slots=True)
class UPGrad:
    """For two tasks, half of PCGrad: a gradient is projected onto the cone by removing what opposes the other one.

    A zero or non-finite task norm gives (1, 1) and the flag `degenerate`.
    """

    tasks: tuple[Task, ...] = BOTH
    weighs_head: bool = False

    def start(self) -> State:
        return {}

    def weigh(self, state: State, seen: Observation) -> tuple[State, Weights]:
        state, summed = PCGrad().weigh(state, seen)
        return state, summed if summed.flag else Weights(summed.understanding / 2, summed.generation / 2)
