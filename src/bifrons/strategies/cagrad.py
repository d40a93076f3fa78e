"""Conflict-averse gradient descent (Liu et al. 2021), solved exactly for two tasks."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bifrons.records import Observation, State, Task, Weights
from bifrons.strategies.fixed import BOTH

ROUNDING = 1e-14  # a squared norm below this share of both gradients' is none
HALVINGS = 1100  # bisection goes on to the last bit of the smaller share, however unequal the norms


@dataclass(frozen=True, slots=True)
class CAGrad:
    """The direction of the largest worst-case gain within a ball of radius c |g_0| about the mean gradient g_0.

    With g_w = w g_U + (1 - w) g_G, w in [0, 1] minimises <g_w, g_0> + c |g_0| |g_w| (their Eq. 3), which is convex; the
    direction is g_0 + c |g_0| g_w / |g_w|. A zero or non-finite task norm, and a mean gradient or a g_w of zero, give
    (1, 1) and the flag `degenerate`.
    """

    c: float = 0.5
    tasks: tuple[Task, ...] = BOTH
    weighs_head: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.c < 1:
            raise ValueError(f"CAGrad's c is {self.c}; it has to be in [0, 1)")

    def start(self) -> State:
        return {}

    def weigh(self, state: State, seen: Observation) -> tuple[State, Weights]:
        gramian = seen.gramian
        if gramian is None or gramian.degenerate:
            return state, Weights(1.0, 1.0, "degenerate")
        scale = gramian.uu + gramian.gg
        uu, ug, gg = gramian.uu / scale, gramian.ug / scale, gramian.gg / scale
        if uu + 2 * ug + gg < ROUNDING:
            return state, Weights(1.0, 1.0, "degenerate")
        radius = self.c * math.sqrt(uu + 2 * ug + gg) / 2  # c |g_0|
        share_u, share_g = best_shares(uu, ug, gg, radius)
        length = norm(uu, ug, gg, share_u, share_g)
        if not length > 0:
            return state, Weights(1.0, 1.0, "degenerate")
        return state, Weights(0.5 + radius * share_u / length, 0.5 + radius * share_g / length)


def norm(uu: float, ug: float, gg: float, share_u: float, share_g: float) -> float:
    return math.sqrt(max(0.0, uu * share_u**2 + 2 * ug * share_u * share_g + gg * share_g**2))


def best_shares(uu: float, ug: float, gg: float, radius: float) -> tuple[float, float]:
    """(w, 1 - w) at the minimum. Both are kept to their own last bit: the smaller one may be 1e-20."""

    def slope(share_u: float, share_g: float) -> float:
        """d/dw of <g_w, g_0> + radius |g_w|, which never falls as w grows."""
        length = norm(uu, ug, gg, share_u, share_g)
        linear = (uu - gg) / 2
        return linear if length == 0 else linear + radius * ((uu - ug) * share_u + (ug - gg) * share_g) / length

    if slope(0.0, 1.0) >= 0:
        return 0.0, 1.0
    if slope(1.0, 0.0) <= 0:
        return 1.0, 0.0
    towards_u = slope(0.5, 0.5) <= 0  # the smaller share is generation's
    low, high = 0.0, 0.5
    for _ in range(HALVINGS):
        small = (low + high) / 2
        if small in (low, high):
            break
        rising = slope(1 - small, small) > 0 if towards_u else slope(small, 1 - small) < 0
        low, high = (small, high) if rising else (low, small)
    return (1 - high, high) if towards_u else (high, 1 - high)
