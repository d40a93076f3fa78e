"""What a model offers to the rest of the library."""

from bifrons.protocol.model import (
    AdapterSettings,
    Answer,
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
    "Drawing",
    "Identity",
    "LogProbs",
    "Sampling",
    "TokenLogProbs",
    "UnifiedModel",
]
