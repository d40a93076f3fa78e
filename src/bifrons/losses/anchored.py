"""DPO with an anchor: the likelihood of chosen responses, which DPO alone lets fall (Pang et al. 2024, RPO)."""

from __future__ import annotations

from torch import Tensor

from bifrons.losses.dpo import dpo


def dpo_sft(margin: Tensor, policy_chosen: Tensor, tokens_chosen: Tensor, beta: float, sft_weight: float) -> Tensor:
    """-log sigmoid(beta * margin) - sft_weight * log pi(y+) / |y+| (their Eq. 1, DPO's term first).

    `policy_chosen` are sums over a response and `tokens_chosen` its counts; all [pairs], as is the result. Raises
    ValueError for a beta that is not above 0 and for a weight below 0.
    """
    if not sft_weight >= 0:
        raise ValueError(f"the SFT anchor's weight is {sft_weight}; it cannot be below 0")
    return dpo(margin, beta) - sft_weight * policy_chosen / tokens_chosen
