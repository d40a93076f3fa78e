"""Two losses to two gradients, their Gramian in total and per layer, and their weighted sum.

The two losses live on two graphs, so one backward for each costs what the backward of their sum would cost.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

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
    understanding: Gradient,
    generation: Gradient,
    layers: Sequence[int],
    summed: Callable[[Tensor], Tensor] | None = None,
) -> tuple[Gramian, tuple[Gramian, ...]]:
    """The Gramian in total and of each layer, in float64; a missing gradient counts as zero.

    `layers` gives the layer of each entry. `summed` adds up the products of gradients that are cut into disjoint shards
    over several processes. Raises ValueError for lists of different lengths.
    """
    if not len(understanding) == len(generation) == len(layers):
        raise ValueError(f"{len(understanding)} and {len(generation)} gradients for {len(layers)} parameters")
    members: dict[int, list[tuple[Tensor | None, Tensor | None]]] = {layer: [] for layer in sorted(set(layers))}
    for layer, u, g in zip(layers, understanding, generation, strict=True):
        members[layer].append((u, g))
    device = next(
        (tensor.device for tensor in (*understanding, *generation) if tensor is not None), torch.device("cpu")
    )
    nothing = torch.zeros(0, 3, dtype=torch.float64, device=device)
    products = torch.stack([inner_products(own, device) for own in members.values()]) if members else nothing
    if summed is not None:
        products = summed(products)
    rows: list[list[float]] = cast(Any, products).tolist()  # untyped in torch; the only wait for the device
    per_layer = tuple(Gramian(uu, ug, gg) for uu, ug, gg in rows)
    total = Gramian(sum(g.uu for g in per_layer), sum(g.ug for g in per_layer), sum(g.gg for g in per_layer))
    return total, per_layer


def inner_products(gradients: Sequence[tuple[Tensor | None, Tensor | None]], device: torch.device) -> Tensor:
    """uu, ug and gg over the parameters of one layer, float64, shape [3]: three dots instead of three a parameter."""
    present = [(u, g) for u, g in gradients if u is not None or g is not None]
    if not present:
        return torch.zeros(3, dtype=torch.float64, device=device)
    u = torch.cat([flat(own, other) for own, other in present]).double()
    g = torch.cat([flat(own, other) for other, own in present]).double()
    return torch.stack([u @ u, u @ g, g @ g])


def flat(own: Tensor | None, other: Tensor | None) -> Tensor:
    """A gradient end to end, with zeros where its task does not reach a parameter that the other reaches."""
    known = own if own is not None else other
    assert known is not None
    return (torch.zeros_like(known) if own is None else known.detach()).flatten()


def combine(
    understanding: Gradient, generation: Gradient, weight_understanding: float, weight_generation: float
) -> list[Tensor | None]:
    """w_U g_U + w_G g_G for each parameter.

    A task of weight 0 leaves no trace: a parameter that only it reaches gets None. Raises ValueError for lists of
    different lengths.
    """
    if len(understanding) != len(generation):
        raise ValueError(f"{len(understanding)} and {len(generation)} gradients of the same parameters")
    combined: list[Tensor | None] = [None] * len(understanding)
    for weight, gradients in ((weight_understanding, understanding), (weight_generation, generation)):
        present = [(i, gradient) for i, gradient in enumerate(gradients) if gradient is not None]
        if weight == 0 or not present:
            continue
        scaled = torch._foreach_mul([gradient for _, gradient in present], weight)  # pyright: ignore[reportPrivateUsage, reportPrivateImportUsage]
        summed: list[Tensor] = []
        added: list[Tensor] = []
        for (i, _), gradient in zip(present, scaled, strict=True):
            before = combined[i]
            if before is None:
                combined[i] = gradient
            else:
                summed.append(before)
                added.append(gradient)
        if summed:
            torch._foreach_add_(summed, added)  # pyright: ignore[reportPrivateUsage, reportPrivateImportUsage]
    return combined
