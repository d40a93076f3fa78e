"""How a trained adapter ranks pairs that it was not trained on."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from bifrons.losses import PreferenceLoss, Responses, make_loss
from bifrons.protocol import UnifiedModel
from bifrons.training.reference import Pairs


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Margins in nats, one a pair (Eq. 2), and their mean loss."""

    margins: tuple[float, ...]
    loss: float

    @property
    def accuracy(self) -> float:
        """The share of pairs whose margin is above 0."""
        return sum(margin > 0 for margin in self.margins) / len(self.margins)


@torch.no_grad()
def held_out(model: UnifiedModel, pairs: Pairs, beta: float = 0.1, *, loss: PreferenceLoss | None = None) -> HeldOut:
    """Margins of the model's adapter against its base on pairs of one task, and their loss: DPO's at this beta, or the
    one given (`Recipe.loss(task)` is a run's own). Raises ValueError for no pairs.
    """
    if not pairs:
        raise ValueError("there are no held-out pairs")
    loss = loss or make_loss("dpo", beta)
    margins: list[float] = []
    losses: list[float] = []
    for pair in pairs:
        packed = model.pack([pair])  # type: ignore[list-item]
        policy = model.log_probs(packed)
        with model.base_only():
            reference = model.log_probs(packed).sums
        seen = Responses(policy.sums, reference, policy.counts)
        margins += seen.margin.tolist()
        losses += loss(seen).tolist()
    return HeldOut(tuple(margins), sum(losses) / len(losses))
