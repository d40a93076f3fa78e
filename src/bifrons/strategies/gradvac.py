"""Gradient vaccine (Wang et al. 2021): each gradient is turned until its cosine to the other is what it usually is."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bifrons.records import Observation, State, Task, Weights
from bifrons.strategies.balance import number
from bifrons.strategies.fixed import BOTH

HIGHEST_TARGET = 1 - 1e-6  # no finite multiple of the other gradient brings the cosine to 1


@dataclass(frozen=True, slots=True)
class GradVac:
    """The target cosine is an exponential moving average of those seen, of rate `beta`, from 0.

    Below it, each gradient gets as much of the other's original as lifts its cosine to the target (their Eq. 4); PCGrad
    is the case of a target that stays 0. A zero or non-finite task norm gives (1, 1) and the flag `degenerate`, and
    leaves the target as it is.
    """

    beta: float = 0.01
    tasks: tuple[Task, ...] = BOTH
    weighs_head: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.beta <= 1:
            raise ValueError(f"GradVac's beta is {self.beta}; it has to be in [0, 1]")

    def start(self) -> State:
        return {"target": 0.0}

    def weigh(self, state: State, seen: Observation) -> tuple[State, Weights]:
        gramian = seen.gramian
        cosine = None if gramian is None else gramian.cosine
        if gramian is None or cosine is None:
            return state, Weights(1.0, 1.0, "degenerate")
        target = number(state["target"])
        after: State = {"target": (1 - self.beta) * target + self.beta * cosine}
        target = min(target, HIGHEST_TARGET)
        if cosine >= target:
            return after, Weights(1.0, 1.0)
        sine, target_sine = math.sqrt(1 - cosine**2), math.sqrt(1 - target**2)
        share = (target * sine - cosine * target_sine) / target_sine
        ratio = gramian.norm_generation / gramian.norm_understanding
        return after, Weights(1 + share * ratio, 1 + share / ratio)
