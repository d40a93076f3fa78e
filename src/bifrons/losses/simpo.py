"""Simple preference optimisation: mean log-probability as reward, and no reference (Meng et al. 2024)."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import logsigmoid

from bifrons.losses.dpo import check_beta


def simpo(
    policy_chosen: Tensor,
    policy_rejected: Tensor,
    tokens_chosen: Tensor,
    tokens_rejected: Tensor,
    beta: float,
    gamma: float,
) -> Tensor:
    """-log sigmoid(beta * (log pi(y+)/|y+| - log pi(y-)/|y-|) - gamma), one sigmoid a pair (Eq. 6).

    Log-probabilities are sums over a response and tokens its counts, [pairs]; so is the result. `gamma` is the margin
    that the rewards should have, in units of the reward. Raises ValueError for a beta that is not above 0 and for a
    gamma below 0.
    """
    check_beta(beta)
    if not gamma >= 0:
        raise ValueError(f"SimPO's gamma is {gamma}; it cannot be below 0")
    return -logsigmoid(beta * (policy_chosen / tokens_chosen - policy_rejected / tokens_rejected) - gamma)
