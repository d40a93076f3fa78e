"""Weightings of TorchJD (Quinton and Rey 2024) as strategies: an optional extra, `pip install 'bifrons[strategies]'`.

They see the Gramian in float64, scaled to trace 1: norms of 1e-10 are as good as norms of 1. Here are those of its
weightings that need no solver of their own. Others stand in this folder in closed form for two tasks, because TorchJD's
would hide their state (GradVac), regularise by more than a gradient a thousandth as long has (UPGrad), or solve a cone
programme in every step (CAGrad). Nash-MTL is left out: its release weighs the whole Jacobian, not the Gramian, and for
two tasks its bargaining solution is w_i ~ 1 / |g_i|, which is `gradient_weighted` with K = 1.
"""

from __future__ import annotations

import importlib
import math
from dataclasses import dataclass
from typing import Any

from bifrons.records import Observation, State, Task, Weights
from bifrons.strategies.fixed import BOTH


@dataclass(frozen=True, slots=True)
class TorchJD:
    """The weights that `torchjd.aggregation`'s weighting of this name gives to the Gramian.

    A zero or non-finite task norm, and weights that are not finite or all zero, give (1, 1) and the flag `degenerate`.
    Raises ValueError where TorchJD is not installed or has no such weighting.
    """

    weighting: str
    tasks: tuple[Task, ...] = BOTH
    weighs_head: bool = False

    def __post_init__(self) -> None:
        make_weighting(self.weighting)

    def start(self) -> State:
        return {}

    def weigh(self, state: State, seen: Observation) -> tuple[State, Weights]:
        gramian = seen.gramian
        if gramian is None or gramian.degenerate:
            return state, Weights(1.0, 1.0, "degenerate")
        torch = importlib.import_module("torch")
        trace = gramian.uu + gramian.gg
        rows = [[gramian.uu / trace, gramian.ug / trace], [gramian.ug / trace, gramian.gg / trace]]
        understanding, generation = make_weighting(self.weighting)(torch.tensor(rows, dtype=torch.float64)).tolist()
        usable = math.isfinite(understanding) and math.isfinite(generation) and (understanding or generation)
        return state, Weights(understanding, generation) if usable else Weights(1.0, 1.0, "degenerate")


def make_weighting(name: str) -> Any:
    """Raises ValueError of one line where TorchJD is missing."""
    try:
        aggregation = importlib.import_module("torchjd.aggregation")
        return getattr(aggregation, name)()
    except ImportError as error:
        raise ValueError(f"{name} needs TorchJD: pip install 'bifrons[strategies]' ({error})") from None
    except (AttributeError, TypeError) as error:
        raise ValueError(f"TorchJD has no weighting {name!r} that takes the Gramian alone ({error})") from None
