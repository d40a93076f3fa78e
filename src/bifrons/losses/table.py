"""One table of the losses' names; all of them read the same three tensors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from bifrons.losses.anchored import dpo_sft
from bifrons.losses.dpo import dpo, margins
from bifrons.losses.ipo import ipo
from bifrons.losses.kto import kto_pair
from bifrons.losses.length_normalized import dpo_length_normalized, margins_per_token
from bifrons.losses.simpo import simpo

PreferenceLoss = Callable[["Responses"], Tensor]  # to [pairs]


@dataclass(frozen=True, slots=True, eq=False)
class Responses:
    """Log-probabilities of pairs summed over a response, of policy and reference, and token counts.

    All are [pairs, 2], chosen first.
    """

    policy: Tensor
    reference: Tensor
    tokens: Tensor

    @property
    def margin(self) -> Tensor:
        """Of sums, in nats (study, Eq. 2), [pairs]."""
        return margins(self.policy[:, 0], self.policy[:, 1], self.reference[:, 0], self.reference[:, 1])

    @property
    def margin_per_token(self) -> Tensor:
        """Of means over tokens, [pairs]."""
        policy, reference, tokens = self.policy, self.reference, self.tokens
        return margins_per_token(
            policy[:, 0], policy[:, 1], reference[:, 0], reference[:, 1], tokens[:, 0], tokens[:, 1]
        )

    @property
    def log_ratios(self) -> Tensor:
        """Policy against reference, [pairs, 2]."""
        return self.policy - self.reference


def of_dpo(seen: Responses, beta: float) -> Tensor:
    return dpo(seen.margin, beta)


def of_dpo_length_normalized(seen: Responses, beta: float) -> Tensor:
    return dpo_length_normalized(seen.margin_per_token, beta)


def of_dpo_sft(seen: Responses, beta: float, sft_weight: float = 1.0) -> Tensor:
    return dpo_sft(seen.margin, seen.policy[:, 0], seen.tokens[:, 0], beta, sft_weight)


def of_ipo(seen: Responses, beta: float) -> Tensor:
    return ipo(seen.margin, beta)


def of_ipo_per_token(seen: Responses, beta: float) -> Tensor:
    return ipo(seen.margin_per_token, beta)


def of_kto_pair(seen: Responses, beta: float) -> Tensor:
    return kto_pair(seen.log_ratios[:, 0], seen.log_ratios[:, 1], beta)


def of_simpo(seen: Responses, beta: float, gamma: float = 0.5) -> Tensor:
    return simpo(seen.policy[:, 0], seen.policy[:, 1], seen.tokens[:, 0], seen.tokens[:, 1], beta, gamma)


LOSSES: dict[str, Callable[..., Tensor]] = {
    "dpo": of_dpo,
    "dpo_length_normalized": of_dpo_length_normalized,
    "dpo_sft": of_dpo_sft,
    "ipo": of_ipo,
    "ipo_per_token": of_ipo_per_token,
    "kto_pair": of_kto_pair,
    "simpo": of_simpo,
}
USUAL_BETA: dict[str, float] = {  # where a sum is 0.1 to DPO, a mean over tokens needs more for the same pull
    "dpo": 0.1,
    "dpo_length_normalized": 5.0,  # Tulu 3
    "dpo_sft": 0.1,
    "ipo": 0.1,
    "ipo_per_token": 5.0,  # (ours): a target of 0.1 nats a token
    "kto_pair": 0.1,
    "simpo": 2.0,  # the least of SimPO's own
}
LOSS_SETTINGS: dict[str, tuple[str, ...]] = {"dpo_sft": ("sft_weight",), "simpo": ("gamma",)}


def usual_beta(loss: str) -> float:
    """The beta of a loss where none is given; DPO's for a name that is not in the table."""
    return USUAL_BETA.get(loss, USUAL_BETA["dpo"])


def make_loss(name: str, beta: float, **settings: float) -> PreferenceLoss:
    """A loss by its name in the table. Raises ValueError for an unknown name, a setting that it does
    not take and a value out of bounds.
    """
    if name not in LOSSES:
        raise ValueError(f"there is no loss {name!r}; there are {', '.join(LOSSES)}")
    takes = LOSS_SETTINGS.get(name, ())
    for setting in settings:
        if setting not in takes:
            raise ValueError(f"loss {name} has no setting {setting!r}; it has {', '.join(takes) or 'none but beta'}")
    loss = partial(LOSSES[name], beta=beta, **settings)
    nothing = torch.zeros(1, 2)
    loss(Responses(nothing, nothing, nothing + 1))  # a value out of bounds is named here, not in the first step
    return loss
