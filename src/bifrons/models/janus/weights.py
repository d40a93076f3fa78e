"""The weights of a checkpoint against Janus's configuration."""

from __future__ import annotations

from typing import Any

import torch
from transformers import JanusForConditionalGeneration

from bifrons.models.weights import Shapes, compare


def check_weights(found: Shapes, name: str, config: Any) -> None:
    """Raises ValueError for weights that are missing, unknown or of another shape, each with names."""
    with torch.device("meta"):
        wanted = {key: tuple(t.shape) for key, t in JanusForConditionalGeneration(config).state_dict().items()}
    if set(wanted) - set(found) == {"lm_head.weight"} and not set(found) - set(wanted):
        raise ValueError(
            f"{name}: has no text head of its own (lm_head.weight): it was saved with tied word embeddings; save it "
            "with tie_word_embeddings=False, as Janus is"
        )
    compare(wanted, found, name)
