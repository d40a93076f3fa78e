"""fp32 logits of a frozen head whose weights stay in the 16 bits that they were published in.

A product of two bfloat16 numbers is exact in fp32, so an fp32 copy of the weights adds nothing but its memory (1.7 GB
in Janus-Pro-7B). On a GPU the product itself sums in fp32; elsewhere some rows of the weights at a time are widened, in
the processor's cache.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn.functional import linear

ELEMENTS = 2**22  # of the weights at a time

# N positions, V words, D width


def exact_logits(hidden_ND: Tensor, weight_VD: Tensor) -> Tensor:
    """hidden W' in fp32, [N, V], for a frozen W in fp32 or in 16 bits. Differentiable in `hidden`, once."""
    if weight_VD.dtype == torch.float32:
        return linear(hidden_ND.float(), weight_VD)
    return WideProduct.apply(hidden_ND, weight_VD)  # type: ignore[no-any-return]


class WideProduct(Function):
    @staticmethod
    def forward(ctx: Any, hidden_ND: Tensor, weight_VD: Tensor) -> Tensor:
        ctx.save_for_backward(weight_VD)
        ctx.dtype = hidden_ND.dtype
        if hidden_ND.is_cuda and hidden_ND.dtype == weight_VD.dtype:
            return torch.mm(hidden_ND, weight_VD.T, out_dtype=torch.float32)
        wide_ND = hidden_ND.float()
        made_NV = wide_ND.new_empty(len(wide_ND), len(weight_VD))
        for words, weight_WD in widened(weight_VD):
            torch.mm(wide_ND, weight_WD.T, out=made_NV[:, words])
        return made_NV

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient_NV: Tensor) -> tuple[Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        (weight_VD,) = ctx.saved_tensors
        made_ND = gradient_NV.new_zeros(len(gradient_NV), weight_VD.shape[1])
        for words, weight_WD in widened(weight_VD):
            made_ND.addmm_(gradient_NV[:, words], weight_WD)
        return made_ND.to(ctx.dtype), None


def widened(weight_VD: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Some words at a time, and their weights in fp32."""
    count = max(ELEMENTS // weight_VD.shape[1], 1)
    for start in range(0, len(weight_VD), count):
        yield slice(start, start + count), weight_VD[start : start + count].float()
