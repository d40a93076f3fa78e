"""Direct preference optimisation as a pure function of log-probabilities (Rafailov et al. 2023; study, Eq. 1, 2)."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import logsigmoid


def margins(
    policy_chosen: Tensor, policy_rejected: Tensor, reference_chosen: Tensor, reference_rejected: Tensor
) -> Tensor:
    """How much more the policy prefers chosen to rejected than the reference does, in nats (Eq. 2).

    All four are log-probabilities summed over a response, shape [pairs]; so is the result.
    """
    return (policy_chosen - reference_chosen) - (policy_rejected - reference_rejected)


def dpo(margin: Tensor, beta: float) -> Tensor:
    """-log sigmoid(beta * margin), one sigmoid a pair (Eq. 1). Shape [pairs] to [pairs].

    Raises ValueError for a beta that is not above 0.
    """
    check_beta(beta)
    return -logsigmoid(beta * margin)


def check_beta(beta: float) -> None:
    """Raises ValueError for a beta that is not above 0."""
    if not beta > 0:
        raise ValueError(f"beta is {beta}; it has to be above 0")
