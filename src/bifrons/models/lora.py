"""LoRA on a body in bfloat16, without a copy of what goes in that is kept for the backward.

PEFT casts a layer's input to fp32, takes two fp32 products and adds them to the output in fp32: six passes over memory,
and an fp32 input of every projection that is kept. Here a GPU takes the low-rank products in bfloat16 and adds them in
the second one: what is lost is less than the rounding of the output to bfloat16, which both have. On a CPU, where fp32
products are no slower, they stay fp32's. Parameters and their gradients are in fp32 everywhere.
"""

from __future__ import annotations

from typing import Any

import torch
from peft import PeftModel
from peft.tuners.lora import Linear as LoraLinear
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn.functional import linear

# N tokens (any leading shape flattened), I inputs, O outputs, K rank


def lean(wrapped: PeftModel) -> None:
    """Let every plain LoRA layer whose base is in bfloat16 compute as this file says; the weights are not touched."""
    for module in wrapped.modules():
        if type(module) is LoraLinear and module.get_base_layer().weight.dtype == torch.bfloat16:
            module.__class__ = LeanLora


class LeanLora(LoraLinear):
    """PEFT's layer, which also does what is not plain: dropout, merged or several adapters, variants."""

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        name = self.plain_adapter()
        if name is None or args or kwargs or x.dtype != torch.bfloat16:
            return super().forward(x, *args, **kwargs)
        base: Any = self.get_base_layer()
        down, up = self.lora_A[name].weight, self.lora_B[name].weight
        flat_NI = x.reshape(-1, x.shape[-1])
        made_NO = LowRank.apply(flat_NI, base.weight, base.bias, down, up, float(self.scaling[name]))
        return made_NO.view(*x.shape[:-1], -1)  # type: ignore[union-attr]

    def plain_adapter(self) -> str | None:
        """The one active adapter, where nothing stands between it and two products."""
        active = [name for name in self.active_adapters if name in self.lora_A]
        if self.disable_adapters or self.merged or len(active) != 1 or active[0] in self.lora_variant:
            return None
        (name,) = active
        dropout, up = self.lora_dropout[name], self.lora_B[name]
        drops = isinstance(dropout, nn.Dropout) and dropout.p > 0
        return None if drops or up.bias is not None or type(self.get_base_layer()) is not nn.Linear else name


class LowRank(Function):
    """x W' + b + s (x A') B', with W and b frozen and in x's dtype, A and B in fp32."""

    @staticmethod
    def forward(
        ctx: Any, x_NI: Tensor, weight_OI: Tensor, bias_O: Tensor | None, down_KI: Tensor, up_OK: Tensor, scale: float
    ) -> Tensor:
        low = low_rank_dtype(weight_OI)
        down_KI, up_OK = down_KI.to(low), up_OK.to(low)
        inner_NK = x_NI.to(low) @ down_KI.T
        made_NO = linear(x_NI, weight_OI, bias_O).to(low).addmm_(inner_NK, up_OK.T, alpha=scale)
        ctx.save_for_backward(x_NI, weight_OI, down_KI, up_OK, inner_NK)
        ctx.scale = scale
        return made_NO.to(x_NI.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient_NO: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        x_NI, weight_OI, down_KI, up_OK, inner_NK = ctx.saved_tensors
        low_NO = gradient_NO.to(inner_NK.dtype)
        inner_gradient_NK = (low_NO @ up_OK).mul_(ctx.scale)
        x_gradient = None
        if ctx.needs_input_grad[0]:
            x_gradient = (gradient_NO @ weight_OI).to(low_NO.dtype).addmm_(inner_gradient_NK, down_KI).to(x_NI.dtype)
        down_gradient = product_in_fp32(inner_gradient_NK.T, x_NI.to(low_NO.dtype))
        up_gradient = product_in_fp32(low_NO.T, inner_NK).mul_(ctx.scale)
        return x_gradient, None, None, down_gradient, up_gradient, None


def low_rank_dtype(weight: Tensor) -> torch.dtype:
    """The precision of the products beside this frozen weight."""
    return torch.bfloat16 if weight.dtype == torch.bfloat16 and weight.is_cuda else torch.float32


def product_in_fp32(a: Tensor, b: Tensor) -> Tensor:
    """The product of two matrices of one dtype, summed and kept in fp32."""
    return a @ b if a.dtype == torch.float32 else torch.mm(a, b, out_dtype=torch.float32)
