"""From two task gradients to one step of the optimizer: the tensors that train, their gradients, and the clip."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import Parameter

from bifrons.gradients import Gradient, combine, take
from bifrons.protocol import UnifiedModel
from bifrons.records import Task, Weights
from bifrons.training.processes import Processes, local
from bifrons.training.recipe import Recipe


@dataclass(frozen=True, slots=True, eq=False)
class TaskGradient:
    """One task's gradient of the global batch: on what both tasks share, and on the image head."""

    shared: list[Tensor | None]
    head: list[Tensor | None]


@dataclass(frozen=True, slots=True, eq=False)
class Trainable:
    """The tensors that train, in the model's order: those that both tasks reach, with their layers, and the head."""

    names: list[str]
    shared: list[Parameter]
    layers: list[int]
    head: list[Parameter]

    @staticmethod
    def of(model: UnifiedModel) -> Trainable:
        shared, head = model.shared_parameters(), model.head_parameters()
        names = [p.name for p in shared] + [name for name, _ in head]
        found = Trainable(names, [p.tensor for p in shared], [p.layer for p in shared], [p for _, p in head])
        assert all(p.dtype == torch.float32 for p in found.all), "every trainable tensor is fp32"
        return found

    @property
    def all(self) -> list[Parameter]:
        return [*self.shared, *self.head]

    @property
    def named(self) -> dict[str, Parameter]:
        return dict(zip(self.names, self.all, strict=True))

    def optimizer(self, recipe: Recipe) -> torch.optim.AdamW:
        """The fused one: one pass over a tensor instead of a dozen, and no copies of it beside it."""
        groups = [{"params": own} for own in (self.shared, self.head) if own]
        fused = True if all(p.device.type in ("cpu", "cuda") for p in self.all) else None
        return torch.optim.AdamW(groups, lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=fused)

    def take(self, processes: Processes) -> TaskGradient:
        """What a task's backward left in `.grad`, summed over all processes: a sharded model did, and took the mean."""
        shared, head = take(self.shared), take(self.head)
        if processes.layout == "sharded":
            summed = [None if gradient is None else gradient * processes.count for gradient in shared]
        else:
            summed = processes.sum_gradients(shared)
        return TaskGradient(summed, processes.sum_gradients(head))

    def nothing(self) -> TaskGradient:
        return TaskGradient([None] * len(self.shared), [None] * len(self.head))

    def set(self, gradients: dict[Task, TaskGradient], weights: Weights, *, weighs_head: bool) -> None:
        """The weighted sum of the task gradients as `.grad`. The head, which one task reaches, has its own weight."""
        understanding = gradients.get("understanding", self.nothing())
        generation = gradients.get("generation", self.nothing())
        both = combine(understanding.shared, generation.shared, weights.understanding, weights.generation)
        weight = weights.generation if weighs_head else 1.0
        head = generation.head if weight == 1 else combine(self.nothing().head, generation.head, 0.0, weight)
        for parameter, gradient in zip(self.all, [*both, *head], strict=True):
            parameter.grad = gradient


def locals_of(gradients: Gradient) -> list[Tensor | None]:
    return [local(gradient) for gradient in gradients]


def clip(recipe: Recipe, trained: Trainable, processes: Processes) -> float:
    """Clip after weighting, over all trainables together or LoRA and head apart; the norm before, over all."""
    groups = ([*trained.shared, *trained.head],) if recipe.clip_mode == "joint" else (trained.shared, trained.head)
    if processes.layout == "replicas":
        together = torch.nn.utils.get_total_norm([p.grad for p in trained.all if p.grad is not None])
        for group in groups:
            joint = recipe.clip_mode == "joint"
            norm = together if joint else torch.nn.utils.get_total_norm([p.grad for p in group if p.grad is not None])
            torch.nn.utils.clip_grads_with_norm_(group, recipe.clip, norm)
        return float(together)
    norms = [part_norm(group, trained, processes) for group in groups]
    for group, norm in zip(groups, norms, strict=True):
        scale = min(1.0, recipe.clip / (norm + 1e-6))
        for parameter in group:
            if parameter.grad is not None:
                parameter.grad.mul_(scale)
    return math.hypot(*norms)


def part_norm(parameters: Sequence[Parameter], trained: Trainable, processes: Processes) -> float:
    """Norm of the gradients of a group of which the shared tensors are sharded and the head's are whole."""
    sharded = {id(p) for p in trained.shared}
    squares = [torch.zeros((), dtype=torch.float64, device=processes.device) for _ in range(2)]
    for parameter in parameters:
        if parameter.grad is not None:
            squares[id(parameter) not in sharded] += local(parameter.grad).double().square().sum()
    return math.sqrt(float(processes.summed(squares[0]) + squares[1]))
