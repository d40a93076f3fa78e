"""HermesFlow's product of margins (their Eq. 6), kept for comparison: it is degenerate.

Their appendix gets it from log sigmoid(a) + log sigmoid(b) = log sigmoid(a b), which is false. Policy and reference are
equal before step 0, so both margins are 0 and so is every gradient: a saddle. At (-1, -1) both margins are pushed
further the wrong way; at (3, -1) the good one is pushed down; and the push on one task is proportional to the other's
margin, which is larger where responses are longer. What their code runs is the weighted sum.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import logsigmoid

from bifrons.losses.dpo import check_beta


def pair_product(
    margin_understanding: Tensor, margin_generation: Tensor, beta_understanding: float, beta_generation: float
) -> Tensor:
    """-log sigmoid(D_U D_G), D = beta * margin of each side of a record. Shapes [pairs].

    Raises ValueError for a beta that is not above 0.
    """
    check_beta(beta_understanding)
    check_beta(beta_generation)
    return -logsigmoid(beta_understanding * margin_understanding * beta_generation * margin_generation)


def product_slopes(
    margin_understanding: Tensor, margin_generation: Tensor, beta_understanding: float, beta_generation: float
) -> tuple[Tensor, Tensor]:
    """dL / d margin of each task, [pairs]: -sigmoid(-D_U D_G) beta_U D_G, and the same with the tasks exchanged.

    Each margin is backed up with its slope, so the two task gradients stay apart and every strategy can weigh them.
    """
    scaled_understanding = beta_understanding * margin_understanding
    scaled_generation = beta_generation * margin_generation
    common = -(-scaled_understanding * scaled_generation).sigmoid()
    return common * beta_understanding * scaled_generation, common * beta_generation * scaled_understanding
