"""Kahneman-Tversky optimisation on pairs: each response against what is usual (Ethayarajh et al. 2024)."""

from __future__ import annotations

from torch import Tensor

from bifrons.losses.dpo import check_beta


def kto_pair(chosen_log_ratio: Tensor, rejected_log_ratio: Tensor, beta: float) -> Tensor:
    """Half of [1 - sigmoid(beta (r+ - z-))] + [1 - sigmoid(beta (z+ - r-))], with r the log-ratios (Eq. 7, 8).

    The reference points z = max(0, r) are those of the pair's other response, and no gradient passes through them: the
    mean over a batch that the paper takes would make a pair's loss depend on how a batch is cut into micro-batches.
    Shapes [pairs] to [pairs]. Raises ValueError for a beta that is not above 0.
    """
    check_beta(beta)
    usual_chosen = chosen_log_ratio.detach().clamp(min=0)
    usual_rejected = rejected_log_ratio.detach().clamp(min=0)
    lost_chosen = 1 - (beta * (chosen_log_ratio - usual_rejected)).sigmoid()
    lost_rejected = 1 - (beta * (usual_chosen - rejected_log_ratio)).sigmoid()
    return (lost_chosen + lost_rejected) / 2
