"""FairGrad (Ban and Ji 2024): alpha-fair weights, solved exactly for two tasks."""

from __future__ import annotations

from dataclasses import dataclass

from bifrons.records import Observation, State, Task, Weights
from bifrons.strategies.fixed import BOTH

ROUNDING = 1e-12  # a gain below this share of the task's own is none


@dataclass(frozen=True, slots=True)
class FairGrad:
    """Positive w with G w = w^(-1/alpha) (their Eq. 4), for the Gramian G scaled to trace 1.

    alpha 1 is proportional fairness and Nash-MTL's bargaining solution, w_i ~ 1 / |g_i|; larger values help the worse
    task more. A zero or non-finite task norm gives (1, 1) and the flag `degenerate`, and so do exactly opposed
    gradients, which no weights serve both.
    """

    alpha: float = 2.0
    tasks: tuple[Task, ...] = BOTH
    weighs_head: bool = False

    def __post_init__(self) -> None:
        if not self.alpha > 0:
            raise ValueError(f"FairGrad's alpha is {self.alpha}; it has to be above 0")

    def start(self) -> State:
        return {}

    def weigh(self, state: State, seen: Observation) -> tuple[State, Weights]:
        gramian = seen.gramian
        if gramian is None or gramian.degenerate:
            return state, Weights(1.0, 1.0, "degenerate")
        scale = gramian.uu + gramian.gg
        uu, ug, gg = gramian.uu / scale, gramian.ug / scale, gramian.gg / scale
        ratio = fair_ratio(uu, ug, gg, self.alpha)
        gain = uu + ug * ratio
        if not (gain > ROUNDING * uu and ug + gg * ratio > ROUNDING * gg * ratio):
            return state, Weights(1.0, 1.0, "degenerate")
        understanding = gain ** (-self.alpha / (1 + self.alpha))
        return state, Weights(understanding, ratio * understanding)


def fair_ratio(uu: float, ug: float, gg: float, alpha: float) -> float:
    """w_G / w_U: the root r of (ug + gg r) r^(1/alpha) = uu + ug r between the ratios at which a task gains nothing."""
    low, high = (-ug / gg, -uu / ug) if ug < 0 else (0.0, 1.0)
    while ug >= 0 and excess(high, uu, ug, gg, alpha) < 0:
        low, high = high, 2 * high
    while True:
        middle = (low + high) / 2
        if middle in (low, high):
            return middle
        low, high = (middle, high) if excess(middle, uu, ug, gg, alpha) < 0 else (low, middle)


def excess(ratio: float, uu: float, ug: float, gg: float, alpha: float) -> float:
    return (ug + gg * ratio) * ratio ** (1 / alpha) - (uu + ug * ratio)
