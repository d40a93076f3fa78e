"""The linear maps of a language model laid out for decoding.

One token at a time, a small network spends its time on calls and not on arithmetic: maps that read the same input are
stacked into one, and LoRA is added into the copy. A large network's maps stay where they are, with LoRA beside them.
Large maps on a CPU are packed for oneDNN once a call where they are walked through many times: left alone, packing is
most of the work of a product with few rows. The call then holds a second copy of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from peft.tuners.lora import Linear as LoraLinear
from torch import Tensor, nn
from torch.nn.functional import linear

from bifrons.models.lora import low_rank_dtype

MOST_COPIED = 2**21  # elements of a stack: above, arithmetic outweighs the calls, and a copy would cost memory
PACKED_ROWS = {  # rows of a step for which packing was faster; fewer are bound by memory, more are no step
    torch.float32: range(8, 65),
    torch.bfloat16: range(1, 65),
}


@dataclass(frozen=True, slots=True)
class Projection:
    """x W' + b, and where `down` and `up` are given, the scaled low-rank update, in the precision that training has
    (`lora.low_rank_dtype`).

    Shapes: `weight` [out, in], `bias` [out], `down` [ranks, in], `up` [out, ranks]. `packed` is the weight in oneDNN's
    layout.
    """

    weight: Tensor
    bias: Tensor | None = None
    down: Tensor | None = None
    up: Tensor | None = None
    packed: Tensor | None = None

    def __call__(self, states: Tensor) -> Tensor:
        if self.packed is not None and states.shape[:-1].numel() in PACKED_ROWS[self.weight.dtype]:
            made: Tensor = torch.ops.mkldnn._linear_pointwise(states, self.packed, self.bias, "none", [], "")
        else:
            made = linear(states, self.weight, self.bias)
        if self.down is None or self.up is None:
            return made
        if self.down.dtype == made.dtype == torch.bfloat16:
            made.flatten(0, -2).addmm_(linear(states, self.down).flatten(0, -2), self.up.T)
            return made
        return (made + linear(linear(states.float(), self.down), self.up)).to(made.dtype)


def projection_of(module: Any) -> Projection | None:
    """A module as a Projection; None for what is neither a plain linear map nor plain LoRA on one."""
    if type(module) is nn.Linear:
        return Projection(module.weight, module.bias)
    if not isinstance(module, LoraLinear) or type(module.get_base_layer()) is not nn.Linear:
        return None
    base: Any = module.get_base_layer()
    active = [name for name in module.active_adapters if name in module.lora_A]
    if module.disable_adapters and module.merged:
        return None  # PEFT unmerges at the next call
    if module.disable_adapters or module.merged or not active:
        return Projection(base.weight, base.bias)
    if any(name in module.lora_variant or module.lora_B[name].bias is not None for name in active):
        return None
    lora: Any = module
    down = torch.cat([lora.lora_A[name].weight for name in active])
    up = torch.cat([lora.lora_B[name].weight * lora.scaling[name] for name in active], dim=1)
    dtype = low_rank_dtype(base.weight)
    return Projection(base.weight, base.bias, down.to(dtype), up.to(dtype))


def stacked(maps: Sequence[Projection]) -> Projection:
    """One projection whose output is the outputs of `maps`, one after another. In fp32, LoRA is added into the copy."""
    weight = torch.cat([each.weight for each in maps])
    given = [each.bias for each in maps if each.bias is not None]
    assert len(given) in (0, len(maps)), "some of the maps of one input have a bias and some have none"
    bias = torch.cat(given) if given else None
    if all(each.down is None for each in maps):
        return Projection(weight, bias)
    none = weight.new_zeros(0, weight.shape[1], dtype=low_rank_dtype(weight))
    downs = [none if each.down is None else each.down for each in maps]
    ups = [each.weight.new_zeros(each.weight.shape[0], 0) if each.up is None else each.up for each in maps]
    down, up = torch.cat(downs), torch.block_diag(*[each.to(none.dtype) for each in ups])
    if weight.dtype == torch.float32:
        return Projection(torch.addmm(weight, up, down), bias)
    return Projection(weight, bias, down, up)


def pack_for(projection: Projection, rows: int) -> Projection:
    """The projection with its weight packed for steps of `rows` rows, where that pays and can be done."""
    weight = projection.weight
    large = weight.numel() > MOST_COPIED and weight.device.type == "cpu"
    if not (large and rows in PACKED_ROWS.get(weight.dtype, ()) and can_pack(weight.dtype)):
        return projection
    return replace(projection, packed=torch.ops.mkldnn._reorder_linear_weight(weight.detach(), rows))


def can_pack(dtype: torch.dtype) -> bool:
    """Whether torch has oneDNN, and oneDNN products of this dtype on this processor."""
    available: bool = torch.backends.mkldnn.is_available()
    return available and (dtype != torch.bfloat16 or torch.ops.mkldnn._is_mkldnn_bf16_supported())


class Maps:
    """Linear maps of one input: stacked where they are small, else called one by one. `rows` are those of a step."""

    def __init__(self, *modules: Any, rows: int) -> None:
        found = [projection_of(module) for module in modules]
        plain = [each for each in found if each is not None]
        self.sizes: list[int] = [module.out_features for module in modules]
        self.calls: list[Callable[[Tensor], Tensor]]
        if len(plain) == len(found) and sum(each.weight.numel() for each in plain) <= MOST_COPIED:
            self.calls = [stacked(plain)]
        else:
            self.calls = [
                module if each is None else pack_for(each, rows) for each, module in zip(found, modules, strict=True)
            ]

    def together(self, states: Tensor) -> Tensor:
        """The outputs one after another, [..., sum of the maps' widths]."""
        if len(self.calls) == 1:
            return self.calls[0](states)
        return torch.cat([call(states) for call in self.calls], dim=-1)

    def apart(self, states: Tensor) -> Sequence[Tensor]:
        """The output of each map."""
        if len(self.calls) == len(self.sizes):
            return [call(states) for call in self.calls]
        return self.calls[0](states).split(self.sizes, dim=-1)
