"""KL(policy || reference) of predicted tokens, exact over the vocabulary, with the logits of one chunk in memory."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import torch
from torch import Tensor

POSITIONS = 512  # a chunk's logits: 512 positions x 102,400 words x 4 bytes = 200 MiB, policy's and reference's each


def kl_of_heads(
    head: Callable[[Tensor], Tensor],
    base_only: Callable[[], AbstractContextManager[None]],
    policy: Tensor,
    reference: Tensor,
    positions: int = POSITIONS,
) -> Tensor:
    """Nats at each position, [tokens], from the hidden states of policy and reference, both [tokens, width].

    sum_v p(v) (log p(v) - log q(v)) with p = softmax(head(policy)) and q the same of the reference under `base_only`:
    the head may be trained too. Rounding can leave a value a little below 0.
    """
    made: list[Tensor] = []
    for start in range(0, len(policy), positions):
        part = slice(start, start + positions)
        log_p = head(policy[part]).float().log_softmax(dim=-1)
        with base_only():
            log_q = head(reference[part]).float().log_softmax(dim=-1)
        made.append((log_p.exp() * (log_p - log_q)).sum(dim=-1))
    return torch.cat(made)
