"""Cosine and ratio of the two task gradients on the untrained model, with their null calibration (study, Eq. 6)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import Parameter

from bifrons.gradients import gramians, take
from bifrons.losses import dpo, margins
from bifrons.protocol import UnifiedModel
from bifrons.records import GenerationPair, Gramian, UnderstandingPair


@dataclass(frozen=True, slots=True)
class GradientDiagnosis:
    """Gramians of each mini-batch (one pair a task), in total and per layer, and cosines of consecutive batches of one
    task.

    Consecutive cosines share a batch and are not independent. `zero_a` is True when the gradient of every LoRA A was
    exactly zero in the first batch, as B = 0 demands.
    """

    inter_task: tuple[Gramian, ...]
    layers: tuple[tuple[Gramian, ...], ...]
    intra_understanding: tuple[float, ...]
    intra_generation: tuple[float, ...]
    zero_a: bool

    def as_json(self) -> dict[str, Any]:
        """The layout of `diagnosis.json`."""
        batches = [
            asdict(total) | {"layers": [asdict(layer) for layer in layers]}
            for total, layers in zip(self.inter_task, self.layers, strict=True)
        ]
        return {
            "inter_task": batches,
            "intra_understanding": list(self.intra_understanding),
            "intra_generation": list(self.intra_generation),
            "zero_a": self.zero_a,
        }


def diagnose_gradients(
    model: UnifiedModel,
    understanding: Sequence[UnderstandingPair],
    generation: Sequence[GenerationPair],
    *,
    batches: int = 200,
    beta: float = 0.1,
    seed: int = 0,
    report: Callable[[int], None] | None = None,
) -> GradientDiagnosis:
    """Gradients over `batches` mini-batches of one pair a task; the model needs a fresh adapter and is not changed.

    Policy and reference are equal here, so no reference is computed: the margin is zero and its gradient the policy's
    own.
    Raises ValueError for a task without pairs.
    """
    for name, pairs in (("understanding", understanding), ("generation", generation)):
        if not pairs:
            raise ValueError(f"the diagnosis needs {name} pairs, and there are none")
    shared = model.shared_parameters()
    head = [parameter for _, parameter in model.head_parameters()]
    tensors, layers = [p.tensor for p in shared], [p.layer for p in shared]
    orders = [indices(len(pairs), batches, seed + i) for i, pairs in enumerate((understanding, generation))]
    totals: list[Gramian] = []
    per_layer: list[tuple[Gramian, ...]] = []
    intra: tuple[list[float], list[float]] = ([], [])
    before: list[list[Tensor | None]] = []
    zero_a = True
    for u_index, g_index in zip(*orders, strict=True):
        now = [
            task_gradient(model, [understanding[u_index]], tensors, head, beta),
            task_gradient(model, [generation[g_index]], tensors, head, beta),
        ]
        if not totals:
            zero_a = all(
                gradient is None or not bool(gradient.any())
                for task in now
                for parameter, gradient in zip(shared, task, strict=True)
                if "lora_A" in parameter.name
            )
        total, by_layer = gramians(now[0], now[1], layers)
        totals.append(total)
        per_layer.append(by_layer)
        for task, earlier in enumerate(before):
            cosine = gramians(earlier, now[task], layers)[0].cosine
            if cosine is not None:
                intra[task].append(cosine)
        before = now
        if report:
            report(1)
    return GradientDiagnosis(tuple(totals), tuple(per_layer), tuple(intra[0]), tuple(intra[1]), zero_a)


def task_gradient(
    model: UnifiedModel, pairs: Any, shared: list[Parameter], head: list[Parameter], beta: float
) -> list[Tensor | None]:
    with torch.enable_grad():
        sums = model.log_probs(model.pack(pairs)).sums
        held = sums.detach()
        dpo(margins(sums[:, 0], sums[:, 1], held[:, 0], held[:, 1]), beta).mean().backward()
    take(head)
    return take(shared)


def indices(count: int, wanted: int, seed: int) -> list[int]:
    """`wanted` indices below `count`: shuffles one after another, so that none comes twice before all came once."""
    rng = np.random.default_rng([seed, 77])
    rounds = [rng.permutation(count) for _ in range(-(-wanted // count))]
    return [int(i) for i in np.concatenate(rounds)[:wanted]]
