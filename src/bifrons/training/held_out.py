"""How a trained adapter ranks pairs that it was not trained on."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from bifrons.losses import dpo, margins
from bifrons.protocol import UnifiedModel
from bifrons.training.reference import Pairs


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Margins in nats, one a pair (Eq. 2), and their mean DPO loss at the beta given."""

    margins: tuple[float, ...]
    loss: float

    @property
    def accuracy(self) -> float:
        """The share of pairs whose margin is above 0."""
        return sum(margin > 0 for margin in self.margins) / len(self.margins)


@torch.no_grad()
def held_out(model: UnifiedModel, pairs: Pairs, beta: float) -> HeldOut:
    """Margins of the model's adapter against its base on pairs of one task. Raises ValueError for no pairs."""
    if not pairs:
        raise ValueError("there are no held-out pairs")
    found: list[float] = []
    for pair in pairs:
        packed = model.pack([pair])  # type: ignore[list-item]
        policy = model.log_probs(packed).sums
        with model.base_only():
            reference = model.log_probs(packed).sums
        found += margins(policy[:, 0], policy[:, 1], reference[:, 0], reference[:, 1]).tolist()
    return HeldOut(tuple(found), dpo(torch.tensor(found), beta).mean().item())
