"""DPO on log-ratios a token: a long response weighs no more than a short one (Lambert et al. 2024, Tulu 3, Eq. 6)."""

from __future__ import annotations

from torch import Tensor

from bifrons.losses.dpo import dpo


def margins_per_token(
    policy_chosen: Tensor,
    policy_rejected: Tensor,
    reference_chosen: Tensor,
    reference_rejected: Tensor,
    tokens_chosen: Tensor,
    tokens_rejected: Tensor,
) -> Tensor:
    """The margin (Eq. 2) of mean log-probabilities, in nats a token. All are [pairs]; tokens are counts above 0."""
    chosen = (policy_chosen - reference_chosen) / tokens_chosen
    return chosen - (policy_rejected - reference_rejected) / tokens_rejected


def dpo_length_normalized(margin_per_token: Tensor, beta: float) -> Tensor:
    """-log sigmoid(beta * margin a token); beta is larger than DPO's by about the tokens of a response.

    Shape [pairs] to [pairs]. Raises ValueError for a beta that is not above 0.
    """
    return dpo(margin_per_token, beta)
