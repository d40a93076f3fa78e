"""Short runs on the tiny model, and what they leave behind."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from tiny_janus import SETTINGS, generation_pairs, understanding_pairs
from torch import Tensor

from bifrons.models.janus.model import JanusModel
from bifrons.records import State, StepRecord, Weights
from bifrons.training import Alignment, align

UNDERSTANDING, GENERATION = understanding_pairs(4), generation_pairs(4)
NO_DROPOUT = replace(SETTINGS, dropout=0.0)


def run(model: JanusModel, **settings: Any) -> Alignment:
    """Four steps on four pairs a face at a learning rate that shows, unless the test says otherwise."""
    given: dict[str, Any] = {"understanding": UNDERSTANDING, "generation": GENERATION}
    usual: dict[str, Any] = {"adapter": SETTINGS, "steps": 4, "learning_rate": 1e-3, "progress": False}
    return align(model, **(given | usual | settings))


def trained(model: JanusModel) -> dict[str, Tensor]:
    """A copy of every tensor that trains."""
    both = [(p.name, p.tensor) for p in model.shared_parameters()] + model.head_parameters()
    return {name: tensor.detach().clone() for name, tensor in both}


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return set(first) == set(second) and all(torch.equal(first[name], second[name]) for name in first)


def timeless(steps: list[StepRecord]) -> list[StepRecord]:
    """Steps without the time that they took."""
    return [replace(step, seconds=0.0) for step in steps]


class Alternating:
    """A strategy of a user's own, with state and without a `repr`: the weights change places in every step."""

    tasks = ("understanding", "generation")
    weighs_head = True

    def __init__(self, heavy: float = 1.5) -> None:
        self.heavy = heavy

    def start(self) -> State:
        return {"heavy_first": True}

    def weigh(self, state: State, seen: object) -> tuple[State, Weights]:
        heavy_first = bool(state["heavy_first"])
        pair = (self.heavy, 2 - self.heavy) if heavy_first else (2 - self.heavy, self.heavy)
        return {"heavy_first": not heavy_first}, Weights(*pair)
