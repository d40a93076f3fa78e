"""The DPO family as pure functions of log-probabilities."""

from bifrons.losses.dpo import dpo, margins

__all__ = ["dpo", "margins"]
