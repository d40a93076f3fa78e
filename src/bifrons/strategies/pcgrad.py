"""Projecting conflicting gradients (Yu et al. 2020), as weights: both project the original gradients, then sum."""

from __future__ import annotations

from dataclasses import dataclass

from bifrons.records import Observation, State, Task, Weights
from bifrons.strategies.fixed import BOTH


@dataclass(frozen=True, slots=True)
class PCGrad:
    """w_U = 1 + max(0, -c) / |g_U|^2 and w_G = 1 + max(0, -c) / |g_G|^2 with c = <g_U, g_G> (study, Eq. 10, 11).

    A zero or non-finite task norm gives (1, 1) and the flag `degenerate`.
    """

    tasks: tuple[Task, ...] = BOTH
    weighs_head: bool = False

    def start(self) -> State:
        return {}

    def weigh(self, state: State, seen: Observation) -> tuple[State, Weights]:
        gramian = seen.gramian
        if gramian is None or gramian.degenerate:
            return state, Weights(1.0, 1.0, "degenerate")
        conflict = max(0.0, -gramian.ug)
        return state, Weights(1 + conflict / gramian.uu, 1 + conflict / gramian.gg)
