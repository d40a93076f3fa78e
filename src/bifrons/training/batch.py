"""One task's share of a step: forward and backward of its micro-batches, and the figures of all its pairs.

Task-major: all micro-batches of one task first, whose gradients add up in `.grad`, then those of the other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bifrons.losses import Responses, pair_product, product_slopes
from bifrons.protocol import UnifiedModel
from bifrons.records import Task, TaskStep
from bifrons.training.heap import give_back_heap
from bifrons.training.processes import Processes
from bifrons.training.recipe import TASKS, Recipe
from bifrons.training.reference import Pairs, ReferencePolicy, reference_log_probs

FIGURES = ("loss", "margin", "accuracy", "chosen_log_ratio", "rejected_log_ratio", "num_tokens", "spread")
Objective = Callable[[Responses, list[int]], tuple[Tensor, Tensor]]  # what is minimised and what is recorded, [pairs]


@dataclass(frozen=True, slots=True, eq=False)
class TaskData:
    """One task's pairs with the reference's log-probabilities [pairs, 2] and the mean tokens of a response."""

    pairs: Pairs
    reference: Tensor
    num_tokens: float
    noise: float


def prepare(
    model: UnifiedModel,
    task: Task,
    pairs: Pairs,
    cache: Path | None,
    processes: Processes,
    policy: ReferencePolicy = "base",
    start: str = "",
    compiled: bool = False,
) -> TaskData:
    reference, noise = reference_log_probs(
        model, task, pairs, cache, processes=processes, reference=policy, start=start, compiled=compiled
    )
    counts = [count for pair in pairs for count in model.count_tokens(pair)]
    return TaskData(pairs, reference, sum(counts) / len(counts), noise)


def forward(
    model: UnifiedModel, recipe: Recipe, task: Task, data: TaskData, step: int, processes: Processes
) -> Iterator[tuple[list[int], Responses, Tensor]]:
    """Positions in the step's pairs, log-probabilities and their spread [pairs] (NaN where they are exact) of each of
    this process's micro-batches, one at a time.

    With dropout every pair is a micro-batch of its own, and its noise is too: who shares a step changes nothing.
    Dropout stays on until the caller comes back for the next: its backward may compute the forward again.
    """
    chosen = recipe.indices(task, step, len(data.pairs))
    parts = processes.micro_batches(len(chosen), recipe.accumulate)
    if recipe.adapter.dropout:
        parts = [range(position, position + 1) for part in parts for position in part]
    for part in parts:
        indices = chosen[part.start : part.stop]
        pairs: list[Any] = [data.pairs[i] for i in indices]
        packed = model.pack(pairs)
        with model.dropout(recipe.adapter.dropout):
            with torch.random.fork_rng():
                torch.manual_seed(recipe.noise_seed(task, step, part.start))
                policy = model.log_probs(packed)
            seen = Responses(policy.sums, data.reference[indices].to(policy.sums.device), policy.counts)
            exact = policy.sums.new_full((len(pairs),), float("nan"))
            yield list(part), seen, exact if policy.spread is None else policy.spread


def backward(
    model: UnifiedModel,
    recipe: Recipe,
    task: Task,
    data: TaskData,
    step: int,
    objective: Objective,
    processes: Processes,
) -> TaskStep:
    """Leaves the gradient of the task's mean loss in `.grad`: this process's share of it, where there are several.

    The figures are those of all processes' pairs.
    """
    chosen = recipe.indices(task, step, len(data.pairs))
    rows: list[tuple[list[int], Tensor]] = []
    for positions, seen, spread in forward(model, recipe, task, data, step, processes):
        minimised, loss = objective(seen, positions)
        if not rows:
            give_back_heap(loss.device)
        (minimised.sum() / len(chosen)).backward()
        with torch.no_grad():
            margin, ratios = seen.margin, seen.log_ratios
            columns = [loss, margin, margin > 0, ratios[:, 0], ratios[:, 1], seen.tokens.float().mean(dim=1), spread]
            rows.append((positions, torch.stack([column.double() for column in columns], dim=1)))
    means = gathered(rows, len(chosen), processes).mean(dim=0).tolist()
    figures = dict(zip(FIGURES, means, strict=True))
    if math.isnan(figures["spread"]):
        del figures["spread"]
    return TaskStep(**figures, records=tuple(data.pairs[i].id for i in chosen))


def gathered(rows: list[tuple[list[int], Tensor]], count: int, processes: Processes) -> Tensor:
    """Rows of this process's pairs and of all others' in the order of the step, [count, columns]: each is computed by
    one process, so that a sum puts them together exactly.
    """
    example = rows[0][1]
    table = torch.zeros(count, *example.shape[1:], dtype=example.dtype, device=example.device)
    for positions, values in rows:
        table[positions] = values
    return processes.summed(table)


def objectives(
    model: UnifiedModel, recipe: Recipe, data: dict[Task, TaskData], step: int, processes: Processes
) -> dict[Task, Objective]:
    """What each task minimises in this step: its own loss, or its part in the product of the margins."""
    if recipe.coupling == "sum":
        return {task: own_loss(recipe, task) for task in data}
    with torch.no_grad():  # both margins first, with the noise that their backwards will have
        found = {
            task: gathered(
                [(positions, seen.margin) for positions, seen, _ in forward(model, recipe, task, own, step, processes)],
                recipe.pairs_per_step,
                processes,
            )
            for task, own in data.items()
        }
        both = (found["understanding"], found["generation"], *map(recipe.beta, TASKS))
        joint = pair_product(*both)
        slopes = dict(zip(TASKS, product_slopes(*both), strict=True))
    return {task: part_in_product(slopes[task], joint) for task in data}


def own_loss(recipe: Recipe, task: Task) -> Objective:
    loss = recipe.loss(task)

    def objective(seen: Responses, _positions: list[int]) -> tuple[Tensor, Tensor]:
        losses = loss(seen)
        return losses, losses.detach()

    return objective


def part_in_product(slope: Tensor, joint: Tensor) -> Objective:
    """The margin times the slope of the joint loss in it; the record shows the joint loss for both tasks."""

    def objective(seen: Responses, positions: list[int]) -> tuple[Tensor, Tensor]:
        return slope[positions] * seen.margin, joint[positions]

    return objective
