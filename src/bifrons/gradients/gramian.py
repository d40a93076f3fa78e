"""Two losses to two gradients, their Gramian in total and per layer, and their weighted sum.

The two losses live on two graphs, so one backward for each costs what the backward of their sum would cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import Parameter

from bifrons.records import Gramian

Gradient = Sequence[Tensor | None]  # one entry a parameter; None where the loss does not reach it


@dataclass(frozen=True, slots=True)
class SharedParameter:
    """A parameter that both tasks train: what the Gramian is taken over. `layer` counts from 0 at the input."""

    name: str
    tensor: Parameter
    layer: int


def take(parameters: Sequence[Parameter]) -> list[Tensor | None]:
    """Move the gradients out of `.grad`, which is None afterwards: the next backward starts from nothing."""
    gradients: list[Tensor | None] = []
    for parameter in parameters:
        gradients.append(parameter.grad)
        parameter.grad = None
    return gradients


def gramians(
    understanding: Gradient, generation: Gradient, layers: Sequence[int]
) -> tuple[Gramian, tuple[Gramian, ...]]:
    """The Gramian in total and of each layer, in float64; a missing gradient counts as zero.

    `layers` gives the layer of each entry. Raises ValueError for lists of different lengths.
    """
    if not len(understanding) == len(generation) == len(layers):
        raise ValueError(f"{len(understanding)} and {len(generation)} gradients for {len(layers)} parameters")
    per_layer: list[Gramian] = []
    for layer in sorted(set(layers)):
        members = [i for i, own in enumerate(layers) if own == layer]
        products = torch.zeros(3, dtype=torch.float64)
        for i in members:
            products += inner_products(understanding[i], generation[i]).cpu()
        per_layer.append(Gramian(float(products[0]), float(products[1]), float(products[2])))
    total = Gramian(sum(g.uu for g in per_layer), sum(g.ug for g in per_layer), sum(g.gg for g in per_layer))
    return total, tuple(per_layer)


def inner_products(understanding: Tensor | None, generation: Tensor | None) -> Tensor:
    """uu, ug and gg of one parameter's gradients, float64, shape [3]."""
    u = None if understanding is None else understanding.detach().double().flatten()
    g = None if generation is None else generation.detach().double().flatten()
    known = u if u is not None else g
    zero = torch.zeros((), dtype=torch.float64, device=None if known is None else known.device)
    return torch.stack(
        [
            zero if u is None else u @ u,
            zero if u is None or g is None else u @ g,
            zero if g is None else g @ g,
        ]
    )


def combine(
    understanding: Gradient, generation: Gradient, weight_understanding: float, weight_generation: float
) -> list[Tensor | None]:
    """w_U g_U + w_G g_G for each parameter.

    A task of weight 0 leaves no trace: a parameter that only it reaches gets None.
    """
    combined: list[Tensor | None] = []
    for u, g in zip(understanding, generation, strict=True):
        weighted = ((weight_understanding, u), (weight_generation, g))
        parts = [weight * part for weight, part in weighted if part is not None and weight != 0]
        combined.append(parts[0] + parts[1] if len(parts) == 2 else parts[0] if parts else None)
    return combined
