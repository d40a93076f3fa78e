"""The DPO family as pure functions of log-probabilities, and one table of their names."""

from bifrons.losses.anchored import dpo_sft
from bifrons.losses.dpo import dpo, margins
from bifrons.losses.ipo import ipo
from bifrons.losses.kto import kto_pair
from bifrons.losses.length_normalized import dpo_length_normalized, margins_per_token
from bifrons.losses.product import pair_product, product_slopes
from bifrons.losses.simpo import simpo
from bifrons.losses.table import LOSS_SETTINGS, LOSSES, USUAL_BETA, PreferenceLoss, Responses, make_loss, usual_beta

__all__ = [
    "LOSSES",
    "LOSS_SETTINGS",
    "USUAL_BETA",
    "PreferenceLoss",
    "Responses",
    "dpo",
    "dpo_length_normalized",
    "dpo_sft",
    "ipo",
    "kto_pair",
    "make_loss",
    "margins",
    "margins_per_token",
    "pair_product",
    "product_slopes",
    "simpo",
    "usual_beta",
]
