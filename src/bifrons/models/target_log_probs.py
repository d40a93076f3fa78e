"""log-softmax at the targets alone, with two tensors of the logits' size in memory instead of four.

`logits.log_softmax(-1).gather(...)` keeps logits and log-probabilities, and its backward makes two more of their size.
Here the forward keeps the logits and a number a position, and the backward makes their gradient some positions at a
time, so that what it works on lies in the processor's cache.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

ELEMENTS = 2**20  # of logits at a time

# N positions, V words or codes


def target_log_probs(logits_NV: Tensor, target_N: Tensor) -> Tensor:
    """log p(target) under the softmax of each position, [N], in the logits' dtype. Gradients have no gradients."""
    return TargetLogProbs.apply(logits_NV, target_N)  # type: ignore[no-any-return]


class TargetLogProbs(Function):
    @staticmethod
    def forward(ctx: Any, logits_NV: Tensor, target_N: Tensor) -> Tensor:
        normaliser_N = torch.cat([part.logsumexp(dim=-1) for part in logits_NV.split(positions_at_once(logits_NV))])
        ctx.save_for_backward(logits_NV, target_N, normaliser_N)
        return logits_NV.gather(-1, target_N[:, None])[:, 0] - normaliser_N

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient_N: Tensor) -> tuple[Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        logits_NV, target_N, normaliser_N = ctx.saved_tensors
        made_NV = torch.empty_like(logits_NV)
        size = positions_at_once(logits_NV)
        each = (made_NV, logits_NV, target_N, normaliser_N, gradient_N)
        for made, logits, target, normaliser, gradient in zip(*(tensor.split(size) for tensor in each), strict=True):
            torch.sub(logits, normaliser[:, None], out=made).exp_().mul_(-gradient[:, None])
            made.scatter_add_(-1, target[:, None], gradient[:, None])
        return made_NV, None


def positions_at_once(logits_NV: Tensor) -> int:
    """All of them where the device is not the CPU: its caches are no concern there, and its calls are dear."""
    if logits_NV.device.type != "cpu":
        return max(len(logits_NV), 1)
    return max(ELEMENTS // max(logits_NV.shape[-1], 1), 1)
