"""What a model offers to the rest of the library."""

from bifrons.protocol.model import (
    AdapterSettings,
    Answer,
    Divergence,
    Drawing,
    Identity,
    LogProbs,
    Sampling,
    TokenLogProbs,
    UnifiedModel,
)

__all__ = [
    "AdapterSettings",
    "Answer",
    "Divergence",
    "Drawing",
    "Identity",
    "LogProbs",
    "Sampling",
    "TokenLogProbs",
    "UnifiedModel",
]
