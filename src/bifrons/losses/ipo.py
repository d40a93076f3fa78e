"""Identity preference optimisation: the margin is led to a finite target (Azar et al. 2023)."""

from __future__ import annotations

from torch import Tensor

from bifrons.losses.dpo import check_beta


def ipo(margin: Tensor, beta: float) -> Tensor:
    """(margin - 1 / (2 beta))^2, nats squared; beta is the paper's tau (Eq. 17). Shape [pairs] to [pairs].

    The margin is of sums over a response, as in the paper. TRL divides by tokens first: `ipo_per_token` in the table
    of losses does. Raises ValueError for a beta that is not above 0.
    """
    check_beta(beta)
    return (margin - 1 / (2 * beta)) ** 2
