"""The two task gradients of a model that was not trained, batch after batch, with their null calibration (Eq. 6).

One mini-batch is one pair a task. Nothing is trained: the adapter is fresh, so policy and reference are one, every
margin is 0 and its gradient is the policy's own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import Parameter

from bifrons.diagnostics.batches import Batch, Consecutive
from bifrons.gradients import SharedParameter, gramians, take
from bifrons.losses import dpo, margins
from bifrons.protocol import UnifiedModel
from bifrons.records import GenerationPair, UnderstandingPair

Gradient = list[Tensor | None]


def diagnose_gradients(
    model: UnifiedModel,
    understanding: Sequence[UnderstandingPair],
    generation: Sequence[GenerationPair],
    *,
    batches: int = 200,
    beta: float = 0.1,
    seed: int = 0,
    done: Sequence[Batch] = (),
    on_batch: Callable[[Batch], None] | None = None,
) -> list[Batch]:
    """Gramians of `batches` mini-batches of one pair a task; the model needs a fresh adapter and is not changed.

    With `done`, the first batches of the same diagnosis, it goes on after them: the last of them is computed once more,
    since the next batch is compared with it. Raises ValueError for a task without pairs and for fewer than one batch.
    """
    for name, pairs in (("understanding", understanding), ("generation", generation)):
        if not pairs:
            raise ValueError(f"the diagnosis needs {name} pairs, and there are none")
    if batches < 1:
        raise ValueError(f"batches is {batches}; a diagnosis needs at least 1")
    shared = model.shared_parameters()
    head = [parameter for _, parameter in model.head_parameters()]
    tensors, layers = [p.tensor for p in shared], [p.layer for p in shared]
    u_order, g_order = (order(len(pairs), batches, seed, i) for i, pairs in enumerate((understanding, generation)))

    def at(batch: int) -> tuple[Gradient, Gradient, tuple[float, float]]:
        u, u_tokens = task_gradient(model, [understanding[u_order[batch]]], tensors, head, beta)
        g, g_tokens = task_gradient(model, [generation[g_order[batch]]], tensors, head, beta)
        return u, g, (u_tokens, g_tokens)

    found = list(done[:batches])
    before = at(len(found) - 1)[:2] if found and len(found) < batches else None
    for number in range(len(found), batches):
        u, g, tokens = at(number)
        total, by_layer = gramians(u, g, layers)
        found.append(
            Batch(
                batch=number,
                records=(understanding[u_order[number]].id, generation[g_order[number]].id),
                tokens=tokens,
                total=total,
                layers=by_layer,
                understanding=None if before is None else consecutive(before[0], u, layers),
                generation=None if before is None else consecutive(before[1], g, layers),
                largest_a=largest_a(shared, u, g),
            )
        )
        before = u, g
        if on_batch is not None:
            on_batch(found[-1])
    return found


def task_gradient(
    model: UnifiedModel, pairs: Any, shared: list[Parameter], head: list[Parameter], beta: float
) -> tuple[Gradient, float]:
    """The gradient of one task's DPO loss at margin 0, and the mean tokens of its responses."""
    with torch.enable_grad():
        found = model.log_probs(model.pack(pairs))
        loss_at_zero(found.sums, beta).backward()
    take(head)
    return take(shared), found.counts.float().mean().item()


def loss_at_zero(sums: Tensor, beta: float) -> Tensor:
    """The mean DPO loss of pairs whose reference is the policy itself: ln 2, with the policy's gradient."""
    held = sums.detach()
    return dpo(margins(sums[:, 0], sums[:, 1], held[:, 0], held[:, 1]), beta).mean()


def consecutive(before: Gradient, now: Gradient, layers: Sequence[int]) -> Consecutive:
    total, by_layer = gramians(before, now, layers)
    return Consecutive(total=total, layers=by_layer)


def largest_a(shared: Sequence[SharedParameter], *gradients: Gradient) -> float | None:
    """The largest magnitude in the gradients of every LoRA A; None where no parameter is one."""
    places = [i for i, parameter in enumerate(shared) if "lora_A" in parameter.name]
    if not places:
        return None
    found = [g[i] for g in gradients for i in places]
    return max((float(g.abs().max()) for g in found if g is not None), default=0.0)


def order(count: int, wanted: int, seed: int, task: int) -> list[int]:
    """`wanted` indices below `count`: shuffles one after another, so that none comes twice before all came once.

    Where two shuffles meet no index follows itself: a consecutive cosine of a pair with itself would be 1.
    """
    rng = np.random.default_rng([seed, task, 77])
    found: list[int] = []
    while len(found) < wanted:
        shuffled = [int(i) for i in rng.permutation(count)]
        if found and count > 1 and found[-1] == shuffled[0]:
            shuffled[0], shuffled[-1] = shuffled[-1], shuffled[0]
        found += shuffled
    return found[:wanted]
